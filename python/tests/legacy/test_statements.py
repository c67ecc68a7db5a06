"""What an import tells the server: nothing is taken away, and the tables are made as they were."""

import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Server
from fix_schema import execute, target_of
from sqlalchemy import URL, NullPool, create_engine

from dhafnck_db import clients
from dhafnck_db.errors import TargetError
from legacy.faults import Cluster, copy_of_server, start_import, write_many
from legacy.generations import NEWEST, OLDEST
from legacy.state import contents, structure

ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)", re.MULTILINE)
STATEMENT = re.compile(r"LOG: +(?:statement|execute [^:]*): (.*)", re.DOTALL)
LITERAL = re.compile(r"'(?:[^']|'')*'")
TAKEN_AWAY = re.compile(
    r"\bDROP\s+(?!CONSTRAINT|INDEX)\w+|\bTRUNCATE\b(?!\s+TABLE\s+ONLY)|\bDELETE\s+FROM\b|(?:^|;|\()\s*UPDATE\b",
    re.IGNORECASE,
)
DROPPED_CONSTRAINT = re.compile(
    r"ALTER\s+TABLE\s+(?:ONLY\s+)?(\S+)[^;]*DROP\s+CONSTRAINT", re.IGNORECASE
)
TRUNCATED = re.compile(r"TRUNCATE\s+TABLE\s+ONLY\s+([^\s;,]+)", re.IGNORECASE)
DROPPED_INDEX = re.compile(r"DROP\s+INDEX\s+(?:IF\s+EXISTS\s+)?([^;]+)", re.IGNORECASE)

# Rows in tables that no file below concerns, one of them with a foreign key to a table that one
# fills.
OTHER_ROWS = """
    INSERT INTO users (id, email, username, password_hash)
        VALUES (gen_random_uuid(), 'e@x', 'u', 'h'), (gen_random_uuid(), 'f@x', 'v', 'h');
    INSERT INTO task_contexts (id, user_id) VALUES (gen_random_uuid(), 'me');
"""
FEW_TABLES = """
    CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT);
    CREATE TABLE project_git_branchs (id TEXT PRIMARY KEY, project_id TEXT, name TEXT);
    CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT, description TEXT, git_branch_id TEXT);
    INSERT INTO projects VALUES ('p', 'P');
    INSERT INTO project_git_branchs VALUES ('b', 'p', 'B');
    INSERT INTO tasks VALUES ('t', 'T', '', 'b');
"""


SCRIPTS = {"oldest": OLDEST, "newest": NEWEST, "few": FEW_TABLES}


class Relations(NamedTuple):
    """What is known before an import."""

    indexes: dict[str, str]  # their tables
    filled: set[str]  # tables that have rows


@pytest.fixture(scope="module")
def cluster(server: Server, surface: str) -> Iterator[Cluster]:
    with copy_of_server(server) as cluster:
        yield cluster


def statements(log: str) -> list[str]:
    """The statements of a log, without what stands in quotes as a value."""
    found = (STATEMENT.search(entry) for entry in ENTRY.split(log))
    return [LITERAL.sub("''", match[1]) for match in found if match]


def taken_away(log: str, relations: Relations, concerned: set[str]) -> list[str]:
    """Return what a log holds that an import must not say.

    It may only take constraints and indexes, and give a new file, and that only to tables that it
    fills and found empty.
    """

    def full(name: str) -> str:
        name = name.strip().replace('"', "")
        return name if "." in name else f"public.{name}"

    found = []
    for statement in statements(log):
        found += TAKEN_AWAY.findall(statement)
        tables = [full(name) for name in DROPPED_CONSTRAINT.findall(statement)]
        tables += [full(name) for name in TRUNCATED.findall(statement)]
        for names in DROPPED_INDEX.findall(statement):
            tables += [relations.indexes[full(name)] for name in names.split(",")]
        allowed = concerned - relations.filled
        found += [f"{statement}: {table}" for table in tables if table not in allowed]
    return found


