"""A backup restored into a server of its own, and held against what was recorded when it was made.

It never touches the database that the backup is of, and what it could not do is a failure.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

from pydantic import SecretStr

from dhafnck_db import (
    archive,
    backup_folder,
    backup_record,
    comparison,
    drill_record,
    health,
    scratch,
    scratch_database,
)
from dhafnck_db.backup_folder import Entry
from dhafnck_db.drill_record import Drill
from dhafnck_db.errors import ToolkitError, VerificationError
from dhafnck_db.scratch import Scratch
from dhafnck_db.settings import Settings
from dhafnck_db.target import resolve

DATABASE = "drill"
# Of health's checks those that say something about a copy; the rest is about its server.
CHECKS = ("reachable", "server", "extensions", "settings", "read-write", "latency")


def run(settings: Settings, entry: Entry) -> Drill:
    """Restore a backup into a scratch server, compare it with its record, and remove the server.

    How it ended is written beside the backup (`drill_record.last` reads it), also where it failed.

    Raises:
        VerificationError: what was restored is not what was recorded.
        ToolkitError: the drill could not be done.
    """
    started, folder = time.monotonic(), entry.path.parent
    try:
        seconds, checks = _prove(settings, entry, started)
    except ToolkitError as failure:
        said = f"{failure.message}: {failure.cause}" if failure.cause else failure.message
        drill_record.write(_ended(entry, False, time.monotonic() - started, said, {}), folder)
        raise
    except BaseException:
        interrupted = _ended(entry, False, time.monotonic() - started, "was interrupted", {})
        drill_record.write(interrupted, folder)
        raise
    done = _ended(entry, True, seconds, "as recorded", checks)
    drill_record.write(done, folder)
    return done


def _prove(settings: Settings, entry: Entry, started: float) -> tuple[float, dict[str, str]]:
    record = entry.record
    if record.kind != "full" or not record.catalog:
        raise VerificationError(
            "nothing-recorded",
            f"{entry.path} has a record without contents: there is nothing to compare with",
            help="make a new one: dhafnck-db backup create",
        )
    backup_record.require_whole(entry.path, record, settings)
    with backup_folder.in_use(entry), scratch.server(settings, record.major) as server:
        with scratch_database.connected(server, "postgres") as superuser:
            scratch_database.make_roles(superuser, record.surroundings)
            scratch_database.execute(superuser, "CREATE DATABASE {} TEMPLATE template0", DATABASE)
        with scratch_database.connected(server, DATABASE) as superuser:
            scratch_database.make_surroundings(superuser, record.surroundings, DATABASE)
        _restore(settings, entry, server)
        seconds = time.monotonic() - started
        with scratch_database.connected(server, DATABASE, "REPEATABLE READ") as connection:
            comparison.require_same(connection, record, entry.path)
        return seconds, _health(settings, server)


def _restore(settings: Settings, entry: Entry, server: Scratch) -> None:
    try:
        archive.restore_into(
            entry.path,
            entry.record.encrypted,
            settings,
            program=server.programs / "pg_restore",
            env=server.environment(DATABASE),
        )
    except archive.Failed as failure:
        raise VerificationError(
            "backup-damaged",
            f"{entry.path} cannot be restored",
            cause=str(failure),
            help=failure.way_out or "this backup is worth nothing: make a new one, and try that",
        ) from None


def _health(settings: Settings, server: Scratch) -> dict[str, str]:
    update = {
        "database_type": "postgresql",
        "database_url": SecretStr(server.url(DATABASE)),
        "db_sslmode": None,
        "db_pool_size": 1,
        "db_max_overflow": 0,
    }
    report = health.examine(resolve(settings.model_copy(update=update)))
    found = {check.name: check for check in report.checks if check.name in CHECKS}
    bad = [f"{name}: {check.finding}" for name, check in found.items() if check.status == "failed"]
    if bad:
        raise VerificationError(
            "restored-unhealthy", "the restored database is unhealthy", cause="; ".join(bad)
        )
    return {name: check.finding for name, check in found.items()}


def _ended(entry: Entry, ok: bool, seconds: float, finding: str, checks: dict[str, str]) -> Drill:
    return Drill(
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        backup=entry.path.name,
        ok=ok,
        seconds=round(seconds, 1),
        tables=len(entry.record.tables),
        rows=entry.record.rows,
        finding=finding,
        checks=checks,
    )
