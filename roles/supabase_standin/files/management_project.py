"""One project as the vendor's Management API shows it: its state, and an answer to each request.

It knows no HTTP: `management_api.py` serves it. It never connects to a database; what it answers
about one is what it was started with.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

State = dict[str, Any]

# The vendor's fields of the Postgres configuration, by what they take.
POSTGRES_NUMBERS = {
    "max_connections", "max_locks_per_transaction", "max_parallel_maintenance_workers",
    "max_parallel_workers", "max_parallel_workers_per_gather", "max_replication_slots",
    "max_wal_senders", "max_worker_processes",
}  # fmt: skip
POSTGRES_SWITCHES = {"track_commit_timestamp", "hot_standby_feedback", "restart_database"}
POSTGRES_TIMES = {"statement_timeout", "wal_sender_timeout", "checkpoint_timeout"}
POSTGRES_TEXTS = {
    "effective_cache_size", "logical_decoding_work_mem", "maintenance_work_mem",
    "track_activity_query_size", "max_slot_wal_keep_size", "max_standby_archive_delay",
    "max_standby_streaming_delay", "max_wal_size", "session_replication_role", "shared_buffers",
    "wal_keep_size", "work_mem",
}  # fmt: skip
TIME = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)(us|ms|s|min|h|d)?")


class Reply(NamedTuple):
    """A status code and a body; None is an empty one."""

    status: int
    body: Any


class Refused(Exception):
    """The request is not one that the vendor takes."""


@dataclass(frozen=True)
class Database:
    """Where the project's database is, as it tells its callers."""

    host: str
    pooler_host: str
    pooler_port: int
    version: str
    region: str


def new_project(ref: str, database: Database) -> State:
    """Return the state of a project that nobody has configured yet.

    The shapes are those of the vendor's description of 2026-05-22; the limits of the smallest
    compute are those of its documentation.
    """
    backed_up = datetime.now(UTC) - timedelta(hours=6)
    user = f"postgres.{ref}"
    url = (
        f"postgresql://{user}:[YOUR-PASSWORD]@"
        f"{database.pooler_host}:{database.pooler_port}/postgres"
    )
    return {
        "reads_until_healthy": 0,
        "project": {
            "id": ref,
            "ref": ref,
            "organization_id": "stand-in",
            "organization_slug": "stand-in",
            "name": "stand-in",
            "region": database.region,
            "created_at": "2026-01-01T00:00:00.000000Z",
            "status": "ACTIVE_HEALTHY",
            "database": {
                "host": database.host,
                "version": database.version,
                "postgres_engine": database.version.split(".")[0],
                "release_channel": "ga",
            },
        },
        "postgres": {},
        "pooler": [
            {
                "identifier": ref,
                "database_type": "PRIMARY",
                "is_using_scram_auth": True,
                "db_user": user,
                "db_host": database.pooler_host,
                "db_port": database.pooler_port,
                "db_name": "postgres",
                "connection_string": url,
                "connectionString": url,
                "default_pool_size": None,
                "max_client_conn": None,
                "pool_mode": "transaction",
            }
        ],
        "ssl": {"database": False},
        # Never set: everything is allowed.
        "network": {
            "entitlement": "allowed",
            "config": {"dbAllowedCidrs": [], "dbAllowedCidrsV6": []},
            "status": "stored",
        },
        "postgrest": {
            "db_schema": "public,graphql_public",
            "max_rows": 1000,
            "db_extra_search_path": "public, extensions",
            "db_pool": None,
            "jwt_secret": "a-secret-that-no-caller-may-print",
        },
        "backups": {
            "region": database.region,
            "walg_enabled": True,
            "pitr_enabled": False,
            "backups": [
                {
                    "id": 1,
                    "is_physical_backup": True,
                    "status": "COMPLETED",
                    "inserted_at": backed_up.isoformat(timespec="milliseconds").replace(
                        "+00:00", "Z"
                    ),
                }
            ],
            "physical_backup_data": {},
        },
        "addons": {
            "selected_addons": [
                {
                    "type": "compute_instance",
                    "variant": {
                        "id": "ci_micro",
                        "name": "Micro",
                        "price": {
                            "description": "$0.01344/hour (~$10/month)",
                            "type": "usage",
                            "interval": "hourly",
                            "amount": 0.01344,
                        },
                        "meta": {
                            "cpu_cores": 2,
                            "memory_gb": 1,
                            "connections_direct": 60,
                            "connections_pooler": 200,
                        },
                    },
                }
            ],
            "available_addons": [],
        },
        "banned": [],
    }


def answer(state: State, method: str, path: str, body: Any) -> Reply:
    """Return the vendor's reply to a request about the project, and carry it out on `state`.

    `path` is what follows /v1/projects/<ref>. Unknown paths are 404, a body that the vendor does
    not take is 400.
    """
    found = ROUTES.get((method, path))
    if found is None:
        return Reply(404, {"message": f"Cannot {method} {path}"})
    try:
        return found(state, body)
    except Refused as refused:
        return Reply(400, {"message": str(refused)})


def _project(state: State, _body: Any) -> Reply:
    reply = dict(state["project"])
    if state["reads_until_healthy"]:
        state["reads_until_healthy"] -= 1
        if not state["reads_until_healthy"]:
            state["project"]["status"] = "ACTIVE_HEALTHY"
    return Reply(200, reply)


