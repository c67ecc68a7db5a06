"""The role supabase_project and its module, run by Ansible against the stand-in of the API."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from certificates import authority_and_certificate
from conftest import ROOT
from standin import REF, TOKEN, Standin, running

ROLE = ROOT / "roles" / "supabase_project"
PROGRAMS = Path(sys.executable).parent

DECLARED: dict[str, Any] = {
    "postgres": {"work_mem": "16MB", "max_connections": 80, "hot_standby_feedback": None},
    "pooler": {"pool_mode": "session", "default_pool_size": 20},
    "ssl_enforcement": True,
    "network_restrictions": {"ipv4": ["203.0.113.0/24"], "ipv6": ["2001:db8::/32"]},
    "data_api": {"schemas": ["public"], "extra_search_path": ["extensions"], "max_rows": 500},
}
# The state of a project that is as declared. What nobody declared is there too, and has to stay.
AS_DECLARED: dict[str, Any] = {
    "postgres": {"work_mem": "16MB", "max_connections": 80, "wal_keep_size": "1GB"},
    "ssl": {"database": True},
    "network": {
        "status": "applied",
        "config": {"dbAllowedCidrs": ["203.0.113.0/24"], "dbAllowedCidrsV6": ["2001:db8::/32"]},
    },
    "postgrest": {"db_schema": "public", "db_extra_search_path": "extensions", "max_rows": 500},
}
OPEN = {"dbAllowedCidrs": ["0.0.0.0/0"], "dbAllowedCidrsV6": ["2001:db8::/32"]}
OPEN6 = {"dbAllowedCidrs": ["203.0.113.0/24"], "dbAllowedCidrsV6": ["::/0"]}
PUT_POSTGRES = "PUT /config/database/postgres"
PATCH_POOLER = "PATCH /config/database/pooler"
APPLY_NETWORK = "POST /network-restrictions/apply"

# What somebody changed, the setting that check mode has to name, its line before and after, and the
# one request that repairs it.
DRIFTS: list[tuple[dict[str, Any], str, str, str, str]] = [
    ({"postgres": {"work_mem": "4MB"}}, "postgres.work_mem", "4MB", "16MB", PUT_POSTGRES),
    ({"postgres": {"max_connections": 81}}, "postgres.max_connections", "81", "80", PUT_POSTGRES),
    (
        {"postgres": {"hot_standby_feedback": True}},
        "postgres.hot_standby_feedback", "true", "(not set)", PUT_POSTGRES,
    ),
    (
        {"pooler": {"pool_mode": "transaction"}},
        "pooler.pool_mode", "transaction", "session", PATCH_POOLER,
    ),
    (
        {"pooler": {"default_pool_size": None}},
        "pooler.default_pool_size", "(not set)", "20", PATCH_POOLER,
    ),
    ({"ssl": {"database": False}}, "ssl_enforcement", "false", "true", "PUT /ssl-enforcement"),
    (
        {"network": {"config": OPEN}},
        "network_restrictions.ipv4", "0.0.0.0/0", "203.0.113.0/24", APPLY_NETWORK,
    ),
    (
        {"network": {"config": OPEN6}},
        "network_restrictions.ipv6", "::/0", "2001:db8::/32", APPLY_NETWORK,
    ),
    (
        {"postgrest": {"db_schema": "public, auth"}},
        "data_api.schemas", "public, auth", "public", "PATCH /postgrest",
    ),
    (
        {"postgrest": {"db_extra_search_path": ""}},
        "data_api.extra_search_path", "(none)", "extensions", "PATCH /postgrest",
    ),
    ({"postgrest": {"max_rows": 1000}}, "data_api.max_rows", "1000", "500", "PATCH /postgrest"),
]  # fmt: skip


@dataclass
class Done:
    """What a run of the module returned and printed."""

    result: dict[str, Any]
    output: str

    @property
    def settings(self) -> list[str]:
        return [change["setting"] for change in self.result["changes"]]


@pytest.fixture
def standin(tmp_path: Path) -> Iterator[Standin]:
    with running(tmp_path) as started:
        yield started


@pytest.fixture
def settled(standin: Standin) -> Standin:
    """A project that is as DECLARED, and has other overrides besides."""
    pooler = {**standin.state["pooler"][0], "pool_mode": "session", "default_pool_size": 20}
    standin.change(**AS_DECLARED, pooler=[pooler])
    return standin


def clean_environment(token: str) -> dict[str, str]:
    found = {name: value for name, value in os.environ.items() if "SUPABASE" not in name}
    return found | ({"SUPABASE_ACCESS_TOKEN": token} if token else {})


def arguments_for(standin: Standin | str, settings: dict[str, Any], **more: Any) -> str:
    url = standin if isinstance(standin, str) else standin.url
    return json.dumps({"ref": REF, "api_url": url, "settings": settings, "wait": 5, **more})


def run(standin: Standin, settings: dict[str, Any], *options: str, token: str = TOKEN) -> Done:
    """Run the module through Ansible, and return what it returned and all that was printed."""
    done = subprocess.run(
        [
            PROGRAMS / "ansible", "localhost", "-m", "supabase_settings",
            "-a", arguments_for(standin, settings),
            "-e", f"ansible_python_interpreter={sys.executable}", *options,
        ],
        cwd=ROOT,
        env={
            **clean_environment(token),
            "ANSIBLE_LIBRARY": str(ROLE / "library"),
            "ANSIBLE_MODULE_UTILS": str(ROLE / "module_utils"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        },
        capture_output=True,
        text=True,
    )  # fmt: skip
    output = done.stdout + done.stderr
    found = re.search(r"^localhost \| \w+!? => (\{.*)", done.stdout, flags=re.MULTILINE | re.DOTALL)
    assert found, output
    result, _ = json.JSONDecoder().raw_decode(found[1])
    return Done({**result, "failed": done.returncode != 0}, output)


# What Ansible does with a module, without the second and a half that Ansible needs to begin.
CALL = """
import json, runpy, sys
import ansible.module_utils
from ansible.module_utils.testing import patch_module_args
ansible.module_utils.__path__.append(sys.argv[1])
with patch_module_args(json.load(sys.stdin)):
    runpy.run_path(sys.argv[2], run_name="__main__")
