"""A restore fills only an empty database of its environment, and development sees no people."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended, Server, configuration
from fix_backup import FOLDER, make
from fix_prod import REF, production
from fix_schema import catalog as whole_catalog
from fix_schema import execute
from sqlalchemy import URL

from dhafnck_db import masking
from dhafnck_db.models import Base

Run = Callable[..., Ended]

IDENTITY = "SELECT environment, reference FROM dhafnck.identity"


def catalog(url: URL) -> set[str]:
    """The relations of a database, without those that provisioning made."""
    return {name for name, _ in whole_catalog(url) if not name.startswith("extensions.")}


@pytest.fixture
def of_prod(filled: URL, tmp_path: Path, run: Run) -> Path:
    """A backup of production, with rows of people, in the audit trail and in the archive too."""
    execute(
        filled,
        "CREATE TABLE legacy.users (email text)",
        "INSERT INTO legacy.users VALUES ('old@people.example')",
        f"UPDATE dhafnck.identity SET environment = 'prod', reference = '{REF}'",  # noqa: S608
    )
    assert run("audit", "enable", "users", "--confirm", REF, env=production(filled)).code == 0
    ended = run("backup", "create", env=production(filled))
    assert ended.code == 0, ended.err
    (path,) = (tmp_path / FOLDER).glob("*.dump")
    return path.relative_to(tmp_path)


def test_restore_brings_everything_back(
    server: Server, filled: URL, dump: Path, database: URL, run: Run
) -> None:
    wanted = execute(filled, "SELECT * FROM users ORDER BY id")
    names = catalog(filled)
    dry = run("backup", "restore", str(dump), "--dry-run", env=configuration(database))
    assert (dry.code, catalog(database)) == (0, set())
    ended = run("backup", "restore", str(dump), env=configuration(database))
    assert ended.code == 0, ended.err
    assert execute(database, "SELECT * FROM users ORDER BY id") == wanted
    assert catalog(database) == names
    assert run("schema", "check", env=configuration(database)).code == 0
    health = run("health", "--format", "json", env=configuration(database))
    assert json.loads(health.out)["status"] == "healthy"

    again = run("backup", "restore", str(dump), env=configuration(database))
    assert again.code == 5
    assert again.err.startswith("error[target-not-empty]: ")


def test_restore_that_fails_leaves_the_database_empty(
    server: Server, filled: URL, database: URL, tmp_path: Path, run: Run
) -> None:
    execute(
        filled,
        "CREATE FUNCTION public.small(int) RETURNS bool IMMUTABLE LANGUAGE sql AS 'SELECT $1 < 9'",
        "CREATE TABLE public.checked (number int CHECK (public.small(number)))",
        "INSERT INTO public.checked VALUES (5)",
        "CREATE OR REPLACE FUNCTION public.small(int) RETURNS bool IMMUTABLE LANGUAGE sql "
        "AS 'SELECT $1 < 3'",
    )
    dump = make(run, filled, tmp_path)
    ended = run("backup", "restore", str(dump), env=configuration(database))
    assert ended.code == 5
    assert ended.err.startswith("error[restore-failed]: ")
    assert catalog(database) == set()
    assert run("backup", "drill", env=configuration(database)).code == 6


def test_note_of_a_newer_server_is_no_damage(
    server: Server, filled: URL, database: URL, tmp_path: Path, run: Run
) -> None:
    """An older pg_dump writes a newer server's pg_attver; here a name that no server knows."""
    execute(filled, "ALTER TABLE projects ALTER COLUMN name SET (n_distinct = -0.5)")
    older = tmp_path / "bin" / "pg_dump"
    older.parent.mkdir()
    newest = Path(f"/usr/lib/postgresql/{server.major}/bin/pg_dump")
    older.write_text(f'#!/bin/sh\n{newest} "$@" | sed s/n_distinct=/pg_unknown=/\n')
    older.chmod(0o755)
    dump = make(run, filled, tmp_path, DB_CLIENT_BIN=str(older.parent))
    for ended in (
        run("backup", "restore", str(dump), env=configuration(database)),
        run("backup", "drill", env=configuration(filled)),
    ):
        assert ended.code != 0
        assert 'unrecognized parameter "pg_unknown"' in ended.err
        assert "update PostgreSQL's programs here" in ended.err
    assert catalog(database) == set()


