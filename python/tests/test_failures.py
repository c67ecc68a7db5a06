"""Each way in which a connection fails has its sentence, and none takes longer than its bound."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event

import pytest
from conftest import PASSWORD, ROOT, Ended, Server, configuration, free_port
from sqlalchemy import URL, make_url
from tls_servers import HOST, blackhole, refusing, reload

from dhafnck_db import failures, lookup
from dhafnck_db.endpoints import Endpoint
from dhafnck_db.errors import TargetError

Run = Callable[..., Ended]

TIMEOUT = 2  # libpq's shortest
FAULTS = {
    "wrong password": ("authentication-failed", "the password is wrong"),
    "missing role": ("role-or-database-missing", "no such role"),
    "missing database": ("role-or-database-missing", "no such database"),
    "no such host": ("target-unreachable", "its name has no address"),
    "IPv6 only": ("target-unreachable", "it has an IPv6 address only"),
    "refused port": ("target-unreachable", "nothing listens there"),
    "blackholed port": ("target-unreachable", "it did not answer in time"),
}


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


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_sentence_within_the_bound(
    run: Run, shared: URL, trusting: str, fault: str
) -> None:
    code, words = FAULTS[fault]
    with ExitStack() as stack:
        urls = {
            "wrong password": lambda: shared.set(password="canary-7c1e"),
            "missing role": lambda: shared.set(username=trusting),
            "missing database": lambda: shared.set(database="missing"),
            "no such host": lambda: shared.set(host="missing.invalid"),
            # The system turns a multicast address down as a machine without IPv6 does any.
            "IPv6 only": lambda: shared.update_query_dict({"hostaddr": "ff0e::1"}),
            "refused port": lambda: shared.set(port=free_port()),
            "blackholed port": lambda: shared.set(port=stack.enter_context(blackhole())),
        }
        env = configuration(urls[fault](), DB_CONNECT_TIMEOUT=str(TIMEOUT))
        started = time.monotonic()
        ended = run("schema", "current", env=env)
        assert time.monotonic() - started < TIMEOUT + 1
    assert (ended.code, ended.out) == (5, "")
    sentence, cause, way_out = ended.err.splitlines()
    assert sentence.startswith(f"error[{code}]: cannot connect to ")
    assert words in sentence
    assert cause.startswith("  cause: ")
    assert way_out.startswith("  help: ")
    assert not {PASSWORD, "canary-7c1e"} & set(ended.err.split())


@pytest.mark.parametrize(("addresses", "seconds"), [(1, 9), (2, 4), (3, 3), (20, 2)])
def test_addresses_of_a_host_share_the_bound(
    monkeypatch: pytest.MonkeyPatch, addresses: int, seconds: int
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [None] * addresses)
    endpoint = Endpoint(make_url("postgresql://u@db.example/d"))
    assert lookup.seconds_per_address(endpoint, 9) == seconds


def test_resolver_that_says_nothing_keeps_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    over = Event()

    def silent(*_: object, **__: object) -> None:
        over.wait(10)
        raise OSError

    monkeypatch.setattr(socket, "getaddrinfo", silent)
    started = time.monotonic()
    with pytest.raises(TargetError, match="its name has no address") as raised:
        lookup.seconds_per_address(Endpoint(make_url("postgresql://u@db.example/d")), 1)
    over.set()
    assert time.monotonic() - started < 2
    assert raised.value.cause == (
        'could not translate host name "db.example" to address: no answer within 1 s'
    )


# As the vendor's pooler and PostgreSQL word them.
ANSWERS = [
    ("Tenant or user not found", "tenant-not-found"),
    ("(ENOTFOUND) tenant/user postgres.abc not found", "tenant-not-found"),
    ('password authentication failed for user "postgres"', "authentication-failed"),
    ("(EWRONGPASSWORD) password authentication failed", "authentication-failed"),
    ("(ECIRCUITBREAKER) too many authentication failures, new ones blocked", "logins-blocked"),
    ("Circuit breaker open: Too many authentication errors", "logins-blocked"),
    ("(EBANNED) tenant is banned: abuse", "project-banned"),
    ("(EADDRNOTALLOWED) address not in tenant allow_list: {1, 2, 3, 4}", "address-not-allowed"),
    ('no pg_hba.conf entry for host "1.2.3.4", database "d", SSL on', "address-not-allowed"),
    ('no pg_hba.conf entry for host "1.2.3.4", database "d", no encryption', "tls-required"),
    ("(ESSLREQUIRED) SSL connection is required for user: postgres", "tls-required"),
    (
        "(EMAXCONNSESSION) max clients reached in session mode - max clients are limited to "
        "pool_size: 15",
        "too-many-connections",
    ),
    ("(EMAXCONN) max client connections reached, limit: 200", "too-many-connections"),
    ("MaxClientsInSessionMode: max clients reached", "too-many-connections"),
    ("sorry, too many clients already", "too-many-connections"),
    ('too many connections for role "postgres"', "too-many-connections"),
    (
        "remaining connection slots are reserved for non-replication superuser connections",
        "too-many-connections",
    ),
    ("no more connections allowed (max_client_conn)", "too-many-connections"),
    (
        "(ECHECKOUTTIMEOUT) Pool checkout timeout. Request was dropped after 60000ms.\nYou can:\n\n"
        "  1. Ensure your database is available",
        "pooler-busy",
    ),
    ("cannot execute INSERT in a read-only transaction", "target-read-only"),
    ("the database system is starting up", "target-starting"),
    ("something else", "target-unreachable"),
]


@pytest.mark.parametrize(("said", "code"), ANSWERS)
def test_answer_of_a_server_is_recognised(run: Run, said: str, code: str) -> None:
    with refusing(said) as port:
        url = make_url(f"postgresql://u:p@127.0.0.1:{port}/d")
        ended = run("schema", "current", env=configuration(url))
    sentence, cause, way_out = ended.err.splitlines()
    assert (ended.code, sentence.split(":")[0]) == (5, f"error[{code}]")
    assert cause == f"  cause: {said.splitlines()[0]}"
    assert way_out.startswith("  help: ")


@pytest.mark.parametrize(
    ("said", "help"),
    [
        ('server at "x" (2600::1), port 5432 failed: Network is unreachable', "POOLER_HOST"),
        ('server at "x" (1.2.3.4), port 5432 failed: Connection refused', "banned"),
        ("could not translate host name", "paused"),
        ("password authentication failed", "SUPABASE_DB_PASSWORD"),
        ("(EADDRNOTALLOWED) address not in tenant allow_list", "network restrictions"),
        ("in a read-only transaction", "disk that is nearly full"),
    ],
)
def test_way_out_is_the_vendors_on_its_hosts(said: str, help: str) -> None:
    for host, expected in ((HOST, True), ("db.example", False)):
        fault = failures.explain(Endpoint(make_url(f"postgresql://u@{host}/d")), said)
        assert (help in str(fault.help)) == expected


def test_host_of_both_families_is_not_said_to_be_ipv6_only() -> None:
    said = "".join(
        f'connection to server at "x" ({address}), port 1 failed: Network is unreachable\n'
        for address in ("2600::1", "1.2.3.4")
    )
    fault = failures.explain(Endpoint(make_url(f"postgresql://u@{HOST}/d")), said)
    assert fault.message.endswith("there is no way to its network")


def test_every_code_is_documented() -> None:
    documented = Path(ROOT / "docs" / "errors.md").read_text()
    known = [*failures.EXPLANATIONS, *failures.CERTIFICATE_FAULTS.values()]
    known += [failures.NO_TLS, failures.STRIPPED_TLS, failures.UNVERIFIED, failures.OTHER]
    for explanation in known:
        assert f"| `{explanation.code}` | 5 |" in documented
