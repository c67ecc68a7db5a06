"""A migration on a database that is in use: its readers wait no longer than the limit."""

import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from conftest import Ended, Server, configuration
from fix_schema import HEAD, NEXT, add_revision, catalog, version
from sqlalchemy import URL

from dhafnck_db import lock_watch, migration
from dhafnck_db.errors import TargetError

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]

LIMIT = 0.4  # seconds
SLACK = 1.0  # seconds that a loaded machine may add
FEW = {"DB_LOCK_TIMEOUT": f"{LIMIT * 1000:.0f}ms", "DB_LOCK_RETRIES": "2"}


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "FIRST_WAIT", 0.1)


def settings(url: URL, checkout: Path, **more: str) -> dict[str, str]:
    return configuration(url, DB_ALEMBIC_INI=str(checkout / "alembic.ini"), **{**FEW, **more})


@contextmanager
def holding(server: Server, url: URL, table: str) -> Iterator[psycopg2.extensions.connection]:
    """A session that has read a table and does not end its transaction."""
    with closing(server.connect(str(url.database))) as reader, reader.cursor() as cursor:
        cursor.execute("SET application_name = 'long report'")
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT FROM {table}")
        yield reader


@contextmanager
def readers(server: Server, url: URL, table: str) -> Iterator[list[float]]:
    """Sessions that read a table all the time; yields how long each reading took."""
    took: list[float] = []
    done = threading.Event()

    def read() -> None:
        with closing(server.connect(str(url.database))) as own, own.cursor() as cursor:
            while not done.is_set():
                began = time.monotonic()
                cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
                took.append(time.monotonic() - began)
                done.wait(0.01)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield took
    finally:
        done.set()
        for thread in threads:
            thread.join()


def test_blocked_alter_never_holds_up_readers_for_longer_than_the_limit(
    server: Server, at_head: URL, checkout: Path, run: Run
) -> None:
    add_revision(checkout, "ALTER TABLE projects ADD COLUMN more int")
    before = catalog(at_head)
    with (
        holding(server, at_head, "projects") as reader,
        readers(server, at_head, "projects") as took,
    ):
        ended = run("schema", "upgrade", env=settings(at_head, checkout))
        pid = reader.get_backend_pid()
    assert LIMIT / 2 < max(took) < LIMIT + SLACK  # they did queue behind it, and no longer
    assert statistics.median(took) < 0.1
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.splitlines()[-3].startswith("error[migration-blocked]: ")
    assert "through 3 attempts; nothing was changed" in ended.err
    assert f"a lock on projects is held by pid {pid} (long report)" in ended.err
    assert f"pg_terminate_backend({pid})" in ended.err
    assert (catalog(at_head), version(at_head)) == (before, HEAD)


def test_second_wait_gets_what_the_first_left(
    server: Server, at_head: URL, checkout: Path, run: Run
) -> None:
    add_revision(
        checkout,
        "ALTER TABLE tasks ADD COLUMN more int; ALTER TABLE projects ADD COLUMN more int; "
        "ALTER TABLE agents ADD COLUMN more int",
    )
    env = settings(at_head, checkout, DB_LOCK_TIMEOUT="2s", DB_LOCK_RETRIES="0")
    waiting = threading.Event()

    def let_go(reader: psycopg2.extensions.connection) -> None:
        query = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'projects'::regclass"
        with closing(server.connect(str(at_head.database))) as own, own.cursor() as cursor:
            while not cursor.rowcount > 0:
                cursor.execute(query)
        waiting.wait(1.7)
        reader.close()

    with (
        holding(server, at_head, "projects") as first,
        holding(server, at_head, "agents"),
        readers(server, at_head, "tasks") as took,
    ):
        thread = threading.Thread(target=let_go, args=(first,))
        thread.start()
        ended = run("schema", "upgrade", env=env)
        thread.join()
    assert (ended.code, "error[migration-blocked]" in ended.err) == (5, True)
    assert "canceling statement due to user request" in ended.err
    assert 1.7 < max(took) < 2 + SLACK


def test_migration_needs_no_second_connection(
    server: Server, at_head: URL, checkout: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def none(_: object) -> Iterator[None]:
        raise TargetError("too-many-connections", "all are taken")
        yield

    monkeypatch.setattr(lock_watch, "connect_admin", none)
    add_revision(checkout, "ALTER TABLE projects ADD COLUMN more int")
    with holding(server, at_head, "projects"):
        ended = run("schema", "upgrade", env=settings(at_head, checkout, DB_LOCK_RETRIES="0"))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-blocked]")
    assert "  cause: canceling statement due to lock timeout\n" in ended.err


def test_deadlock_makes_the_migration_start_again(
    server: Server, at_head: URL, checkout: Path, run: Run
) -> None:
    add_revision(
        checkout,
        "ALTER TABLE projects ADD COLUMN more int; SELECT pg_sleep(0.3); "
        "ALTER TABLE agents ADD COLUMN more int",
    )

    def read_both() -> None:
        with closing(server.connect(str(at_head.database))) as own, own.cursor() as cursor:
            cursor.execute("SET deadlock_timeout = '60s'")  # so that the other one is the victim
            cursor.execute("BEGIN")
            cursor.execute("SELECT FROM agents")
            begun.set()
            query = "SELECT FROM pg_locks WHERE relation = 'projects'::regclass AND granted " \
                "AND mode = 'AccessExclusiveLock'"  # fmt: skip
            cursor.execute(query)
            while not cursor.rowcount:
                cursor.execute(query)
            cursor.execute("SELECT FROM projects")
            cursor.execute("COMMIT")

    begun = threading.Event()
    thread = threading.Thread(target=read_both)
    thread.start()
    begun.wait()
    ended = run("schema", "upgrade", env=settings(at_head, checkout, DB_LOCK_TIMEOUT="10s"))
    thread.join()
    assert (ended.code, version(at_head)) == (0, NEXT), ended.err
