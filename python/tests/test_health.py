"""Health is measured: each fault fails its own check, and nothing waits for ever."""

import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from conftest import OWNER, PASSWORD, Ended, Server, configuration
from fix_schema import HEAD, catalog, execute
from psycopg2 import sql
from sqlalchemy import URL

from dhafnck_db import health
from dhafnck_db.health import measure

Run = Callable[..., Ended]

CHECKS = [
    "reachable",
    "tls",
    "identity",
    "server",
    "schema",
    "extensions",
    "settings",
    "read-write",
    "audit log",
    "pool",
    "connections",
    "transactions",
    "replication",
    "disk",
    "clock",
    "latency",
    "certificate",
    "backups",
    "legacy",
]


def execute_as_superuser(server: Server, url: URL, *statements: str) -> None:
    """Execute statements in the database; {} in one stands for its name."""
    name = str(url.database)
    with closing(server.connect(name)) as superuser, superuser.cursor() as cursor:
        for statement in statements:
            cursor.execute(sql.SQL(statement).format(sql.Identifier(name)))


def not_ok(ended: Ended) -> dict[str, str]:
    """The finding of each check that is not ok; the report has the promised shape."""
    report = json.loads(ended.out)
    assert set(report) == {"changed", "status", "database_type", "target", "checks"}
    assert (report["changed"], ended.err) == (False, "")
    for check in report["checks"]:
        assert set(check) == {"name", "status", "finding", "milliseconds"}
        assert check["milliseconds"] >= 0
    assert PASSWORD not in ended.out
    return {c["name"]: c["finding"] for c in report["checks"] if c["status"] != "ok"}


def test_healthy_database_passes_every_check(server: Server, shared: URL, run: Run) -> None:
    before = catalog(shared)
    ended = run("health", "--format", "json", env=configuration(shared))
    assert (ended.code, not_ok(ended)) == (0, {})
    report = json.loads(ended.out)
    assert (report["status"], report["database_type"]) == ("healthy", "postgresql")
    assert report["target"] == f"{OWNER}@127.0.0.1:{server.port}/{shared.database}"
    findings = {check["name"]: check["finding"] for check in report["checks"]}
    assert list(findings) == CHECKS
    assert f"PostgreSQL {server.major}." in findings["server"]
    assert findings["schema"] == f"revision {HEAD} (head), 19 tables"
    assert findings["audit log"] == "log_statement all"
    assert findings["pool"] == "20 + 40 of 97 connections"
    assert catalog(shared) == before


def test_text_has_a_line_for_each_check(shared: URL, run: Run) -> None:
    ended = run("health", env=configuration(shared))
    assert (ended.code, ended.err) == (0, "")
    head, *checks, last = ended.out.splitlines()
    assert head.split() == ["check", "status", "finding", "ms"]
    width = max(map(len, CHECKS)) + 2
    assert [line[:width].strip() for line in checks] == CHECKS
    assert {line[width:].split()[0] for line in checks} == {"ok"}
    assert last.endswith(f"/{shared.database} is healthy")
    assert PASSWORD not in ended.out


@pytest.mark.parametrize(
    ("statement", "failed", "finding"),
    [
        ("DROP TABLE dhafnck.identity", "identity", "has no identity"),
        ("UPDATE dhafnck.identity SET environment = 'prod'", "identity", "asked for was dev"),
        ("UPDATE alembic_version SET version_num = '0000'", "schema", f"0000; head is {HEAD}"),
        ("DROP TABLE alembic_version", "schema", f"revision none; head is {HEAD}"),
        ("DROP TABLE task_labels", "schema", "no table public.task_labels"),
        ("DROP EXTENSION pg_trgm", "extensions", "missing: pg_trgm"),
        ("ALTER DATABASE {} SET timezone = 'Europe/Berlin'", "settings", "Europe/Berlin"),
        ("ALTER DATABASE {} SET default_transaction_read_only = on", "read-write", "read-only"),
    ],
)
def test_each_fault_fails_its_own_check(
    server: Server, at_head: URL, run: Run, statement: str, failed: str, finding: str
) -> None:
    execute_as_superuser(server, at_head, statement)
    ended = run("health", "--format", "json", env=configuration(at_head))
    found = not_ok(ended)
    assert (ended.code, json.loads(ended.out)["status"]) == (6, "unhealthy")
    assert set(found) == {failed}
    assert finding in found[failed]


def test_database_without_a_schema_is_unhealthy(database: URL, run: Run) -> None:
    ended = run("health", "--format", "json", env=configuration(database))
    assert (ended.code, set(not_ok(ended))) == (6, {"identity", "schema"})
    ended = run("health", env=configuration(database))
    assert ended.code == 6
    assert ended.out.splitlines()[-1].endswith("is unhealthy")


def test_server_that_is_stopped_is_a_finding(shared: URL, run: Run) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        nowhere = shared.set(port=probe.getsockname()[1])
    ended = run("health", "--format", "json", env=configuration(nowhere))
    assert ended.code == 6
    (found,) = not_ok(ended).items()
    assert found[0] == "reachable"
    assert found[1].endswith(": Connection refused")


