"""Each fault of a connection, a schema or a pool gives its own finding, a healthy system none."""

import dataclasses
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from conftest import PASSWORD, Ended, Server, configuration, free_port
from fix_prod import REF, Pooled, production
from fix_schema import catalog, target_of
from sqlalchemy import URL, make_url
from tls_servers import HOST, blackhole, refusing, reload

from dhafnck_db import doctor
from dhafnck_db.doctor import checks
from dhafnck_db.doctor.context import Context
from dhafnck_db.endpoints import Endpoint

Run = Callable[..., Ended]

TIMEOUT = 2  # seconds; libpq's shortest
CANARY = "canary-5e1d"


def findings(ended: Ended) -> dict[str, str]:
    """What was found, by the check's name; the report has the promised shape."""
    report = json.loads(ended.out)
    assert set(report) == {"changed", "target", "findings", "checks"}
    assert (report["changed"], ended.err) == (False, "")
    assert ended.code == (6 if report["findings"] else 0)
    assert not {PASSWORD, CANARY} & set(ended.out.split())
    status = {check["name"]: check["status"] for check in report["checks"]}
    for found in report["findings"]:
        assert set(found) == {"name", "finding", "fix", "confirm"}
        assert found["finding"]
        assert found["fix"]
        assert status[found["name"]] == "found"
    assert len(report["findings"]) == list(status.values()).count("found")
    return {found["name"]: found["finding"] for found in report["findings"]}


def examined(ended: Ended) -> dict[str, str]:
    return {check["name"]: check["status"] for check in json.loads(ended.out)["checks"]}


def test_healthy_system_has_no_finding_and_stays_as_it_is(shared: URL, run: Run) -> None:
    before = catalog(shared)
    ended = run("doctor", "--format", "json", env=configuration(shared))
    assert findings(ended) == {}
    status = examined(ended)
    assert list(status) == [check.name for check in doctor.CHECKS]
    assert [name for name, one in status.items() if one != "ok"] == [
        "env file owner",
        *(check.name for check in doctor.server.CHECKS),
    ]
    assert catalog(shared) == before


def test_text_of_a_healthy_system_ends_without_a_finding(shared: URL, run: Run) -> None:
    ended = run("doctor", env=configuration(shared))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.splitlines()[-1].startswith("no finding; ")


def test_text_of_a_fault_begins_with_it_and_its_fix(run: Run) -> None:
    url = make_url(f"postgresql://u:{CANARY}@127.0.0.1:{free_port()}/d")
    ended = run("doctor", env=configuration(url))
    assert ended.code == 6
    first, fix, *_, last = ended.out.splitlines()
    assert first.startswith("port refused: cannot connect to u@127.0.0.1:")
    assert fix.startswith("  fix: ")
    assert last.startswith("1 finding; ")
    assert CANARY not in ended.out


@pytest.fixture
def trusting(server: Server) -> Iterator[str]:
    """A role that the server would let in without a password, if there were such a role."""
    rules = server.data / "pg_hba.conf"
    before = rules.read_text()
    rules.write_text(f"host all nobody 127.0.0.1/32 trust\n{before}")
    reload(server)
    yield "nobody"
    rules.write_text(before)
    reload(server)


