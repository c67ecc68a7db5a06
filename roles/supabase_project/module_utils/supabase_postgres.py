"""The Postgres configuration of a project: overrides of the platform's own values."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from ansible.module_utils.supabase_api import Client
from ansible.module_utils.supabase_errors import ApiError

# The parameters that the vendor takes, by type, from its description of the API of 2026-05-22.
NUMBERS = {
    "max_connections", "max_locks_per_transaction", "max_parallel_maintenance_workers",
    "max_parallel_workers", "max_parallel_workers_per_gather", "max_replication_slots",
    "max_wal_senders", "max_worker_processes",
}  # fmt: skip
SWITCHES = {"hot_standby_feedback", "track_commit_timestamp"}
TEXTS = {
    "checkpoint_timeout", "effective_cache_size", "logical_decoding_work_mem",
    "maintenance_work_mem", "max_slot_wal_keep_size", "max_standby_archive_delay",
    "max_standby_streaming_delay", "max_wal_size", "session_replication_role", "shared_buffers",
    "statement_timeout", "track_activity_query_size", "wal_keep_size", "wal_sender_timeout",
    "work_mem",
}  # fmt: skip

# PostgreSQL takes these at its start only (context `postmaster` in pg_settings).
AT_START = {
    "max_connections", "max_locks_per_transaction", "max_replication_slots", "max_wal_senders",
    "max_worker_processes", "shared_buffers", "track_activity_query_size", "track_commit_timestamp",
}  # fmt: skip


class Postgres:
    """Overrides of PostgreSQL's parameters; null takes one away.

    Args:
        declared: parameter to value.
        restart: whether a parameter that is taken at the server's start restarts it.

    Raises:
        ApiError: a name is unknown, or a value is not of the parameter's type.
    """

    name = "postgres"
    what = "the Postgres configuration"
    path = "/config/database/postgres"

    def __init__(self, declared: dict[str, Any], *, restart: bool) -> None:
        self.wanted = {name: _value(name, value) for name, value in declared.items()}
        self.restart = restart
        self._found: dict[str, Any] = {}

    def read(self, api: Client) -> dict[str, Any]:
        self._found = api.get(self.path, self.what)
        return {name: self._found.get(name) for name in self.wanted}

    def write(self, api: Client) -> None:
        # The request replaces the whole set: an override that is not declared goes along as it is.
        merged = {**self._found, **self.wanted}
        body = {name: value for name, value in merged.items() if value is not None}
        if self.restart and self._at_start(n for n in merged if merged[n] != self._found.get(n)):
            body["restart_database"] = True
        api.request("PUT", self.path, self.what, body)

    def findings(self, changed: Iterable[str]) -> list[str]:
        waiting = [] if self.restart else self._at_start(changed)
        if not waiting:
            return []
        return [f"{', '.join(waiting)}: takes effect when the database is restarted"]

    def _at_start(self, names: Iterable[str]) -> list[str]:
        return sorted(AT_START.intersection(names))


def _value(name: str, value: Any) -> Any:
    if name not in NUMBERS | SWITCHES | TEXTS:
        near = difflib.get_close_matches(name, NUMBERS | SWITCHES | TEXTS, n=1)
        raise ApiError(
            "supabase-setting-invalid",
            f"postgres.{name} is no parameter that the vendor lets a project override",
            help=f"it may be meant as {near[0]}" if near else "take it out of the declaration",
        )
    number = isinstance(value, int) and not isinstance(value, bool)
    if value is None:
        return None
    if name in NUMBERS and (number or str(value).isdecimal()):
        return int(value)
    if name in SWITCHES and isinstance(value, bool):
        return value
    if name in TEXTS and (number or (isinstance(value, str) and value)):
        return str(value)
    wanted = "number" if name in NUMBERS else "true or false" if name in SWITCHES else "text"
    raise ApiError(
        "supabase-setting-invalid",
        f"postgres.{name}: {value!r} is no {wanted}",
        help="write it as PostgreSQL does, such as 16MB or 30s; null takes an override away",
    )
