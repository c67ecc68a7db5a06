"""The settings that the role supabase_project keeps, each drifted, told of and repaired."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from module_runs import APPLY_NETWORK, DECLARED, PATCH_POOLER, PUT_POSTGRES, call, refused, run
from standin import TOKEN, Standin, running

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