@contextmanager
def never_answering() -> Iterator[int]:
    """A port that takes connections and says nothing, as a stopped process does; yields it."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


CONNECTION = {
    "wrong password": "password",
    "missing role": "role or database",
    "missing database": "role or database",
    "no such host": "host name",
    "IPv6 only": "IPv6",
    "refused port": "port refused",
    "blackholed port": "port silent",
    "frozen server": "port silent",
    "pooler's port": "pooler port",
    "TLS asked of a server without": "tls missing",
}


@pytest.mark.parametrize("fault", CONNECTION)
def test_each_fault_of_the_connection_is_found_within_the_bound(
    run: Run, shared: URL, trusting: str, fault: str
) -> None:
    with ExitStack() as stack:
        urls: dict[str, Callable[[], URL]] = {
            "wrong password": lambda: shared.set(password=CANARY),
            "missing role": lambda: shared.set(username=trusting),
            "missing database": lambda: shared.set(database="missing"),
            "no such host": lambda: shared.set(host="missing.invalid"),
            # The system turns a multicast address down as a machine without IPv6 does any.
            "IPv6 only": lambda: shared.update_query_dict({"hostaddr": "ff0e::1"}),
            "refused port": lambda: shared.set(port=free_port()),
            "blackholed port": lambda: shared.set(port=stack.enter_context(blackhole())),
            "frozen server": lambda: shared.set(port=stack.enter_context(never_answering())),
            "pooler's port": lambda: shared.set(port=6543),
            "TLS asked of a server without": lambda: shared,
        }
        env = configuration(urls[fault](), DB_CONNECT_TIMEOUT=str(TIMEOUT))
        if fault.startswith("TLS"):
            env["DB_SSLMODE"] = "require"
        started = time.monotonic()
        ended = run("doctor", "--format", "json", env=env)
        assert time.monotonic() - started < TIMEOUT + 1
    assert list(findings(ended)) == [CONNECTION[fault]]
    assert examined(ended)["pool budget"] == "not examined"


def refused_logins(server: Server) -> int:
    """How many wrong passwords the server has met, once its log has caught up with this moment."""
    log, mark = server.data / "log" / "server.log", f"mark-{os.urandom(8).hex()}"
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute("SELECT %s", (mark,))
    deadline = time.monotonic() + 10
    while mark not in log.read_text():
        assert time.monotonic() < deadline, "the server's log does not tell of a statement"
        time.sleep(0.01)
    return log.read_text().count("password authentication failed")


def test_wrong_password_is_sent_once(server: Server, shared: URL, run: Run) -> None:
    before = refused_logins(server)
    env = configuration(shared.set(password=CANARY))
    assert list(findings(run("doctor", "--format", "json", env=env))) == ["password"]
    assert refused_logins(server) == before + 1


def examine_with_another_way_in(admin: URL, app: URL) -> list[str]:
    """Examine a target whose application goes another way than what needs a session."""
    target = dataclasses.replace(target_of(admin), app=Endpoint(app))
    with Context() as context:
        vars(context)["_target"] = target
        return [found.name for found in checks.run(doctor.CHECKS, context).findings]


def test_way_of_the_application_is_examined_too(server: Server, shared: URL) -> None:
    same = shared.update_query_dict({"application_name": "another"})
    assert examine_with_another_way_in(shared, same) == []
    away = shared.set(port=free_port())
    assert examine_with_another_way_in(shared, away) == ["application's way"]
    before = refused_logins(server)
    wrong = shared.set(password=CANARY)
    app = wrong.update_query_dict({"application_name": "another"})
    assert examine_with_another_way_in(wrong, app) == ["password"]
    assert refused_logins(server) == before + 1


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("(EADDRNOTALLOWED) address not in tenant allow_list", "address allowed"),
        ("(ECIRCUITBREAKER) too many authentication failures", "banned address"),
        ("(ENOTFOUND) tenant/user postgres.x not found", "project"),
        ("sorry, too many clients already", "free connections"),
        ("(ECHECKOUTTIMEOUT) Pool checkout timeout", "free connections"),
        ("the database system is starting up", "connection"),
        ("something that nobody knows", "connection"),
    ],
)
def test_what_a_server_answers_is_named(run: Run, said: str, name: str) -> None:
    with refusing(said) as port:
        url = make_url(f"postgresql://u:p@127.0.0.1:{port}/d")
        ended = run("doctor", "--format", "json", env=configuration(url))
    assert list(findings(ended)) == [name]


def test_refusing_host_of_the_vendor_is_taken_for_a_ban(run: Run, shared: URL) -> None:
    url = shared.set(host=HOST, port=free_port()).update_query_dict({"hostaddr": "127.0.0.1"})
    env = configuration(url, DATABASE_TYPE="supabase")
    del env["DB_SSLMODE"]
    assert list(findings(run("doctor", "--format", "json", env=env))) == ["banned address"]


def test_missing_root_certificates_are_found(run: Run, shared: URL, tmp_path: Path) -> None:
    env = configuration(shared, DB_SSLROOTCERT=str(tmp_path / "none"), DB_SSLMODE="verify-full")
    assert list(findings(run("doctor", "--format", "json", env=env))) == ["root certificates"]


def test_transaction_pooler_behind_another_port_is_found(
    at_head: URL, pooled: Pooled, run: Run
) -> None:
    url = pooled(at_head, pool_mode="transaction")
    ended = run("doctor", "--format", "json", env=configuration(url))
    assert list(findings(ended)) == ["lasting session"]


def test_session_pooler_is_fine(at_head: URL, pooled: Pooled, run: Run) -> None:
    url = pooled(at_head, pool_mode="session")
    assert findings(run("doctor", "--format", "json", env=configuration(url))) == {}


def test_production_is_examined_with_its_own_environment(prod: URL, run: Run) -> None:
    assert findings(run("doctor", "--format", "json", env=production(prod))) == {}
    ended = run("doctor", "--format", "json", env=configuration(prod))
    assert list(findings(ended)) == ["identity"]
    other = {**production(prod), "SUPABASE_URL": f"https://{REF[::-1]}.supabase.co"}
    assert list(findings(run("doctor", "--format", "json", env=other))) == ["identity"]


def test_one_check_is_asked_with_what_it_needs(shared: URL, run: Run) -> None:
    ended = run("doctor", "--only", "host name", "--format", "json", env=configuration(shared))
    assert findings(ended) == {}
    assert list(examined(ended))[-1] == "host name"
    assert "pool budget" not in examined(ended)
    wrong = run("doctor", "--only", "the weather", env=configuration(shared))
    assert (wrong.code, wrong.out, wrong.err.split(":")[0]) == (2, "", "error[check-unknown]")