"""


def call(
    standin: Standin | str, settings: dict[str, Any], *, token: str = TOKEN, **more: Any
) -> Done:
    """Run the module as a program of its own, and return what it returned."""
    module = ROLE / "library" / "supabase_settings.py"
    done = subprocess.run(
        [sys.executable, "-c", CALL, ROLE / "module_utils", module],
        env=clean_environment(token),
        input=arguments_for(standin, settings, **more),
        capture_output=True,
        text=True,
    )
    assert done.stdout, done.stderr
    return Done({"failed": False, **json.loads(done.stdout)}, done.stdout + done.stderr)


def refused(standin: Standin | str, settings: dict[str, Any], code: str, **arguments: Any) -> str:
    """Run the module, see it end with that error, and return its text."""
    done = call(standin, settings, **arguments)
    assert done.result["failed"], done.output
    assert done.result["code"] == code, done.output
    text: str = done.result["msg"]
    assert text.startswith(f"error[{code}]: ")
    assert "\n  help: " in text
    return text


@pytest.mark.parametrize(("drift", "setting", "before", "after", "request_"), DRIFTS)
def test_check_mode_names_the_one_setting_that_drifted_and_a_run_repairs_it(
    settled: Standin, drift: dict[str, Any], setting: str, before: str, after: str, request_: str
) -> None:
    wanted = settled.state
    if "pooler" in drift:
        drift = {"pooler": [{**wanted["pooler"][0], **drift["pooler"]}]}
    settled.change(**drift)
    drifted = settled.state
    assert drifted != wanted

    told = run(settled, DECLARED, "--check", "--diff")
    assert told.settings == [setting]
    assert told.result["changed"]
    lines = re.findall(r"^[-+](?![-+]{2} ).*", told.output, flags=re.MULTILINE)
    assert lines == [f"-{setting}: {before}", f"+{setting}: {after}"]
    assert settled.writes == []
    assert settled.state == drifted

    repaired = call(settled, DECLARED)
    assert repaired.settings == [setting]
    assert settled.writes == [request_]
    for state in (wanted, repaired_state := settled.state):
        for stamp in ("updated_at", "applied_at"):
            state["network"].pop(stamp, None)
    assert repaired_state == wanted


def test_what_check_mode_tells_of_a_new_project_is_what_a_run_does(standin: Standin) -> None:
    told = run(standin, DECLARED, "--check")
    assert standin.writes == []
    done = run(standin, DECLARED)
    assert done.result["changes"] == told.result["changes"]
    assert len(done.settings) == 10  # not the override that is to be away, and is
    assert standin.writes == [
        PUT_POSTGRES, PATCH_POOLER, "PATCH /postgrest", "PUT /ssl-enforcement", APPLY_NETWORK,
    ]  # fmt: skip
    again = run(standin, DECLARED)
    assert (again.result["changed"], again.settings, len(standin.writes)) == (False, [], 5)


def test_what_is_not_declared_is_neither_read_nor_changed(standin: Standin) -> None:
    before = standin.state
    done = call(standin, {"postgres": {}, "pooler": {"default_pool_size": None}})
    assert done.result["managed"] == []
    assert set(done.result["not_managed"].values()) == {
        "not declared",
        "they are made over SQL, with the schema",
    }
    assert standin.state == before
    assert "GET /postgrest" not in standin.requests


def test_the_family_of_networks_that_is_not_declared_stays(settled: Standin) -> None:
    call(settled, {"network_restrictions": {"ipv4": ["198.51.100.7"]}})
    assert settled.state["network"]["config"] == {
        "dbAllowedCidrs": ["198.51.100.7/32"],
        "dbAllowedCidrsV6": ["2001:db8::/32"],
    }


def test_a_project_without_restrictions_is_open(standin: Standin) -> None:
    everybody = {"ipv4": ["0.0.0.0/0"], "ipv6": ["::/0"]}
    assert not call(standin, {"network_restrictions": everybody}).result["changed"]


@pytest.mark.parametrize(
    ("name", "value", "restart", "restarted"),
    [
        ("max_connections", 90, True, True),
        ("max_connections", 90, False, False),
        ("work_mem", "8MB", True, False),
    ],
)
def test_only_a_parameter_of_the_start_restarts_and_only_when_allowed(
    standin: Standin, name: str, value: Any, restart: bool, restarted: bool
) -> None:
    done = call(standin, {"postgres": {name: value}}, restart=restart)
    sent = [made["request"] for made in standin.exchanges if made["method"] == "PUT"]
    assert sent == [{name: value} | ({"restart_database": True} if restarted else {})]
    waits = [finding for finding in done.result["findings"] if "restarted" in finding]
    assert bool(waits) == (name == "max_connections" and not restart)


def test_values_are_compared_as_the_api_spells_them(standin: Standin) -> None:
    standin.change(postgres={"statement_timeout": "60000", "max_connections": 90})
    done = call(standin, {"postgres": {"statement_timeout": 60000, "max_connections": "90"}})
    assert not done.result["changed"]


INVALID: list[tuple[dict[str, Any], str]] = [
    ({"postgres": {"work_men": "4MB"}}, "work_men"),
    ({"postgres": {"max_connections": "many"}}, "'many' is no number"),
    ({"postgres": {"work_mem": True}}, "True is no text"),
    ({"postgres": {"hot_standby_feedback": "yes"}}, "'yes' is no true or false"),
    ({"network_restrictions": {"ipv4": ["203.0.113.7/24"]}}, "has host bits set"),
    ({"network_restrictions": {"ipv4": ["2001:db8::/32"]}}, "is no IPv4 network"),
    ({"network_restrictions": {"ipv6": ["everybody"]}}, "is no IPv6 network"),
]


@pytest.mark.parametrize("token", [TOKEN, ""])
@pytest.mark.parametrize(("settings", "said"), INVALID)
def test_what_cannot_be_meant_is_refused_before_anything_is_asked(
    standin: Standin, settings: dict[str, Any], said: str, token: str
) -> None:
    assert said in refused(standin, settings, "supabase-setting-invalid", token=token)
    assert standin.requests == []


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


@pytest.mark.parametrize("status", ["COMING_UP", "RESTORING", "ACTIVE_UNHEALTHY", "RESIZING"])
def test_a_project_that_gets_ready_is_waited_for(standin: Standin, status: str) -> None:
    standin.change(project={"status": status}, reads_until_healthy=2)
    assert call(standin, {"ssl_enforcement": True}).settings == ["ssl_enforcement"]
    assert standin.requests[:3] == ["GET ", "GET ", "GET "]


@pytest.mark.parametrize(
    ("status", "code"),
    [
        ("INACTIVE", "supabase-project-paused"),
        ("PAUSING", "supabase-project-paused"),
        ("INIT_FAILED", "supabase-project-broken"),
        ("REMOVED", "supabase-project-broken"),
        ("COMING_UP", "supabase-project-not-ready"),
    ],
)
def test_a_project_that_does_not_get_ready_is_said_to(
    standin: Standin, status: str, code: str
) -> None:
    standin.change(project={"status": status})
    assert f"status {status}" in refused(standin, {"ssl_enforcement": True}, code, wait=3)
    assert standin.writes == []


@pytest.mark.parametrize("path", ["/billing/addons", "/database/backups"])
def test_what_nobody_declared_needs_no_permission(standin: Standin, path: str) -> None:
    standin.fail(path=path, status=403)
    name = {"/billing/addons": "limits", "/database/backups": "backups"}[path]
    done = call(standin, {"ssl_enforcement": True})
    assert done.result[name] == {}
    assert done.result["not_managed"][name].startswith("the access token may not read")


def test_what_cannot_be_changed_is_found_and_said(standin: Standin) -> None:
    old = {**standin.state["backups"]["backups"][0], "inserted_at": "2026-01-01T00:00:00.000Z"}
    standin.change(backups={"backups": [old]})
    wanted = {"point_in_time_recovery": True, "max_age_hours": 26}
    done = call(standin, {}, region="us-east-1", backups=wanted)
    assert not done.result["changed"]
    assert [finding.split(",")[0] for finding in done.result["findings"]] == [
        "backups: point-in-time recovery is declared",
        "backups: the last is of 2026-01-01T00:00:00+00:00",
        "region: the project is in eu-west-1",
    ]
    for finding in done.result["findings"]:
        assert finding in json.dumps(done.result["warnings"])
    standin.change(backups={"backups": []})
    assert "there is none" in call(standin, {}, backups=wanted).result["findings"][1]


def test_replicas_and_limits_are_reported(standin: Standin) -> None:
    primary = standin.state["pooler"][0]
    replica = {**primary, "identifier": "r1", "database_type": "READ_REPLICA", "db_host": "r1.test"}
    standin.change(pooler=[replica, primary])
    found = call(standin, {}).result
    assert found["pooler"]["host"] == primary["db_host"]
    assert [(entry["identifier"], entry["host"]) for entry in found["replicas"]] == [
        ("r1", "r1.test")
    ]
    assert found["limits"] == {
        "compute": "ci_micro",
        "connections_direct": 60,
        "connections_pooler": 200,
        "memory_gb": 1,
        "cpu_cores": 2,
    }
    standin.change(addons={"selected_addons": []})
    assert set(call(standin, {}).result["limits"].values()) == {None}


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
