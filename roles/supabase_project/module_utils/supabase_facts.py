"""What a project tells about itself and nobody declares: state, addresses, limits, backups.

Read-only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ansible.module_utils.supabase_api import Client
from ansible.module_utils.supabase_declared import Pooler, primary_pooler
from ansible.module_utils.supabase_errors import STATUS_PAGE, ApiError

READY = "ACTIVE_HEALTHY"
PAUSED = {"INACTIVE", "PAUSING"}
BROKEN = {"GOING_DOWN", "REMOVED", "INIT_FAILED", "RESTORE_FAILED", "PAUSE_FAILED"}
LONGEST_PAUSE = 10.0  # seconds between two looks at a project that is getting ready

# The session pooler is the pooler's host on this port; on the other it pools transactions.
SESSION_PORT = 5432
LIMITS = ("connections_direct", "connections_pooler", "memory_gb", "cpu_cores")


def ready_project(api: Client, patience: float) -> dict[str, Any]:
    """Return the project once it is healthy; waits for `patience` seconds at most.

    Raises:
        ApiError: it is paused, broken or still not healthy then.
    """
    deadline = time.monotonic() + patience
    pause = 1.0
    while True:
        project: dict[str, Any] = api.get("", "the status")
        status = project["status"]
        if status == READY:
            return project
        if status in PAUSED:
            raise ApiError(
                "supabase-project-paused",
                f"project {api.ref} is paused",
                cause=f"status {status}",
                help="resume it on its page of the dashboard, then run again",
            )
        if status in BROKEN:
            raise ApiError(
                "supabase-project-broken",
                f"project {api.ref} cannot be configured",
                cause=f"status {status}",
                help="see its page of the dashboard; a run waits for a project that gets ready",
            )
        if time.monotonic() + pause > deadline:
            raise ApiError(
                "supabase-project-not-ready",
                f"project {api.ref} was not healthy within {patience:.0f} s",
                cause=f"status {status}",
                help=f"run again when it is; see its page of the dashboard, and {STATUS_PAGE}",
            )
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, pause * 1.5)


def poolers(api: Client) -> dict[str, Any]:
    """Return the addresses of the pooler, and of those of the read replicas."""
    found = api.get(Pooler.path, "the pooler's address")
    replicas = [entry for entry in found if entry["database_type"] == "READ_REPLICA"]
    return {
        "pooler": _pooler(primary_pooler(found, api.ref)),
        "replicas": [{"identifier": entry["identifier"], **_pooler(entry)} for entry in replicas],
    }


def limits(api: Client) -> dict[str, Any]:
    """Return what the project's compute allows; null where the vendor tells no number."""
    found = api.get("/billing/addons", "the compute size")
    for addon in found["selected_addons"]:
        if addon["type"] == "compute_instance":
            meta = addon["variant"].get("meta") or {}
            return {"compute": addon["variant"]["id"], **{key: meta.get(key) for key in LIMITS}}
    return {"compute": None, **dict.fromkeys(LIMITS)}


def backups(api: Client) -> dict[str, Any]:
    """Return whether there is point-in-time recovery, and when the last backup was made."""
    found = api.get("/database/backups", "the list of backups")
    made = [
        datetime.fromisoformat(entry["inserted_at"])
        for entry in found["backups"]
        if entry["status"] == "COMPLETED"
    ]
    latest = found["physical_backup_data"].get("latest_physical_backup_date_unix")
    if latest:
        made.append(datetime.fromtimestamp(latest, UTC))
    made = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in made]
    return {
        "point_in_time_recovery": found["pitr_enabled"],
        "last": max(made).isoformat(timespec="seconds") if made else None,
        "count": len(made),
    }


def backup_findings(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Return a sentence for each way in which the backups are less than what is declared."""
    findings = []
    if wanted.get("point_in_time_recovery") and not found["point_in_time_recovery"]:
        findings.append("backups: point-in-time recovery is declared, but not switched on")
    hours = wanted.get("max_age_hours")
    if hours and found["last"] is None:
        findings.append("backups: there is none; the free plan makes none")
    elif hours and datetime.now(UTC) - datetime.fromisoformat(found["last"]) > timedelta(
        hours=hours
    ):
        findings.append(f"backups: the last is of {found['last']}, older than {hours} hours")
    return findings


def where_permitted(
    read: Callable[[Client], dict[str, Any]], api: Client, name: str, not_managed: dict[str, str]
) -> dict[str, Any]:
    """Return what `read` returns; {} with a reason in `not_managed` where the API does not tell.

    A token needs no permission for what nobody declared. Any other failure is one.
    """
    try:
        return read(api)
    except ApiError as error:
        if error.status not in (402, 403, 404):
            raise
        not_managed[name] = error.message
        return {}


def _pooler(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "host": entry["db_host"],
        "port": entry["db_port"],
        "session_port": SESSION_PORT,
        "user": entry["db_user"],
        "database": entry["db_name"],
        "pool_mode": entry["pool_mode"],
        "default_pool_size": entry["default_pool_size"],
        "max_client_conn": entry["max_client_conn"],
    }
