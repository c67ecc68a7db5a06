"""The service tells the truth in its time, whatever is done to the server, and no secrets."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from conftest import PASSWORD, Server, configuration
from fix_schema import execute
from fix_service import Own, Serve
from sqlalchemy import URL

DEEP = "/health/database"
READY = "/health/ready"
LIVE = "/health/live"
DEADLINE = 6.0  # seconds; DB_HEALTH_TIMEOUT and what HTTP and a busy machine add


def test_healthy_database_has_the_promised_body(shared: URL, serve: Serve) -> None:
    service = serve(shared)
    deep = service.get(DEEP)
    assert (deep.code, deep.not_ok()) == (200, {})
    assert set(deep.body) == {"status", "database_type", "checks"}
    assert (deep.body["status"], deep.body["database_type"]) == ("healthy", "postgresql")
    for check in deep.body["checks"]:
        assert set(check) == {"name", "status", "finding", "milliseconds"}
    ready = service.get(READY)
    names = [check["name"] for check in ready.body["checks"]]
    assert (ready.code, names) == (200, ["reachable", "identity", "schema", "read-write"])
    assert (service.get(LIVE).body, service.get("/").code) == ({"status": "healthy"}, 200)


@pytest.mark.parametrize(
    ("statement", "failed"),
    [
        ("UPDATE dhafnck.identity SET environment = 'prod'", "identity"),
        ("DROP TABLE dhafnck.identity", "identity"),
        ("UPDATE alembic_version SET version_num = '0001'", "schema"),
        ('ALTER DATABASE "{}" SET default_transaction_read_only = on', "read-write"),
    ],
)
def test_database_that_cannot_be_worked_with_is_not_ready(
    at_head: URL, serve: Serve, statement: str, failed: str
) -> None:
    execute(at_head, statement.format(at_head.database))
    service = serve(at_head)
    for path in (DEEP, READY):
        reply = service.get(path)
        assert (reply.code, reply.body["status"], set(reply.not_ok())) == (
            503,
            "unhealthy",
            {failed},
        )
    assert service.get(LIVE).code == 200


def test_warning_is_degraded_and_answers_200(at_head: URL, serve: Serve) -> None:
    execute(at_head, "UPDATE dhafnck.identity SET reference = '42'")
    reply = serve(at_head).get(DEEP)
    assert (reply.code, reply.body["status"], set(reply.not_ok())) == (
        200,
        "degraded",
        {"identity"},
    )


def test_stopped_server_is_told_and_a_restart_too(own: Own, serve: Serve) -> None:
    service = serve(own.url)
    assert service.get(DEEP).code == 200
    own.stop()
    reply = service.get(DEEP)
    assert (reply.code, reply.not_ok()) == (
        503,
        {"reachable": "no connection (target-unreachable)"},
    )
    assert reply.seconds < DEADLINE
    for path in (DEEP, READY):
        assert str(own.url.host) not in service.get(path).text
    assert service.get(LIVE).code == 200
    own.start()
    assert service.get(DEEP).code == 200


def test_restart_between_two_probes_is_no_fault(own: Own, serve: Serve) -> None:
    service = serve(own.url)
    for _ in range(3):
        assert service.get(READY).code == 200
        own.stop()
        own.start()
        assert service.get(READY).code == 200


def test_frozen_server_is_told_within_the_deadline(own: Own, serve: Serve) -> None:
    service = serve(own.url, DB_HEALTH_TIMEOUT="2")
    assert service.get(DEEP).code == 200
    with own.frozen():
        for path in (DEEP, READY, DEEP):
            reply = service.get(path)
            assert (reply.code, reply.body["status"]) == (503, "unhealthy")
            assert reply.seconds < 3
            assert service.get(LIVE).seconds < 1
    service.until(DEEP, 200)


def test_frozen_session_is_left_for_another(server: Server, at_head: URL, serve: Serve) -> None:
    service = serve(at_head, DB_HEALTH_TIMEOUT="2")
    assert service.get(DEEP).code == 200
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = %s"
        cursor.execute(query, (at_head.database,))
        ((pid,),) = cursor.fetchall()
    os.kill(pid, signal.SIGSTOP)
    try:
        assert service.get(DEEP).code == 503
        assert service.until(DEEP, 200, patience=5).not_ok() == {}
    finally:
        os.kill(pid, signal.SIGCONT)


def test_wrong_password_is_told_without_words_of_the_server(shared: URL, serve: Serve) -> None:
    reply = serve(shared.set(password="canary-7c1e")).get(DEEP)
    assert (reply.code, reply.not_ok()) == (
        503,
        {"reachable": "no connection (authentication-failed)"},
    )
    for secret in ("canary-7c1e", str(shared.host), str(shared.database), str(shared.username)):
        assert secret not in reply.text


def test_locked_table_is_told_without_words_of_the_server(
    server: Server, shared: URL, serve: Serve
) -> None:
    service = serve(shared)
    with closing(server.connect(str(shared.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE dhafnck.identity")
        reply = service.get(DEEP)
    assert reply.not_ok() == {"identity": "no answer (SQLSTATE 57014)"}
    assert reply.seconds < DEADLINE
    assert service.get(DEEP).not_ok() == {}


def test_command_serves_until_it_is_stopped(shared: URL, tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    program: list[str | Path] = [
        Path(sys.executable).with_name("dhafnck-db"),
        "serve",
        "--port",
        str(port),
    ]
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("DB_", "DATABASE_", "PG"))}
    process = subprocess.Popen(
        program,
        cwd=tmp_path,
        env={**clean, **configuration(shared)},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        assert process.stderr.readline() == f"serving on http://127.0.0.1:{port}\n"
        second = subprocess.run(
            program, cwd=tmp_path, env=process_env(clean, shared), capture_output=True, text=True
        )
        assert second.returncode == 3
        assert f"error[address-taken]: cannot listen on 127.0.0.1:{port}" in second.stderr
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert PASSWORD not in said


def process_env(clean: dict[str, str], url: URL) -> dict[str, str]:
    return {**clean, **configuration(url)}


def test_health_of_the_command_line_loads_no_web_server(shared: URL, tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", "import sys, dhafnck_db.health; print(*sys.modules)"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert not {"fastapi", "uvicorn", "prometheus_client"} & set(ended.stdout.split())


def test_application_mounts_the_router(shared: URL, tmp_path: Path) -> None:
    script = (
        "from fastapi import FastAPI\n"
        "from dhafnck_db.health import router\n"
        "app = FastAPI()\n"
        "app.include_router(router, prefix='/api')\n"
        "import asyncio\n"
        "async def ask():\n"
        "    sent = []\n"
        "    scope = {'type': 'http', 'method': 'GET', 'path': '/api/health/database',\n"
        "             'headers': [], 'query_string': b'', 'http_version': '1.1'}\n"
        "    async def receive(): return {'type': 'http.request', 'body': b''}\n"
        "    async def send(message): sent.append(message)\n"
        "    await app(scope, receive, send)\n"
        "    return sent[0]['status']\n"
        "print(asyncio.run(ask()))\n"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("DB_", "DATABASE_", "PG"))}
    for env, code in ((configuration(shared), "200"), ({}, "503")):
        started = time.monotonic()
        ended = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env={**clean, **env},
            capture_output=True,
            text=True,
        )
        assert (ended.stdout.strip(), ended.stderr) == (code, "")
        assert time.monotonic() - started < 10