def _put_postgres(state: State, body: Any) -> Reply:
    for name, value in _fields(body).items():
        if name in POSTGRES_NUMBERS:
            good = isinstance(value, int) and not isinstance(value, bool)
        elif name in POSTGRES_SWITCHES:
            good = isinstance(value, bool)
        elif name in POSTGRES_TIMES:
            good = isinstance(value, str) and TIME.fullmatch(value) is not None
        elif name in POSTGRES_TEXTS:
            good = isinstance(value, str)
        else:
            raise Refused(f"body: Unrecognized key(s) in object: '{name}'")
        if not good:
            raise Refused(f"{name}: Invalid input")
    # The whole set: an override that is not in the request is gone.
    state["postgres"] = {key: body[key] for key in body if key != "restart_database"}
    return Reply(200, state["postgres"])


def _patch_pooler(state: State, body: Any) -> Reply:
    changes = _fields(body, {"default_pool_size", "pool_mode"})
    size = changes.get("default_pool_size")
    if size is not None and (not isinstance(size, int) or not 0 <= size <= 3000):
        raise Refused("default_pool_size: Number must be between 0 and 3000")
    if changes.get("pool_mode", "session") not in ("transaction", "session"):
        raise Refused("pool_mode: Invalid enum value. Expected 'transaction' | 'session'")
    primary = state["pooler"][0]
    primary.update(changes)
    return Reply(200, {key: primary[key] for key in ("default_pool_size", "pool_mode")})


def _ssl(state: State, _body: Any) -> Reply:
    return Reply(200, {"currentConfig": state["ssl"], "appliedSuccessfully": True})


def _put_ssl(state: State, body: Any) -> Reply:
    wanted = _fields(body, {"requestedConfig"}).get("requestedConfig")
    if not isinstance(wanted, dict) or not isinstance(wanted.get("database"), bool):
        raise Refused("requestedConfig.database: Expected boolean")
    state["ssl"] = {"database": wanted["database"]}
    return _ssl(state, None)


def _apply_network(state: State, body: Any) -> Reply:
    names = ("dbAllowedCidrs", "dbAllowedCidrsV6")
    lists = _fields(body, set(names))
    if state["network"]["entitlement"] == "disallowed":
        raise Refused("Network restrictions are not enabled for this project.")
    for version, name in zip((4, 6), names, strict=True):
        for address in lists.get(name, []):
            try:
                right = ipaddress.ip_network(address).version == version
            except (TypeError, ValueError):
                right = False
            if not right:
                raise Refused(f"{name}: {address} is not an IPv{version} CIDR")
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    state["network"] = {
        "entitlement": "allowed",
        "config": {name: lists.get(name, []) for name in names},
        "status": "applied",
        "updated_at": now,
        "applied_at": now,
    }
    return Reply(201, state["network"])


def _patch_postgrest(state: State, body: Any) -> Reply:
    changes = _fields(body, {"db_schema", "max_rows", "db_extra_search_path", "db_pool"})
    if not 0 <= changes.get("max_rows", 0) <= 1_000_000:
        raise Refused("max_rows: Number must be between 0 and 1000000")
    state["postgrest"].update(changes)
    # What changes is answered without the secret, what is read with it.
    return Reply(200, {k: v for k, v in state["postgrest"].items() if k != "jwt_secret"})


def _unban(state: State, body: Any) -> Reply:
    lifted = _fields(body).get("ipv4_addresses", [])
    state["banned"] = [address for address in state["banned"] if address not in lifted]
    return Reply(200, None)


def _fields(body: Any, known: set[str] | None = None) -> State:
    if not isinstance(body, dict):
        raise Refused("body: Expected object")
    strangers = sorted(set(body) - known) if known is not None else []
    if strangers:
        raise Refused(f"body: Unrecognized key(s) in object: {', '.join(strangers)}")
    return body


# Which reads answer 201 and which changes 200 is as irregular as the vendor's own.
ROUTES: dict[tuple[str, str], Callable[[State, Any], Reply]] = {
    ("GET", ""): _project,
    ("GET", "/config/database/postgres"): lambda state, _: Reply(200, state["postgres"]),
    ("PUT", "/config/database/postgres"): _put_postgres,
    ("GET", "/config/database/pooler"): lambda state, _: Reply(200, state["pooler"]),
    ("PATCH", "/config/database/pooler"): _patch_pooler,
    ("GET", "/ssl-enforcement"): _ssl,
    ("PUT", "/ssl-enforcement"): _put_ssl,
    ("GET", "/network-restrictions"): lambda state, _: Reply(200, state["network"]),
    ("POST", "/network-restrictions/apply"): _apply_network,
    ("GET", "/postgrest"): lambda state, _: Reply(200, state["postgrest"]),
    ("PATCH", "/postgrest"): _patch_postgrest,
    ("GET", "/database/backups"): lambda state, _: Reply(200, state["backups"]),
    ("GET", "/billing/addons"): lambda state, _: Reply(200, state["addons"]),
    ("POST", "/network-bans/retrieve"): lambda state, _: Reply(
        201, {"banned_ipv4_addresses": state["banned"]}
    ),
    ("DELETE", "/network-bans"): _unban,
}
