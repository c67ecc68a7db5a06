"""What is recorded beside a dump, and whether a dump is still what was recorded.

It never changes a dump, and a dump without its record counts for nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from dhafnck_db import archive, identity, revision
from dhafnck_db.errors import GuardError, TargetError, VerificationError
from dhafnck_db.settings import Settings, duration
from dhafnck_db.target import Target


@dataclass(frozen=True)
class Record:
    """A moment of a database, and the dump that was made of it right afterwards.

    Beside a dump of the schema alone it is the restore point of a migration: `created_at` and `lsn`
    are where point-in-time recovery would go back to. Beside a full dump it is the manifest that a
    drill and a restore are held against. What has a default is missing in records of old.
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
    number: int = 0  # of the backups of a folder, counted on; the clock may be set back
    major: int = 0  # of the server
    server: str = ""
    encrypted: bool = False
    schemas: list[str] = field(default_factory=list)  # what the dump holds
    catalog: dict[str, str] = field(default_factory=dict)  # the hash of each entry
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)  # rows and checksum of each
    sequences: dict[str, int] = field(default_factory=dict)
    surroundings: dict[str, Any] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return sum(int(content["rows"]) for content in self.tables.values())


def describe(connection: Connection, kind: Literal["full", "schema"]) -> Record:
    """Return the record of this moment, without a dump yet.

    Read-only, in the caller's transaction.
    """
    found = identity.read(connection)
    try:
        at = revision.current(connection)
    except TargetError:  # at several; the dump is no worse for it
        at = None
    version = str(connection.scalar(select(func.current_setting("server_version"))))
    number = str(connection.scalar(select(func.current_setting("server_version_num"))))
    return Record(
        kind=kind,
        database=str(connection.scalar(select(func.current_database()))),
        environment=found.environment if found else None,
        reference=found.reference if found else None,
        revision=at,
        lsn=_lsn(connection),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        major=int(number) // 10000,
        server=version,
    )


def place(dump: Path) -> Path:
    """Return where the record of a dump is."""
    return dump.with_name(dump.name + ".json")


def finish(record: Record, partial: Path, dump: Path) -> None:
    """Give a finished dump its name, and its record, with size and hash, beside it (mode 0600).

    Both are on disk before either has its name; the record gets its own last.
    """
    whole = {**asdict(record), "bytes": partial.stat().st_size, "sha256": sha256(partial)}
    written = place(dump).with_name(place(dump).name + ".partial")
    written.unlink(missing_ok=True)
    try:
        descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump(whole, file, indent=2)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(dump)
        written.rename(place(dump))
    finally:
        written.unlink(missing_ok=True)
    folder = os.open(dump.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read(dump: Path) -> Record | None:
    """Return the record beside a dump; None where there is none that can be read. Read-only."""
    try:
        record = Record(**json.loads(place(dump).read_text()))
        datetime.fromisoformat(record.created_at)
    except (OSError, ValueError, TypeError):
        return None
    return record


def require_recent(target: Target) -> str:
    """Return a line about the newest verified backup of the target's project.

    Read-only. Verified: a full dump of this project in DB_BACKUP_DIR, younger than
    DB_BACKUP_MAX_AGE, whose hash is the recorded one and which pg_restore can list.

    Raises:
        GuardError: there is none.
    """
    settings = target.settings
    faults = []
    for dump, record in newest_first(settings.db_backup_dir):
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


def newest_first(folder: Path) -> Iterator[tuple[Path, Record]]:
    """Yield the recorded dumps of a folder, newest first.

    Read-only. Newest by the number that was counted on; the clock decides among equals.
    """
    found = []
    for path in folder.glob("*.json"):
        record = read(path.with_suffix(""))
        if record is not None:
            found.append((path.with_suffix(""), record))
    yield from sorted(found, key=lambda pair: (pair[1].number, pair[1].created_at), reverse=True)


def newest_full(target: Target) -> Record | None:
    """Return the record of the newest full dump of a target in DB_BACKUP_DIR; None without one.

    Read-only. Nothing of the dump itself is checked.
    """
    for _, record in newest_first(target.settings.db_backup_dir):
        own = target.reference in (None, record.reference)  # None for a server of one's own
        if own and record.kind == "full" and record.environment == target.environment:
            return record
    return None


def damage(dump: Path, record: Record, settings: Settings) -> str | None:
    """Return why a dump is not what was recorded, the cheapest reasons first; None where it is.

    Read-only. An encrypted dump is decrypted for it, and not kept so.
    """
    if not dump.is_file():
        return "is gone"
    if dump.stat().st_size != record.bytes or sha256(dump) != record.sha256:
        return "is not what was recorded"
    return archive.unreadable(dump, record.encrypted, settings)


def require_whole(dump: Path, record: Record, settings: Settings) -> None:
    """Refuse a dump that is not what was recorded, or that pg_restore cannot list. Read-only.

    Raises:
        VerificationError: it is damaged, and how.
    """
    fault = damage(dump, record, settings)
    if fault is not None:
        raise VerificationError(
            "backup-damaged",
            f"{dump} {fault}",
            help="take another: dhafnck-db backup list; and make a new one",
        )


def _fault(dump: Path, record: Record, target: Target) -> str | None:
    """Return why a dump does not count, the cheapest reasons first; None where it counts."""
    age = datetime.now(UTC) - datetime.fromisoformat(record.created_at)
    if record.kind != "full":
        return "holds the schema alone"
    if (record.environment, record.reference) != (target.environment, target.reference):
        return "is of another database"
    if not timedelta() <= age <= duration(target.settings.db_backup_max_age):
        return f"is of {record.created_at}"
    return damage(dump, record, target.settings)


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal. Read-only."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _lsn(connection: Connection) -> str | None:
    try:
        with connection.begin_nested():
            return str(connection.scalar(select(func.pg_current_wal_lsn())))
    except DBAPIError:
        return None
