"""What the tests of faults need: a server that may be broken, big files, imports as processes."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
from conftest import OWNER as DATABASE_OWNER
from conftest import Server, configuration, free_port
from fix_schema import target_of
from psycopg2 import sql
from sqlalchemy import URL, Connection, NullPool, create_engine

from dhafnck_db import legacy, schema
from dhafnck_db.legacy.sample import write_sample
from dhafnck_db.session import LOCK_KEY, open_session
from legacy.state import contents, structure

PROGRAM = Path(sys.executable).with_name("dhafnck-db")
OURS = ("DATABASE_", "TEST_DATABASE_", "DB_", "SUPABASE_", "PG")
AT_HEAD = "at_head"  # the template of every database here
SETTINGS = ('search_path = "$user", public, extensions', "timezone = 'UTC'")

# The sample's busiest tables, so many times, and one that the models do not know.
MULTIPLIED = """
CREATE TEMP TABLE numbers AS WITH RECURSIVE counted (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < {times}
) SELECT n, printf('00000000-0000-4000-8000-%012x', n) AS id,
    printf('00000000-0000-4000-9000-%012x', n) AS other FROM counted;
CREATE TABLE notes (n INTEGER PRIMARY KEY, note TEXT, data BLOB);
INSERT INTO tasks SELECT numbers.id, title || ' ' || n, description, git_branch_id, status,
    priority, details, estimated_effort, due_date, created_at, updated_at, context_id
    FROM numbers, (SELECT * FROM tasks LIMIT 1);
INSERT INTO task_subtasks SELECT numbers.other, numbers.id, title, description, status, priority,
    assignees, estimated_effort, n % 100, progress_notes, blockers, completion_summary,
    impact_on_parent, insights_found, created_at, updated_at, completed_at
    FROM numbers, (SELECT * FROM task_subtasks LIMIT 1);
INSERT INTO task_assignees SELECT n + 1000, numbers.id, assignee_id, role, assigned_at
    FROM numbers, (SELECT * FROM task_assignees LIMIT 1);
INSERT INTO task_labels SELECT numbers.id, label_id, applied_at
    FROM numbers, (SELECT * FROM task_labels LIMIT 1);
