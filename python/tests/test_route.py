"""Which way into a Supabase project is taken, why, and what is never tried a second time."""

import os
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace

import pytest
from conftest import PASSWORD, Ended, Server, configuration, free_port
from fix_schema import target_of
from sqlalchemy import URL, NullPool
from tls_servers import blackhole, turning_tls_down

import dhafnck_db
from dhafnck_db import clients
from dhafnck_db.endpoints import Endpoint
from dhafnck_db.errors import TargetError
from dhafnck_db.route import Route
from dhafnck_db.target import Target, connect_admin, current_target

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]

REF = "abcdefghijklmnopqrst"
POOLER = "aws-7-eu-west-1.pooler.supabase.com"
PROD = {
    "DATABASE_TYPE": "supabase",
    "SUPABASE_URL": f"https://{REF}.supabase.co",
    "SUPABASE_DB_PASSWORD": "p@ss:w/rd",
}


def failed_logins(server: Server) -> int:
    """How many logins the server's log says were refused."""
    log, mark = server.data / "log" / "server.log", f"mark {os.urandom(8).hex()}"
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute(f"SELECT '{mark}'")
    # The log's writer is a process of its own: what was logged before the mark is there with it.
    while mark not in (text := log.read_text()):
        time.sleep(0.01)
    return text.count("FATAL:  password authentication failed")


def with_ways(url: URL, *ways: Endpoint) -> Target:
    target = target_of(url)
    settings = target.settings.model_copy(update={"db_connect_timeout": 2})
    return replace(target, route=Route(ways), settings=settings)


def direct(url: URL) -> Endpoint:
    return Endpoint(url, "direct host")


def pooler(url: URL) -> Endpoint:
    return Endpoint(url, "session pooler")


def test_project_has_a_direct_host_and_two_poolers(configure: Configure) -> None:
    configure({**PROD, "SUPABASE_POOLER_HOST": POOLER})
    target = current_target()
    assert [(str(way), way.way) for way in target.route.endpoints] == [
        (f"postgres@db.{REF}.supabase.co:5432/postgres", "direct host"),
        (f"postgres.{REF}@{POOLER}:5432/postgres", "session pooler"),
    ]
    assert str(target.app) == f"postgres.{REF}@{POOLER}:6543/postgres"
    assert target.app.on_transaction_pooler
    assert target.route.taken is None
    for way in (target.app, *target.route.endpoints):
        assert (way.sslmode, way.url.password) == ("verify-full", PROD["SUPABASE_DB_PASSWORD"])
    assert PROD["SUPABASE_DB_PASSWORD"] not in repr(target)
    engine = dhafnck_db.create_engine()
    assert isinstance(engine.pool, NullPool)


def test_pooler_is_not_guessed_from_the_region(configure: Configure) -> None:
    configure({**PROD, "SUPABASE_REGION": "eu-west-1"})
    target = current_target()
    assert target.route.endpoints == (target.app,)
    assert target.app.way == "direct host"


@pytest.mark.parametrize("url", ["https://api.example.com", "https://db.abc.supabase.co.evil.io"])
def test_domain_of_ones_own_does_not_name_a_project(run: Run, url: str) -> None:
    ended = run("schema", "current", env={**PROD, "SUPABASE_URL": url})
    assert (ended.code, ended.err.split(":")[0]) == (3, "error[invalid-url]")
    assert "SUPABASE_URL" in ended.err


def test_database_url_wins_over_the_parts(configure: Configure) -> None:
    url = f"postgresql://postgres.{REF}:p@{POOLER}:5432/postgres"
    configure({**PROD, "SUPABASE_POOLER_HOST": POOLER, "DATABASE_URL": url})
    target = current_target()
    assert target.route.endpoints == (target.app,)
    assert str(target.app) == f"postgres.{REF}@{POOLER}:5432/postgres"


@pytest.mark.parametrize(
    ("fault", "cause"),
    [
        ("no IPv6", "Network is unreachable"),
        ("no such host", "could not translate host name"),
        ("refused", "Connection refused"),
        ("blackhole", "timeout expired"),
    ],
)
def test_pooler_is_taken_where_the_direct_host_is_not_reached(
    shared: URL, fault: str, cause: str
) -> None:
    with ExitStack() as stack:
        urls = {
            "no IPv6": lambda: shared.update_query_dict({"hostaddr": "ff0e::1"}),
            "no such host": lambda: shared.set(host="missing.invalid"),
            "refused": lambda: shared.set(port=free_port()),
            "blackhole": lambda: shared.set(port=stack.enter_context(blackhole())),
        }
        first, second = direct(urls[fault]()), pooler(shared)
        target = with_ways(shared, first, second)
        assert target.admin == first
        started = time.monotonic()
        with connect_admin(target):
            assert time.monotonic() - started < 3.5
    outcome = target.route.taken
    assert outcome is not None
    assert (target.admin, target.backup, outcome.endpoint) == (second, second, second)
    said = f"{second} (session pooler); the direct host {first.url.host}: "
    assert str(outcome).startswith(said)
    assert cause in str(outcome)
    assert PASSWORD not in f"{outcome}{outcome.to_dict()}{target.route!r}"
    assert clients.environment(target.backup)["PGPORT"] == str(shared.port)


def test_direct_host_is_taken_where_it_is_reached(shared: URL) -> None:
    target = with_ways(shared, direct(shared), pooler(shared.set(port=free_port())))
    with connect_admin(target):
        pass
    assert str(target.route.taken) == f"{direct(shared)} (direct host)"


def test_way_that_was_taken_is_taken_again(shared: URL) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        first = direct(shared.set(port=silent.getsockname()[1]))
        target = with_ways(shared, first, pooler(shared))
        with connect_admin(target):
            pass
        silent.accept()[0].close()
        silent.setblocking(False)
        with connect_admin(target):
            assert target.route.taken is not None
            assert len(target.route.taken.passed) == 1
        with pytest.raises(BlockingIOError):
            silent.accept()


def test_no_way_left_names_them_all(shared: URL) -> None:
    ways = direct(shared.set(port=free_port())), pooler(shared.set(host="missing.invalid"))
    with (
        pytest.raises(TargetError, match="target-unreachable") as raised,
        connect_admin(with_ways(shared, *ways)),
    ):
        pass
    cause = str(raised.value.cause)
    assert cause.startswith('could not translate host name "missing.invalid"')
    assert cause.endswith("before, the direct host 127.0.0.1: Connection refused")


def test_wrong_password_ends_the_search(server: Server, shared: URL) -> None:
    wrong = shared.set(password="wrong")
    target = with_ways(shared, direct(wrong), pooler(wrong))
    before = failed_logins(server)
    with pytest.raises(TargetError, match="authentication-failed"), connect_admin(target):
        pass
    assert failed_logins(server) == before + 1


@pytest.mark.parametrize(
    "command",
    [("schema", "current"), ("schema", "upgrade"), ("backup", "create", "x"), ("health",)],
)
def test_wrong_password_is_sent_once(
    server: Server, shared: URL, run: Run, command: tuple[str, ...]
) -> None:
    before = failed_logins(server)
    assert run(*command, env=configuration(shared.set(password="wrong"))).code in (5, 6)
    assert failed_logins(server) == before + 1


def test_server_without_tls_is_not_gone_around(shared: URL) -> None:
    with turning_tls_down() as port:
        stripped = shared.set(port=port).update_query_dict({"sslmode": "verify-full"})
        target = with_ways(shared, direct(stripped), pooler(shared))
        with pytest.raises(TargetError, match="tls-missing"), connect_admin(target):
            pass
