"""What the module supabase_settings does when the Management API refuses, fails or limits it."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificates import authority_and_certificate
from module_runs import APPLY_NETWORK, DECLARED, PATCH_POOLER, call, refused, run
from standin import REF, TOKEN, Standin, running


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Standin]:
    with running(tmp_path) as started:
        yield started


REFUSALS = [
    (301, "management-api-redirect", "is not followed"),
    (400, "management-api-refused", "HTTP 400: the vendor's words"),
    (401, "management-api-token-refused", "account/tokens"),
    (402, "management-api-plan", "does not include the TLS enforcement"),
    (403, "management-api-forbidden", "the access token may not read the TLS enforcement"),
    (404, "management-api-not-found", f"finds no project {REF}"),
    (500, "management-api-failed", "HTTP 500: the vendor's words"),
]


@pytest.mark.parametrize(("status", "code", "said"), REFUSALS)
def test_each_refusal_has_its_own_sentence(
    standin: Standin, status: int, code: str, said: str
) -> None:
    standin.fail(path="/ssl-enforcement", status=status, message="the vendor's words")
    assert said in refused(standin, {"ssl_enforcement": True}, code)
    reads = standin.requests.count("GET /ssl-enforcement")
    assert reads == (5 if status == 500 else 1)


def test_a_wrong_token_is_refused(standin: Standin) -> None:
    said = refused(standin, {}, "management-api-token-refused", token=TOKEN[:-1] + "8")
    assert TOKEN[:-1] not in said


def test_a_failure_names_what_was_written_before(standin: Standin) -> None:
    standin.fail(method="PUT", path="/ssl-enforcement", status=402)
    done = call(standin, {"ssl_enforcement": True, "pooler": {"pool_mode": "session"}})
    assert done.result["msg"].endswith("\n  written before: pooler.pool_mode")
    assert done.result["changed"]


@pytest.mark.parametrize(
    ("request_", "times"),
    [
        ("GET /ssl-enforcement", 2),
        ("PUT /ssl-enforcement", 2),
        ("PUT /config/database/postgres", 1),
    ],
)
@pytest.mark.parametrize("fault", [{"status": 503}, {"drop": True}])
def test_what_may_be_repeated_is_repeated(
    standin: Standin, request_: str, times: int, fault: dict[str, Any]
) -> None:
    method, path = request_.split()
    standin.fail(method=method, path=path, times=times, **fault)
    done = call(standin, {"ssl_enforcement": True, "postgres": {"work_mem": "8MB"}})
    assert done.result["changed"]
    # A group that was written is read once more.
    assert standin.requests.count(request_) == times + (2 if method == "GET" else 1)


@pytest.mark.parametrize(
    ("request_", "settings"),
    [
        (PATCH_POOLER, {"pooler": {"pool_mode": "session"}}),
        ("PATCH /postgrest", {"data_api": {"max_rows": 7}}),
        (APPLY_NETWORK, {"network_restrictions": {"ipv4": ["203.0.113.0/24"]}}),
    ],
)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 503}, "management-api-failed"),
        ({"drop": True}, "management-api-unreachable"),
    ],
)
def test_what_may_have_been_done_is_not_repeated(
    standin: Standin, request_: str, settings: dict[str, Any], fault: dict[str, Any], code: str
) -> None:
    method, path = request_.split()
    standin.fail(method=method, path=path, times=1, **fault)
    refused(standin, settings, code)
    assert standin.writes == [request_]


def test_the_rate_limit_is_waited_for_before_it_is_hit(tmp_path: Path) -> None:
    with running(tmp_path, "--rate-limit", "4", "--rate-window", "3") as standin:
        done = call(standin, {"ssl_enforcement": True})
        assert done.result["changed"]
        assert {exchange["status"] for exchange in standin.exchanges} == {200}
        assert len(standin.exchanges) > 4


@pytest.mark.parametrize("path", ["/ssl-enforcement", "/network-restrictions/apply"])
def test_a_request_over_the_limit_is_sent_again_after_the_wait(standin: Standin, path: str) -> None:
    standin.fail(path=path, status=429, reset=2, times=1)
    started = time.monotonic()
    settings = {"ssl_enforcement": True, "network_restrictions": {"ipv4": ["203.0.113.0/24"]}}
    assert len(call(standin, settings).settings) == 2
    assert time.monotonic() - started >= 2


def test_the_wait_for_the_rate_limit_is_bounded(standin: Standin) -> None:
    standin.fail(status=429, reset=3600)
    said = refused(standin, {}, "management-api-rate-limit")
    assert "counts anew in 3600 s" in said
    assert len(standin.requests) == 1


def test_an_empty_reply_to_a_change_is_one(standin: Standin) -> None:
    for method in ("PUT", "PATCH", "POST"):
        standin.fail(method=method, empty=True)
    assert len(call(standin, DECLARED).settings) == 10


def test_an_empty_reply_to_a_read_is_none(standin: Standin) -> None:
    standin.fail(path="/postgrest", empty=True)
    refused(standin, {"data_api": {"max_rows": 7}}, "management-api-no-answer")


def test_a_change_that_did_not_take_is_a_failure(standin: Standin) -> None:
    standin.fail(method="PATCH", path="/postgrest", lost=True)
    said = refused(standin, {"data_api": {"max_rows": 7}}, "management-api-not-applied")
    assert "declared 7, read 1000" in said


def test_no_secret_is_printed_at_vvvv(standin: Standin) -> None:
    secret = standin.state["postgrest"]["jwt_secret"]
    good = run(standin, DECLARED, "-vvvv", "--diff")
    assert good.result["changed"]
    standin.fail(method="PATCH", path="/postgrest", status=500, message=f"no: {TOKEN}")
    bad = run(standin, {"data_api": {"max_rows": 7}}, "-vvvv")
    assert bad.result["failed"]
    assert "HTTP 500: no: ****" in bad.output
    for done in (good, bad):
        assert TOKEN not in done.output
        assert secret not in done.output


@pytest.mark.parametrize("spoil", ["\n", " ", "\r\nX-Other: 1", "é"])
def test_a_malformed_token_is_refused_and_not_printed(standin: Standin, spoil: str) -> None:
    done = run(standin, {}, "-vvvv", token=TOKEN + spoil)
    assert done.result["code"] == "management-api-token-malformed"
    assert TOKEN not in done.output
    assert standin.requests == []


def test_a_certificate_is_trusted_only_when_its_authority_is(tmp_path: Path) -> None:
    made = authority_and_certificate(tmp_path)
    options = ["--tls-cert", str(made.certificate), "--tls-key", str(made.key)]
    with running(tmp_path, *options) as standin:
        port = standin.url.rpartition(":")[2]
        said = refused(standin, {}, "management-api-certificate")
        assert "unable to get local issuer certificate" in said
        other = f"https://localhost:{port}"
        said = refused(other, {}, "management-api-certificate", api_ca_file=str(made.authority))
        assert "localhost" in said
        missing = str(tmp_path / "nothing.pem")
        refused(standin, {}, "management-api-ca-missing", api_ca_file=missing)
        assert not standin.log.exists()
        done = call(standin, {"ssl_enforcement": True}, api_ca_file=str(made.authority))
        assert done.settings == ["ssl_enforcement"]


@pytest.mark.parametrize(
    "url",
    [
        "http://api.supabase.com",
        "http://192.0.2.1:80",
        "ftp://127.0.0.1",
        "127.0.0.1",
        "https://u:p@h",
    ],
)
def test_the_token_goes_to_no_address_in_the_clear(url: str) -> None:
    refused(url, {}, "management-api-address")


def test_an_api_that_does_not_answer_is_named(standin: Standin) -> None:
    standin.process.terminate()
    standin.process.wait(timeout=5)
    said = refused(standin.url, {}, "management-api-unreachable")
    assert standin.url in said
    assert "Connection refused" in said


def test_no_redirect_is_followed(standin: Standin) -> None:
    elsewhere = f"{standin.url}/v1/projects/{REF}/elsewhere"
    standin.fail(path="/postgrest", status=302, location=elsewhere)
    refused(standin, {"data_api": {"max_rows": 7}}, "management-api-redirect")
    assert standin.requests == ["GET ", "GET /postgrest"]


def test_neither_netrc_nor_a_proxy_comes_between(
    standin: Standin, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    assert call(standin, {"ssl_enforcement": True}).result["changed"]