def relations(url: URL) -> Relations:
    indexes = execute(
        url,
        "SELECT schemaname || '.' || indexname, schemaname || '.' || tablename FROM pg_indexes",
    )
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return Relations({row[0]: row[1] for row in indexes}, set(contents(connection)))


def dumped(url: URL) -> str:
    """The definition of the schemas that an import finds, as pg_dump tells it."""
    options = ["--schema-only", "--schema=public", "--schema=dhafnck"]
    settings = target_of(url).settings
    try:
        program = clients.program("pg_dump", settings)
        major = execute(url, "SELECT current_setting('server_version_num')::int / 10000")[0][0]
        if clients.version(program) < major:
            return ""  # the structure is compared in any case
    except TargetError:
        return ""
    dsn = url.set(drivername="postgresql").render_as_string(hide_password=False)
    ended = subprocess.run([program, *options, dsn], capture_output=True, text=True, check=True)
    return "\n".join(line for line in ended.stdout.splitlines() if "restrict" not in line)


def defined(url: URL) -> set[tuple[str, ...]]:
    """Everything but archives, which an import makes."""
    kept = ("imports", "columns", "id_map", "rejects")
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return {
            row for row in structure(connection) if row[1] != "legacy" or row[2].startswith(kept)
        }


def write_source(name: str, file: Path) -> Path:
    """Write the file of that name."""
    if name in SCRIPTS:
        with closing(sqlite3.connect(file)) as connection:
            connection.executescript(SCRIPTS[name])
        return file
    return write_many(file, {"sample": 0, "big": 4000}[name])


@pytest.mark.parametrize(
    ("name", "rows_before"),
    [("sample", ""), ("oldest", ""), ("newest", OTHER_ROWS), ("few", OTHER_ROWS), ("big", "")],
)
def test_import_takes_nothing_away_and_leaves_the_tables_as_they_were_made(
    cluster: Cluster, tmp_path: Path, name: str, rows_before: str
) -> None:
    url = cluster.fresh()
    if rows_before:
        execute(url, rows_before)
    known, catalog, dump = relations(url), defined(url), dumped(url)
    logged = len(cluster.log())
    process = start_import(url, write_source(name, tmp_path / "old.db"))
    out, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, ""), out
    log = cluster.log()[logged:]
    concerned = {*re.findall(r'"to": "(public\.\w+)"', out)}
    assert len(concerned) >= 3
    assert any("COPY" in statement for statement in statements(log))
    assert taken_away(log, known, concerned | {"legacy.id_map"}) == []
    assert changed_rows(url) == []
    assert defined(url) == catalog
    assert dumped(url) == dump
    assert concerned.isdisjoint(known.filled)


def changed_rows(url: URL) -> list[str]:
    """Tables that rows were taken from or changed in, as the server counts, in functions too."""
    query = "SELECT relname FROM pg_stat_user_tables WHERE n_tup_del + n_tup_upd > 0"
    return [name for (name,) in execute(url, query)]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM users WHERE false",
        "UPDATE users SET email = email WHERE false",
        "TRUNCATE legacy.rejects",
        "TRUNCATE TABLE ONLY user_sessions",
        'DROP TABLE "public"."templates"',
        "ALTER TABLE users DROP CONSTRAINT pk_users CASCADE",
        "ALTER TABLE tasks DROP CONSTRAINT pk_tasks CASCADE",
        "DROP INDEX ix_users_email",
    ],
)
def test_the_log_shows_what_would_be_taken_away(cluster: Cluster, statement: str) -> None:
    url = cluster.fresh()
    execute(url, OTHER_ROWS)
    known = relations(url)
    logged = len(cluster.log())
    execute(url, statement.replace("ix_users_email", first_index_of(url, "users")))
    assert taken_away(cluster.log()[logged:], known, {"public.users"})


def first_index_of(url: URL, table: str) -> str:
    """An index that no constraint holds."""
    query = f"""
        SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = '{table}'::regclass
        AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid) LIMIT 1
    """  # noqa: S608
    return str(execute(url, query)[0][0])
