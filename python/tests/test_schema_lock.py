"""Runs that meet: one writes at a time, waits are bounded, a dead run stands in nobody's way."""

import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from conftest import Ended, Server, configuration
from fix_schema import HEAD, WRITING, add_revision, catalog, execute, version
from sqlalchemy import URL

from dhafnck_db.session import LOCK_KEY

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]

PROGRAM = Path(sys.executable).with_name("dhafnck-db")


def start(*arguments: str) -> subprocess.Popen[str]:
    """Start the command line as a process, with the environment as it is configured."""
    return subprocess.Popen(
        [PROGRAM, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@contextmanager
def locked(server: Server, url: URL) -> Iterator[psycopg2.extensions.connection]:
    """Another run that writes to the database."""
    with closing(server.connect(str(url.database))) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        yield other


def wait_for(server: Server, url: URL, words: str) -> None:
    """Wait until a run executes, or has just executed, a statement with those words."""
    query = """
        SELECT FROM pg_stat_activity WHERE application_name = 'dhafnck-db'
        AND datname = %s AND position(%s IN query) > 0
    """
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        for _ in range(400):
            cursor.execute(query, (url.database, words))
            if cursor.rowcount:
                return
            time.sleep(0.02)
    raise AssertionError(f"no run executes {words}")


def test_of_ten_upgrades_at_once_one_applies(configure: Configure, database: URL) -> None:
    configure(configuration(database))
    running = [start("schema", "upgrade", "--format", "json") for _ in range(10)]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in running]
    assert [(error, code) for _, error, code in ended] == [("", 0)] * 10
    moves = [json.loads(out) for out, _, _ in ended]
    assert sorted(move["changed"] for move in moves) == [False] * 9 + [True]
    assert {move["after"] for move in moves} == {HEAD}
    assert version(database) == HEAD


def test_run_waits_for_another_and_then_goes_on(server: Server, database: URL, done: Json) -> None:
    with locked(server, database) as other:
        threading.Timer(0.5, other.close).start()
        started = time.monotonic()
        assert done("schema", "upgrade", env=configuration(database))["changed"] is True
        assert time.monotonic() - started > 0.5


@pytest.mark.parametrize("wait", [0, 1])
def test_run_gives_up_when_the_wait_is_over(
    server: Server, database: URL, run: Run, wait: int
) -> None:
    before = catalog(database)
    execute(database, f'ALTER DATABASE "{database.database}" SET statement_timeout = 300')
    with locked(server, database):
        started = time.monotonic()
        ended = run("schema", "upgrade", env=configuration(database, DB_LOCK_WAIT=str(wait)))
        assert wait <= time.monotonic() - started < wait + 2
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[locked]")
    assert catalog(database) == before


def test_ctrl_c_ends_the_wait(configure: Configure, server: Server, database: URL) -> None:
    before = catalog(database)
    configure(configuration(database))
    with locked(server, database):
        process = start("schema", "upgrade")
        wait_for(server, database, "COMMIT")  # between two questions
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=5)
    assert (process.returncode, out) == (130, "")
    assert error.strip() == "interrupted; nothing was left half done: run the command again"
    assert catalog(database) == before


def test_lock_of_a_killed_run_is_free_at_once(
    configure: Configure, server: Server, at_head: URL, checkout: Path, done: Json
) -> None:
    second = add_revision(checkout, "SELECT pg_sleep(60)")
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    configure(env)
    process = start("schema", "upgrade")
    wait_for(server, at_head, "pg_sleep(60)")
    process.kill()
    process.communicate()
    second.unlink()
    assert done("schema", "upgrade", env={**env, "DB_LOCK_WAIT": "3"})["changed"] is False


def test_alter_behind_a_lock_gives_up_and_leaves_the_catalog_as_it_was(
    server: Server, at_head: URL, checkout: Path, run: Run
) -> None:
    add_revision(checkout, "CREATE TABLE half (); ALTER TABLE projects ADD COLUMN more int")
    before = catalog(at_head)
    ini = str(checkout / "alembic.ini")
    with closing(server.connect(str(at_head.database))) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM projects")
        started = time.monotonic()
        limits = {"DB_LOCK_TIMEOUT": "300ms", "DB_STATEMENT_TIMEOUT": "5s", "DB_LOCK_RETRIES": "0"}
        env = configuration(at_head, DB_ALEMBIC_INI=ini, **limits)
        ended = run("schema", "upgrade", env=env)
        assert time.monotonic() - started < 3
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-blocked]")
    assert "cause: canceling statement due to lock timeout" in ended.err
    assert (catalog(at_head), version(at_head)) == (before, HEAD)
    assert execute(at_head, "SELECT * FROM projects LIMIT 0") == []


def test_every_command_that_writes_takes_the_lock(
    server: Server, shared: URL, tmp_path: Path, run: Run
) -> None:
    env = configuration(shared, DB_LOCK_WAIT="0")
    with locked(server, shared):
        for command in WRITING:
            ended = run(*command, env=env)
            assert (ended.code, ended.err.split(":")[0]) == (5, "error[locked]")
        for reading in ("current", "check"):
            assert run("schema", reading, env=env).code == 0
