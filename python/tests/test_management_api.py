"""The stand-in of the Management API does as the vendor does, and fails as it is told."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import vendor
from certificates import authority_and_certificate
from standin import PROGRAM, REF, TOKEN, Standin, running

READS = [
    "",
    "/config/database/postgres",
    "/config/database/pooler",
    "/ssl-enforcement",
    "/network-restrictions",
    "/postgrest",
    "/database/backups",
    "/billing/addons",
]
# What is sent, and the status that the vendor answers with, which is no system.
CHANGES: list[tuple[str, str, Any, int]] = [
    ("PUT", "/config/database/postgres", {"max_connections": 90, "work_mem": "8MB"}, 200),
    ("PATCH", "/config/database/pooler", {"default_pool_size": 20, "pool_mode": "session"}, 200),
    ("PUT", "/ssl-enforcement", {"requestedConfig": {"database": True}}, 200),
    ("POST", "/network-restrictions/apply", {"dbAllowedCidrs": ["203.0.113.0/24"]}, 201),
    ("PATCH", "/postgrest", {"db_schema": "public", "max_rows": 10}, 200),
    ("POST", "/network-bans/retrieve", None, 201),
    ("DELETE", "/network-bans", {"ipv4_addresses": ["203.0.113.7"]}, 200),
]
REFUSED: list[tuple[str, str, Any]] = [
    ("PUT", "/config/database/postgres", {"work_men": "8MB"}),
    ("PUT", "/config/database/postgres", {"max_connections": "90"}),
    ("PUT", "/config/database/postgres", {"statement_timeout": "soon"}),
    ("PUT", "/config/database/postgres", ["work_mem"]),
    ("PATCH", "/config/database/pooler", {"default_pool_size": 3001}),
    ("PATCH", "/config/database/pooler", {"pool_mode": "statement"}),
    ("PUT", "/ssl-enforcement", {"requestedConfig": {}}),
    ("POST", "/network-restrictions/apply", {"dbAllowedCidrs": ["2001:db8::/32"]}),
    ("POST", "/network-restrictions/apply", {"dbAllowedCidrsV6": ["everybody"]}),
    ("PATCH", "/postgrest", {"max_rows": 1_000_001}),
]


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Standin]:
    with running(tmp_path) as started:
        yield started


@pytest.mark.parametrize("path", READS)
def test_every_read_is_answered(standin: Standin, path: str) -> None:
    assert standin.ask("GET", path).status == 200


@pytest.mark.parametrize(("method", "path", "body", "status"), CHANGES)
def test_every_change_is_answered_with_the_vendors_own_status(
    standin: Standin, method: str, path: str, body: Any, status: int
) -> None:
    assert standin.ask(method, path, body).status == status


@pytest.mark.parametrize(("method", "path", "body"), REFUSED)
def test_a_body_that_the_vendor_does_not_take_changes_nothing(
    standin: Standin, method: str, path: str, body: Any
) -> None:
    before = standin.state
    answer = standin.ask(method, path, body)
    assert (answer.status, list(answer.body)) == (400, ["message"])
    assert standin.state == before


def test_the_postgres_configuration_is_replaced_as_a_whole(standin: Standin) -> None:
    path = "/config/database/postgres"
    standin.ask("PUT", path, {"work_mem": "8MB", "restart_database": True})
    assert standin.ask("GET", path).body == {"work_mem": "8MB"}
    standin.ask("PUT", path, {"max_connections": 90})
    assert standin.ask("GET", path).body == {"max_connections": 90}


def test_a_lifted_ban_is_gone(standin: Standin) -> None:
    standin.change(banned=["203.0.113.7", "203.0.113.8"])
    lifted = standin.ask("DELETE", "/network-bans", {"ipv4_addresses": ["203.0.113.7"]})
    assert (lifted.status, lifted.body) == (200, None)
    left = standin.ask("POST", "/network-bans/retrieve")
    assert left.body == {"banned_ipv4_addresses": ["203.0.113.8"]}


@pytest.mark.parametrize("token", [None, "", TOKEN[:-1], f"{TOKEN}0", "sbp_é"])
def test_nobody_is_answered_without_the_token(standin: Standin, token: str | None) -> None:
    for method, path in [("GET", ""), ("PUT", "/ssl-enforcement")]:
        answer = standin.ask(method, path, token=token)
        assert (answer.status, answer.body) == (401, {"message": "Unauthorized"})


def test_there_is_one_project(standin: Standin) -> None:
    other = standin.ask("GET", f"{standin.url}/v1/projects/{'x' * 20}")
    longer = standin.ask("GET", f"{standin.url}/v1/projects/{REF}x")
    assert [other.status, longer.status, standin.ask("GET", "/nothing").status] == [404] * 3


def test_the_rate_limit_is_told_in_headers_and_enforced(tmp_path: Path) -> None:
    with running(tmp_path, "--rate-limit", "3", "--rate-window", "2") as standin:
        answers = [standin.ask("GET", "") for _ in range(4)]
        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        left = [answer.headers["X-RateLimit-Remaining"] for answer in answers]
        assert left == ["2", "1", "0", "0"]
        assert {answer.headers["X-RateLimit-Limit"] for answer in answers} == {"3"}
        wait = int(answers[-1].headers["X-RateLimit-Reset"])
        assert 1 <= wait <= 2
        time.sleep(wait)
        assert standin.ask("GET", "").status == 200


def test_what_was_set_survives_a_restart(tmp_path: Path) -> None:
    kept = ["--state", str(tmp_path / "state.json")]
    with running(tmp_path, *kept) as standin:
        standin.ask("PATCH", "/postgrest", {"max_rows": 7})
        standin.change(ssl={"database": True})
    with running(tmp_path, *kept) as standin:
        assert standin.ask("GET", "/postgrest").body["max_rows"] == 7
        assert standin.ask("GET", "/ssl-enforcement").body["currentConfig"] == {"database": True}


def test_a_fault_hits_what_it_names_as_often_as_it_says(standin: Standin) -> None:
    standin.fail(method="GET", path="/postgrest", status=500, times=2)
    assert standin.ask("GET", "/ssl-enforcement").status == 200
    answers = [standin.ask("GET", "/postgrest").status for _ in range(3)]
    assert answers == [500, 500, 200]
    standin.fail(status=403, message="no")
    assert [standin.ask("GET", path).status for path in ("", "/postgrest")] == [403, 403]
    standin.control("DELETE", "faults")
    assert standin.ask("GET", "").status == 200


def test_faults_that_are_no_status(standin: Standin) -> None:
    path = "/config/database/pooler"
    standin.fail(path=path, empty=True, times=1)
    assert standin.ask("PATCH", path, {"default_pool_size": 7})[:2] == (200, None)
    standin.fail(path=path, lost=True, times=1)
    assert standin.ask("PATCH", path, {"default_pool_size": 8})[:2] == (200, None)
    assert standin.state["pooler"][0]["default_pool_size"] == 7
    standin.fail(path=path, delay=0.5, times=1)
    started = time.monotonic()
    assert standin.ask("GET", path).status == 200
    assert time.monotonic() - started >= 0.5
    standin.fail(path=path, drop=True, times=1)
    with pytest.raises((urllib.error.URLError, ConnectionError)):
        standin.ask("GET", path)


def test_a_project_gets_ready_while_it_is_looked_at(standin: Standin) -> None:
    standin.change(project={"status": "COMING_UP"}, reads_until_healthy=2)
    seen = [standin.ask("GET", "").body["status"] for _ in range(3)]
    assert seen == ["COMING_UP", "COMING_UP", "ACTIVE_HEALTHY"]


def test_it_counts_what_it_is_asked(standin: Standin) -> None:
    standin.ask("GET", "/postgrest")
    standin.ask("PUT", "/ssl-enforcement", {"requestedConfig": {"database": True}})
    wanted = ["GET /postgrest", "PUT /ssl-enforcement"]
    counts = standin.control("GET", "counts")
    assert counts == {"reads": 1, "writes": 1, "requests": wanted}
    standin.control("DELETE", "counts")
    assert standin.requests == []


def test_it_ends_on_sigterm_and_has_printed_one_line(tmp_path: Path) -> None:
    with running(tmp_path) as standin:
        standin.ask("GET", "")
        standin.process.send_signal(signal.SIGTERM)
        assert standin.process.wait(timeout=5) == 0
    # `running` sees that nothing else was printed.
    assert TOKEN not in standin.log.read_text()


def test_it_listens_on_this_machine_alone(standin: Standin, tmp_path: Path) -> None:
    port = int(standin.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.2", port), timeout=2)
    for_all = ["--host", "0.0.0.0", "--port", "0", "--ref", REF]  # noqa: S104 - refused
    done = subprocess.run(
        [sys.executable, PROGRAM, *for_all, "--token-file", tmp_path / "token"],
        capture_output=True,
        text=True,
        timeout=10,
    )
    assert done.returncode == 2
    assert "--host" in done.stderr


def test_it_speaks_tls(tmp_path: Path) -> None:
    made = authority_and_certificate(tmp_path)
    options = ["--tls-cert", str(made.certificate), "--tls-key", str(made.key)]
    with running(tmp_path, *options) as standin:
        assert standin.url.startswith("https://")
        context = ssl.create_default_context(cafile=str(made.authority))
        request = urllib.request.Request(  # noqa: S310  # the stand-in of the test, on this machine
            f"{standin.url}/v1/projects/{REF}", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        with urllib.request.urlopen(request, context=context) as answer:  # noqa: S310  # the stand-in of the test, on this machine
            assert json.loads(answer.read())["ref"] == REF
        with pytest.raises(urllib.error.URLError, match="certificate verify failed"):
            standin.ask("GET", "")


@pytest.mark.skipif(
    not vendor.DESCRIPTION.exists(), reason="NOT RUN: the vendor's API description is not here"
)
def test_every_exchange_is_held_against_the_vendors_description(tmp_path: Path) -> None:
    """`running` holds every test's exchanges against it; this one sees that it can find a fault."""
    with running(tmp_path) as standin:
        for path in READS:
            standin.ask("GET", path)
        for method, path, body, _ in CHANGES:
            standin.ask(method, path, body)
        exchanges = standin.exchanges
    assert len(exchanges) == len(READS) + len(CHANGES)
    good = exchanges[0]
    spoiled = [
        {**good, "path": f"/v1/projects/{REF}/nothing"},
        {**good, "status": 201},
        {**good, "reply": {**good["reply"], "more": 1}},
        {**good, "reply": {**good["reply"], "status": "ASLEEP"}},
        {**good, "reply": None},
        {**good, "request": {}},
        {**exchanges[len(READS)], "request": {"work_men": "8MB"}},
        {**exchanges[len(READS) + 4], "request": {"max_rows": "ten"}},
    ]
    assert [bool(vendor.problems(exchange)) for exchange in spoiled] == [True] * len(spoiled)
