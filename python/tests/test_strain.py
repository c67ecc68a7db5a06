"""What a database bears is told: each strain is put on it for real and warns by its own check."""

import json
import re
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import OWNER, PASSWORD, Ended, Server, configuration, end, free_port, start
from fix_service import Own, Serve
from psycopg2 import OperationalError, sql
from sqlalchemy import URL, create_engine, text
from test_tls import at, production
from tls_servers import HOST, make_leaf, make_root, reload, speak_tls

from dhafnck_db.health import strain

Run = Callable[..., Ended]
DEEP = "/health/database"


def check(ended: Ended, name: str) -> tuple[str, str]:
    (found,) = [one for one in json.loads(ended.out)["checks"] if one["name"] == name]
    return found["status"], found["finding"]


def warnings(ended: Ended) -> set[str]:
    return {c["name"] for c in json.loads(ended.out)["checks"] if c["status"] == "warning"}


def test_long_transaction_warns(shared: URL, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(strain, "LONG_TRANSACTION", 0.5)
    engine = create_engine(shared)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        early = run("health", "--format", "json", env=configuration(shared))
        time.sleep(0.6)
        late = run("health", "--format", "json", env=configuration(shared))
    engine.dispose()
    assert "idle in transaction" in check(early, "transactions")[1]
    assert (late.code, warnings(late)) == (0, {"transactions"})


@pytest.mark.parametrize(("limit", "status"), [("1", "warning"), ("1000", "ok")])
def test_disk_that_is_nearly_full_warns(shared: URL, run: Run, limit: str, status: str) -> None:
    env = configuration(shared, DB_DISK_LIMIT=limit)
    ended = run("health", "--format", "json", env=env)
    found = check(ended, "disk")
    assert (ended.code, found[0]) == (0, status)
    assert re.fullmatch(rf"\d+ of {limit} MB", found[1])


@pytest.mark.parametrize(("ahead", "words"), [(60.0, "behind"), (-60.0, "ahead of")])
def test_clock_that_is_wrong_here_warns(
    shared: URL, run: Run, monkeypatch: pytest.MonkeyPatch, ahead: float, words: str
) -> None:
    wrong = SimpleNamespace(
        time=lambda: time.time() + ahead, perf_counter=time.perf_counter, gmtime=time.gmtime
    )
    monkeypatch.setattr(strain, "time", wrong)
    ended = run("health", "--format", "json", env=configuration(shared))
    assert (ended.code, warnings(ended)) == (0, {"clock"})
    assert re.fullmatch(rf"(59\.9|60\.0|60\.1) s {words} this machine's", check(ended, "clock")[1])


@pytest.mark.parametrize(("days", "status"), [(13, "warning"), (20, "ok")])
def test_certificate_that_ends_soon_warns(
    server: Server, shared: URL, run: Run, tmp_path: Path, days: int, status: str
) -> None:
    ends = datetime.now(UTC) + timedelta(days=days)
    root = make_root(tmp_path, "root", days=40)
    dates = ("20200101000000Z", f"{ends:%Y%m%d%H%M%SZ}")
    speak_tls(server, make_leaf(tmp_path, "leaf", root, HOST, dates))
    try:
        env = production(at(shared), DB_SSLROOTCERT=str(root.certificate))
        ended = run("health", "--format", "json", env=env)
    finally:
        reload(server, "ALTER SYSTEM RESET ssl")
    assert check(ended, "certificate") == (status, f"the server's ends on {ends:%Y-%m-%d}")


def test_last_connection_is_the_probes(own: Own, serve: Serve) -> None:
    with closing(own.server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET max_connections = 13")
        cursor.execute("ALTER SYSTEM SET max_wal_senders = 0")
    own.stop()
    own.start()
    service = serve(own.url, DB_POOL_SIZE="2", DB_MAX_OVERFLOW="2")
    assert service.get(DEEP).not_ok() == {}
    taken = []
    engine = create_engine(own.url, pool_size=20)
    with suppress(Exception):
        while True:
            taken.append(engine.connect())
    reply = service.get(DEEP)
    assert (reply.code, reply.not_ok()) == (200, {"connections": "10 of 10 in use"})
    assert service.get("/health/ready").body["status"] == "healthy"
    for connection in taken:
        connection.close()
    engine.dispose()
    time.sleep(0.2)
    assert service.get(DEEP).not_ok() == {}


@contextmanager
def replica(own: Own, tmp_path: Path) -> Iterator[Server]:
    """A replica of a server: a copy of its files that follows it."""
    own.stop()
    data, port = own.server.data.with_name("replica"), free_port()
    shutil.copytree(own.server.data, data, copy_function=shutil.copy2)
    owner = own.server.data.stat()
    for path in (data, *data.rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    data.chmod(0o700)
    own.start()
    (data / "standby.signal").touch()
    passwords = data / "passwords"
    escaped = PASSWORD.replace("\\", r"\\").replace(":", r"\:")
    passwords.write_text(f"*:*:*:*:{escaped}\n")
    passwords.chmod(0o600)
    shutil.chown(passwords, owner.st_uid, owner.st_gid)
    with (data / "postgresql.conf").open("a") as settings:
        settings.write(
            f"port = {port}\nprimary_conninfo = 'host=127.0.0.1 port={own.server.port} "
            f"user=postgres passfile={passwords}'\n"
        )
    with (data.parent / "replica.log").open("wb") as log:
        process = start(own.server.bin, data, log)
        following = Server(own.server.bin, port, data)
        try:
            until = time.monotonic() + 15
            while True:
                try:
                    following.connect().close()
                    break
                except OperationalError:
                    assert time.monotonic() < until, (data.parent / "replica.log").read_text()
                    time.sleep(0.05)
            yield following
        finally:
            end(process)


def test_replica_tells_how_far_it_is_behind(
    own: Own, serve: Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strain, "FAR_BEHIND", 0.5)
    with replica(own, tmp_path) as following:
        service = serve(own.url.set(port=following.port))
        following_on = {"read-write": "the server is a standby: it only reads"}
        until = time.monotonic() + 15
        while service.get(DEEP).not_ok() != following_on:
            assert time.monotonic() < until
            time.sleep(0.1)
        with closing(following.connect()) as superuser, superuser.cursor() as cursor:
            cursor.execute("SELECT pg_wal_replay_pause()")
            with closing(own.server.connect(str(own.url.database))) as first, first.cursor() as c:
                c.execute("CREATE TABLE later ()")
            time.sleep(1)
            assert re.match(
                r"this is a replica, \d+\.\d s behind", service.get(DEEP).not_ok()["replication"]
            )
            cursor.execute("SELECT pg_wal_replay_resume()")
        until = time.monotonic() + 10
        while "replication" in service.get(DEEP).not_ok():
            assert time.monotonic() < until
            time.sleep(0.1)


def test_server_tells_of_its_replicas_what_its_role_may_see(
    own: Own, serve: Serve, tmp_path: Path
) -> None:
    def said() -> str:
        checks = service.get(DEEP).body["checks"]
        return str(next(c["finding"] for c in checks if c["name"] == "replication"))

    with replica(own, tmp_path):
        service = serve(own.url)
        until = time.monotonic() + 10
        while said() == "no replica":
            assert time.monotonic() < until
            time.sleep(0.1)
        assert said() == "1 replica(s); of their lag only pg_monitor is told"
        with closing(own.server.connect()) as superuser, superuser.cursor() as cursor:
            cursor.execute(sql.SQL("GRANT pg_monitor TO {}").format(sql.Identifier(OWNER)))
        assert re.fullmatch(r"1 replica\(s\), at most \d+\.\d s behind", said())


class SlowWay:
    """A way to a server on which everything takes `delay` seconds, each way."""

    def __init__(self, port: int) -> None:
        self.delay = 0.0
        self._to = port
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listening.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self._carry, args=(one, other), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while heard := one.recv(65536):
                time.sleep(self.delay)
                other.sendall(heard)
        with suppress(OSError):  # the other end was faster
            other.shutdown(socket.SHUT_RDWR)
        one.close()

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()


def test_slow_server_is_degraded_and_then_unhealthy_in_time(
    shared: URL, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(strain, "SLOW", 30.0)
    with closing(SlowWay(int(str(shared.port)))) as way:
        service = serve(shared.set(port=way.port), DB_HEALTH_TIMEOUT="4")
        assert service.get(DEEP).not_ok() == {}
        way.delay = 0.02
        reply = service.get(DEEP)
        assert (reply.code, set(reply.not_ok())) == (200, {"latency"})
        way.delay = 1.5
        reply = service.get(DEEP)
        assert (reply.code, reply.body["status"]) == (503, "unhealthy")
        assert reply.seconds < 5
        assert service.get("/health/live").seconds < 1
        way.delay = 0.0
        service.until(DEEP, 200)