INSERT INTO notes SELECT n, 'note ' || n, randomblob({blob}) FROM numbers;
"""


def write_many(path: Path, times: int, blob: int = 10) -> Path:
    """Write the sample with five times as many rows more, some with a blob of that many bytes."""
    path.unlink(missing_ok=True)
    write_sample(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(MULTIPLIED.format(times=times, blob=blob))
    return path


class Cluster:
    """A copy of the test server, with a database at head in it, that may be stopped and starved."""

    def __init__(self, original: Server, home: Path) -> None:
        self.home = home
        self.server = replace(original, port=free_port(), data=home / "data")
        self._user = "postgres" if os.getuid() == 0 else None  # PostgreSQL refuses to run as root
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        _copy_data(original, self.server.data)
        if self._user:
            for path in (home, self.server.data, *self.server.data.rglob("*")):
                shutil.chown(path, self._user, self._user)
        self.start()
        url = self.fresh("surface", AT_HEAD)
        with open_session(target_of(url)) as connection:
            schema.upgrade(connection, target_of(url))

    def start(self, largest_file: int | None = None) -> None:
        """Start the server and wait until it answers.

        No file of it can grow beyond `largest_file`, just as on a full disk.
        """
        limit = ["prlimit", f"--fsize={largest_file}:"] if largest_file else []
        place: list[str | Path] = ["-D", self.server.data, "-p", str(self.server.port)]
        with (self.home / "stderr").open("ab") as log:
            self._process = subprocess.Popen(
                [*limit, self.server.bin / "postgres", *place],
                stdout=log, stderr=log, user=self._user, group=self._user,
                extra_groups=[] if self._user else None, cwd="/",
            )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            try:
                self.server.connect().close()
                return
            except psycopg2.OperationalError:
                assert self._process.poll() is None, (self.home / "stderr").read_text()
                assert time.monotonic() < deadline, "the copy of the server does not answer"
                time.sleep(0.05)

    def stop(self, how: signal.Signals) -> None:
        """Stop the server: SIGINT is its fast, SIGQUIT its immediate mode."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(timeout=30)

    def restart(self, how: signal.Signals = signal.SIGINT, largest_file: int | None = None) -> None:
        """Stop the server in that way, and start it again."""
        self.stop(how)
        self.start(largest_file)

    def fresh(self, template: str = AT_HEAD, name: str = "", tablespace: str = "") -> URL:
        """Make a database from a template; return the URL of its owner. It goes with the server."""
        self._made += 1
        name = name or f"fresh_{self._made}"
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {} TABLESPACE {}").format(
            *map(sql.Identifier, (name, template, DATABASE_OWNER, tablespace or "pg_default"))
        )
        with closing(self.server.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(made)
            for setting in SETTINGS:
                cursor.execute(
                    sql.SQL("ALTER DATABASE {} SET {}").format(
                        sql.Identifier(name), sql.SQL(setting)
                    )
                )
        return self.server.url(name)

    def log(self) -> str:
        """Return the log of statements up to now."""
        return (self.server.data / "log" / "server.log").read_text(errors="replace")


def _copy_data(original: Server, data: Path) -> None:
    """Copy the files of a running server, as a base backup does."""
    with closing(original.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_backup_start('copy', true)")
        shutil.copytree(
            original.data,
            data,
            ignore=shutil.ignore_patterns("postmaster.*", "log", "pg_wal"),
            copy_function=_copied,
        )
        cursor.execute("SELECT labelfile FROM pg_backup_stop(false)")
        (label,) = cursor.fetchone() or ("",)
    shutil.copytree(original.data / "pg_wal", data / "pg_wal")
    (data / "backup_label").write_text(label)


def _copied(source: str, target: str) -> str:
    """Copy a file, if the server has not removed it in the meantime."""
    with suppress(FileNotFoundError):
        shutil.copy2(source, target)
    return target


@contextmanager
def copy_of_server(original: Server) -> Iterator[Cluster]:
    """A server of one's own with everything that the test server has; stopped and removed."""
    home = Path(tempfile.mkdtemp(prefix="dhafnck-pg-"))
    home.chmod(0o755)
    cluster = Cluster(original, home)
    try:
        yield cluster
    finally:
        cluster.stop(signal.SIGQUIT)
        shutil.rmtree(home)


def environment(url: URL) -> dict[str, str]:
    """Return this process's environment with the database as the whole configuration."""
    others = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**others, **configuration(url)}


def start_import(url: URL, file: Path, *before: str | Path) -> subprocess.Popen[str]:
    """Start `dhafnck-db sqlite import` as a process of its own, in the file's folder.

    The program is the command line, or what `before` says.
    """
    options = ("sqlite", "import", file, "--owner", "owner-1", "--format", "json")
    return subprocess.Popen(
        [*(before or (PROGRAM,)), *options],
        env=environment(url), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=file.parent,
    )  # fmt: skip


class State(NamedTuple):
    """Everything in a database."""

    rows: dict[str, tuple[int, str]]
    objects: set[tuple[Any, ...]]


@contextmanager
def connected(url: URL) -> Iterator[Connection]:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        yield connection


def state(url: URL) -> State:
    with connected(url) as connection:
        return State(contents(connection), structure(connection))


def with_a_user(url: URL) -> URL:
    """Give the database a row that no import here concerns."""
    with connected(url) as connection, connection.begin():
        connection.exec_driver_sql(
            "INSERT INTO users (id, email, username, password_hash)"
            " VALUES (gen_random_uuid(), 'e@x', 'u', 'h')"
        )
    return url


def ended_well(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, error = process.communicate(timeout=120)
    assert (process.returncode, error) == (0, "")
    found: dict[str, Any] = json.loads(out)
    return found


def ended_badly(process: subprocess.Popen[str], code: int, kind: str) -> str:
    """Return what a process said that ended with one clear error."""
    out, error = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, ""), error
    assert f"error[{kind}]: " in error, error
    assert error.count("error[") == 1
    assert "Traceback" not in error
    return error


def require_import(url: URL, file: Path) -> None:
    """Import the file, and compare the database with it by the other command's way."""
    imported = ended_well(start_import(url, file))
    assert (imported["changed"], imported["verified"]) == (True, True)
    with connected(url) as connection:
        assert legacy.verify_file(connection, file).comparison.rows == imported["totals"]["rows"]


def require_no_lock(url: URL, within: float = 3) -> None:
    """A dead run stands in nobody's way: neither its lock nor a lock of a table is left."""
    deadline = time.monotonic() + within
    with connected(url) as connection, connection.begin():
        while True:
            (free,) = connection.exec_driver_sql(
                "SELECT pg_try_advisory_xact_lock(%s) AND NOT EXISTS (SELECT FROM pg_locks"
                " WHERE locktype = 'relation' AND pid <> pg_backend_pid() AND relation > 16384 AND"
                " database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
                (LOCK_KEY,),
            ).one()
            if free:
                return
            assert time.monotonic() < deadline, "a lock of a killed run is left"
            time.sleep(0.02)