def test_wrong_password_is_a_finding_that_does_not_show_it(shared: URL, run: Run) -> None:
    wrong = shared.set(password="canary-7c1e")
    for options in ((), ("--format", "json")):
        ended = run("health", *options, env=configuration(wrong))
        assert (ended.code, ended.err) == (6, "")
        assert "password authentication failed" in ended.out
        assert "canary-7c1e" not in ended.out


@pytest.mark.parametrize(
    ("size", "overflow", "status"), [("57", "40", "healthy"), ("58", "40", "degraded")]
)
def test_pool_that_the_server_cannot_serve_is_a_warning(
    shared: URL, run: Run, size: str, overflow: str, status: str
) -> None:
    env = configuration(shared, DB_POOL_SIZE=size, DB_MAX_OVERFLOW=overflow)
    ended = run("health", "--format", "json", env=env)
    assert (ended.code, json.loads(ended.out)["status"]) == (0, status)
    assert set(not_ok(ended)) == ({"pool"} if status == "degraded" else set())


@pytest.mark.parametrize(
    ("pgaudit", "statements", "finding"),
    [
        ("ddl, role", "none", "pgaudit ddl, role"),
        ("ALL, -MISC", "none", "pgaudit ALL, -MISC"),
        ("ddl", "none", "pgaudit ddl, which leaves role changes out"),  # as Supabase has it
        ("ddl", "ddl", "log_statement ddl"),
        (None, "mod", "log_statement mod"),
    ],
)
def test_log_of_the_server_tells_by_which_of_the_two(
    pgaudit: str | None, statements: str, finding: str
) -> None:
    settings = {"log_statement": statements} | ({"pgaudit.log": pgaudit} if pgaudit else {})
    assert health.judged_audit_log(settings, "prod")[:2] == ("ok", finding)


@pytest.mark.parametrize(("environment", "status"), [("prod", "warning"), ("dev", "ok")])
@pytest.mark.parametrize("pgaudit", [{}, {"pgaudit.log": "none"}, {"pgaudit.log": "read"}])
def test_log_that_tells_of_neither_is_a_warning_in_production_alone(
    environment: str, status: str, pgaudit: dict[str, str]
) -> None:
    found = health.judged_audit_log({"log_statement": "none", **pgaudit}, environment)
    assert found[:2] == (status, "the server's log tells of neither DDL nor role changes")


def test_setting_of_a_library_that_is_not_loaded_counts_for_nothing(
    server: Server, at_head: URL, run: Run
) -> None:
    settings = ("log_statement = 'none'", "pgaudit.log = 'ddl'")
    alter = [f"ALTER DATABASE {{}} SET {setting}" for setting in settings]
    execute_as_superuser(server, at_head, *alter)
    ended = run("health", "--format", "json", env=configuration(at_head))
    findings = {c["name"]: c["finding"] for c in json.loads(ended.out)["checks"]}
    assert findings["audit log"].startswith("the server's log tells of neither")


def test_copy_on_another_server_is_a_warning(at_head: URL, run: Run) -> None:
    execute(at_head, "UPDATE dhafnck.identity SET reference = '42'")
    ended = run("health", "--format", "json", env=configuration(at_head))
    assert (ended.code, set(not_ok(ended))) == (0, {"identity"})


def test_locked_tables_do_not_hold_the_check_up(
    server: Server, shared: URL, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "STATEMENT_LIMIT", "400ms")
    with closing(server.connect(str(shared.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE alembic_version, dhafnck.identity, legacy.imports")
        started = time.monotonic()
        ended = run("health", "--format", "json", env=configuration(shared))
        assert time.monotonic() - started < 3
    found = not_ok(ended)
    assert (ended.code, set(found)) == (6, {"identity", "schema", "legacy"})
    assert set(found.values()) == {"canceling statement due to statement timeout"}


def test_server_that_accepts_and_says_nothing_does_not_hold_the_check_up(
    shared: URL, run: Run
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        nowhere = shared.set(port=silent.getsockname()[1])
        started = time.monotonic()
        env = configuration(nowhere, DB_CONNECT_TIMEOUT="1")  # libpq makes it 2
        ended = run("health", "--format", "json", env=env)
        assert time.monotonic() - started < 4
    assert (ended.code, set(not_ok(ended))) == (6, {"reachable"})


def test_frozen_server_does_not_hold_the_check_up(
    server: Server, shared: URL, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measure, "DEADLINE", 1.0)
    over = threading.Event()

    def freeze() -> None:
        query = """
            SELECT pid FROM pg_stat_activity
            WHERE datname = %s AND application_name = 'dhafnck-app' AND wait_event_type = 'Lock'
        """
        with closing(server.connect()) as superuser, superuser.cursor() as cursor:
            while not cursor.rowcount > 0 and not over.is_set():
                cursor.execute(query, (shared.database,))
            (pid,) = cursor.fetchone() or (None,)
        if pid:
            os.kill(pid, signal.SIGSTOP)
            over.wait(5)
            os.kill(pid, signal.SIGCONT)

    thread = threading.Thread(target=freeze)
    with closing(server.connect(str(shared.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE alembic_version")
        thread.start()
        started = time.monotonic()
        ended = run("health", "--format", "json", env=configuration(shared))
        took = time.monotonic() - started
        over.set()
        thread.join()
    assert took < 2
    assert (ended.code, not_ok(ended)) == (6, {"schema": "no answer; all checks have 1 s"})