@pytest.mark.parametrize(
    ("change", "code", "error"),
    [
        ({"environment": "test"}, 7, "wrong-environment"),
        ({"environment": "prod"}, 7, "wrong-environment"),
        ({"environment": None}, 7, "wrong-environment"),
        ({"kind": "schema"}, 2, "nothing-recorded"),
        ({"major": 99}, 5, "server-too-old"),
        ({"sha256": "0"}, 6, "backup-damaged"),
    ],
)
def test_what_does_not_fit_is_refused(
    dump: Path,
    database: URL,
    tmp_path: Path,
    run: Run,
    change: dict[str, object],
    code: int,
    error: str,
) -> None:
    place = tmp_path / f"{dump}.json"
    place.write_text(json.dumps({**json.loads(place.read_text()), **change}))
    ended = run("backup", "restore", str(dump), env=configuration(database))
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"error[{error}]: ")
    assert catalog(database) == set()


@pytest.mark.parametrize("options", [(), ("--masked",)])
def test_development_never_goes_to_production(
    dump: Path, database: URL, run: Run, options: tuple[str, ...]
) -> None:
    given = ("backup", "restore", str(dump), "--confirm", REF, *options)
    ended = run(*given, env=production(database))
    assert ended.code == 7
    assert ended.err.startswith("error[wrong-environment]: ")
    assert catalog(database) == set()


def test_production_comes_back_with_consent_alone(of_prod: Path, database: URL, run: Run) -> None:
    given = ("backup", "restore", str(of_prod))
    ended = run(*given, env=production(database))
    assert ended.code == 7
    assert "error[consent-missing]: " in ended.err
    assert f"  restores  {of_prod}, of " in ended.err
    other = {**production(database), "SUPABASE_URL": "https://zzzzzzzzzzzzzzzzzzzz.supabase.co"}
    assert run(*given, env=other).err.startswith("error[wrong-project]: ")
    assert catalog(database) == set()
    ended = run(*given, "--confirm", REF, env=production(database))
    assert ended.code == 0, ended.err
    assert execute(database, IDENTITY) == [("prod", REF)]
    assert execute(database, "SELECT count(*) FROM users WHERE email LIKE '%@people.example'") == [
        (5,)
    ]


def test_production_comes_to_development_without_people(
    of_prod: Path, database: URL, run: Run
) -> None:
    plain = run("backup", "restore", str(of_prod), env=configuration(database))
    assert plain.code == 7
    assert plain.err.startswith("error[wrong-environment]: ")
    ended = run("backup", "restore", str(of_prod), "--masked", env=configuration(database))
    assert ended.code == 0, ended.err
    ((environment, reference),) = execute(database, IDENTITY)
    assert environment == "dev"
    assert reference != REF
    everything = str(
        [
            execute(database, f"SELECT t::text FROM {name} AS t")  # noqa: S608
            for name in ("users", "dhafnck.audit", "legacy.users", "user_sessions", "api_tokens")
        ]
    )
    for personal in ("people.example", "person", "Full Name", "secret"):
        assert personal not in everything
    counted = "SELECT count(DISTINCT email), count(DISTINCT username) FROM users"
    assert execute(database, counted) == [(5, 5)]
    assert execute(database, "SELECT count(*) FROM projects") == [(40,)]


def test_column_that_looks_personal_stops_the_refresh(
    filled: URL, database: URL, tmp_path: Path, run: Run
) -> None:
    execute(
        filled,
        "CREATE TABLE public.guests (id int, phone text)",
        f"UPDATE dhafnck.identity SET environment = 'prod', reference = '{REF}'",  # noqa: S608
    )
    assert run("backup", "create", "p.dump", env=production(filled)).code == 0
    ended = run("backup", "restore", "p.dump", "--masked", env=configuration(database))
    assert ended.code == 3
    assert ended.err.startswith("error[mask-missing]: masking.toml says nothing of public.guests.p")
    # What was restored says that it is production: no command takes it for development.
    refused = run("schema", "upgrade", env=configuration(database))
    assert refused.err.startswith("error[wrong-environment]: ")


def test_every_secret_and_every_suspicious_column_of_the_models_has_a_rule() -> None:
    rules = masking.load()
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            ruled = column.name in rules.mask.get(f"public.{table.name}", {})
            assert ruled or not column.info.get("secret"), column
            assert ruled or not rules.suspicious.search(column.name), column


def test_every_rule_is_of_a_column_and_of_a_kind_that_there_is() -> None:
    for table, columns in masking.load().mask.items():
        there = Base.metadata.tables[table.removeprefix("public.")].columns
        assert set(columns) <= set(there.keys()) | {column.name for column in there}
        assert set(columns.values()) <= {*masking.REPLACED, masking.KEEP}
