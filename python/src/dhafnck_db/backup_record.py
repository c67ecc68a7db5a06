"""What is recorded beside a dump, and whether a dump is still what was recorded.

It never changes a dump, and a dump without its record counts for nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from dhafnck_db import clients, identity, revision
from dhafnck_db.errors import GuardError, TargetError
from dhafnck_db.settings import Settings
from dhafnck_db.target import Target

UNITS = {"min": "minutes", "h": "hours", "d": "days"}


@dataclass(frozen=True)
class Record:
    """A moment of a database, and the dump that was made of it right afterwards.

    Beside a dump of the schema alone it is the restore point of a migration: `created_at` and `lsn`
    are where point-in-time recovery would go back to.
    """

    kind: Literal["full", "schema"]
    database: str
    environment: str | None  # as the database says of itself
    reference: str | None
    revision: str | None
    lsn: str | None  # of the server's log; None where the role may not ask
    created_at: str  # ISO 8601, UTC
    bytes: int = 0
    sha256: str = ""


def describe(connection: Connection, kind: Literal["full", "schema"]) -> Record:
    """Return the record of this moment, without a dump yet. Read-only."""
    found = identity.read(connection)
    try:
        at = revision.current(connection)
    except TargetError:  # at several; the dump is no worse for it
        at = None
    record = Record(
        kind=kind,
        database=str(connection.scalar(select(func.current_database()))),
        environment=found.environment if found else None,
        reference=found.reference if found else None,
        revision=at,
        lsn=_lsn(connection),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    connection.rollback()
    return record


def place(dump: Path) -> Path:
    """Return where the record of a dump is."""
    return dump.with_name(dump.name + ".json")


def write(record: Record, dump: Path) -> None:
    """Write the record of a finished dump beside it (mode 0600), with its size and hash."""
    whole = {**asdict(record), "bytes": dump.stat().st_size, "sha256": _sha256(dump)}
    partial = place(dump).with_name(place(dump).name + ".partial")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(whole, file, indent=2)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    partial.rename(place(dump))


def require_recent(target: Target) -> str:
    """Return a line about the newest verified backup of the target's project.

    Read-only. Verified: a full dump of this project in DB_BACKUP_DIR, younger than
    DB_BACKUP_MAX_AGE, whose hash is the recorded one and which pg_restore can list.

    Raises:
        GuardError: there is none.
    """
    settings = target.settings
    faults = []
    for dump, record in _newest_first(settings.db_backup_dir):
        fault = _fault(dump, record, target)
        if fault is None:
            return f"{dump}, of {record.created_at}"
        faults.append(f"{dump.name} {fault}")
    raise GuardError(
        "backup-missing",
        f"{settings.db_backup_dir} has no verified backup of project {target.reference} that is "
        f"younger than {settings.db_backup_max_age}",
        cause="; ".join(faults[:3]) or None,
        help=f"dhafnck-db backup create {settings.db_backup_dir}/NAME.dump; nothing was changed",
    )


def _newest_first(folder: Path) -> Iterator[tuple[Path, Record]]:
    found = []
    for path in folder.glob("*.json"):
        try:
            record = Record(**json.loads(path.read_text()))
            datetime.fromisoformat(record.created_at)
        except (OSError, ValueError, TypeError):
            continue  # of something else
        found.append((path.with_suffix(""), record))
    yield from sorted(found, key=lambda pair: pair[1].created_at, reverse=True)


def _fault(dump: Path, record: Record, target: Target) -> str | None:
    """Return why a dump does not count, the cheapest reasons first; None where it counts."""
    age = datetime.now(UTC) - datetime.fromisoformat(record.created_at)
    if record.kind != "full":
        return "holds the schema alone"
    if (record.environment, record.reference) != (target.environment, target.reference):
        return "is of another database"
    if not timedelta() <= age <= _limit(target.settings):
        return f"is of {record.created_at}"
    if not dump.is_file():
        return "is gone"
    if _sha256(dump) != record.sha256:
        return "is not what was recorded"
    program = clients.program("pg_restore", target.settings)
    listed = subprocess.run([program, "--list", dump], capture_output=True, check=False)  # noqa: S603  # our own choice of program
    return None if listed.returncode == 0 else "cannot be read by pg_restore"


def _limit(settings: Settings) -> timedelta:
    for unit, name in UNITS.items():
        number = settings.db_backup_max_age.removesuffix(unit)
        if number.isdigit():
            return timedelta(**{name: int(number)})
    raise AssertionError(settings.db_backup_max_age)  # the setting's pattern has no other


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lsn(connection: Connection) -> str | None:
    try:
        with connection.begin_nested():
            return str(connection.scalar(select(func.pg_current_wal_lsn())))
    except DBAPIError:
        return None
