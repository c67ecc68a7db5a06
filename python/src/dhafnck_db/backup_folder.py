"""The folder of a target's backups: the name and number of the next one, and who may work in it.

It never looks into a dump, and it never removes one that was finished.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from dhafnck_db import backup_record, cipher
from dhafnck_db.backup_record import Record
from dhafnck_db.errors import TargetError, UsageError, VerificationError
from dhafnck_db.settings import Settings

LOCK = ".lock"
UNFINISHED = ".unfinished"  # stands from the beginning of a backup until one has ended well
POLL = 0.1  # seconds


@dataclass(frozen=True)
class Entry:
    """A dump of the folder as it lies there; nothing of it was checked."""

    path: Path
    record: Record


@contextmanager
def locked(settings: Settings) -> Iterator[Path]:
    """Make the folder (mode 0700), and let nobody else back up or prune there meanwhile.

    Yields the folder. The lock belongs to the process: one that is killed holds it no longer.

    Raises:
        UsageError: the folder cannot be made or written to.
        TargetError: another run has held the lock for DB_LOCK_WAIT.
    """
    folder = settings.db_backup_dir
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = (folder / LOCK).open("a")
    except OSError as failure:
        raise UsageError(
            "folder-unwritable",
            f"cannot write to {folder}",
            cause=failure.strerror,
            help="name another folder in DB_BACKUP_DIR",
        ) from None
    with file:
        started = time.monotonic()
        while not _locks(file, fcntl.LOCK_EX):
            if time.monotonic() - started >= settings.db_lock_wait:
                raise TargetError(
                    "folder-locked",
                    f"another run has been working in {folder} for {settings.db_lock_wait} s",
                    help="wait for it, or raise DB_LOCK_WAIT",
                )
            time.sleep(POLL)
        yield folder


@contextmanager
def attempt(folder: Path) -> Iterator[None]:
    """Remember in the folder that a backup was begun, until it has ended well.

    What a killed one left half done is removed first. Whoever prunes looks at `unfinished`.

    Raises:
        UsageError: not even an empty file can be made there.
    """
    for partial in folder.glob("*.partial"):
        with suppress(OSError), partial.open("rb") as file:
            if _locks(file, fcntl.LOCK_EX):  # nobody writes to it any more
                partial.unlink()
    try:
        (folder / UNFINISHED).touch(mode=0o600)
    except OSError as failure:
        raise UsageError(
            "folder-unwritable", f"cannot write to {folder}", cause=failure.strerror
        ) from None
    yield
    (folder / UNFINISHED).unlink(missing_ok=True)


def unfinished(folder: Path) -> bool:
    """Return whether the last backup of the folder did not end well. Read-only."""
    return (folder / UNFINISHED).exists()


def next_name(folder: Path, database: str, recipient: str | None) -> tuple[Path, int]:
    """Return path and number of the next backup. Read-only."""
    number = next_number(folder)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    safe = "".join(letter if letter.isalnum() or letter in "-_" else "_" for letter in database)
    return folder / f"{safe}-{stamp}-{number}.dump{cipher.suffix(recipient)}", number


def next_number(folder: Path) -> int:
    """Return one more than the number of any backup of the folder. Read-only."""
    return max((record.number for _, record in backup_record.newest_first(folder)), default=0) + 1


def entries(folder: Path, *, kind: str = "full") -> list[Entry]:
    """Return the recorded dumps of one kind, newest first. Read-only."""
    found = backup_record.newest_first(folder)
    return [Entry(path, record) for path, record in found if record.kind == kind]


def find(settings: Settings, path: Path | None) -> Entry:
    """Return the named dump with its record, else the newest full one of the folder. Read-only.

    Raises:
        UsageError: there is none, or it has no record.
    """
    if path is None:
        found = entries(settings.db_backup_dir)
        if found:
            return found[0]
        raise UsageError(
            "no-backup",
            f"{settings.db_backup_dir} has no backup",
            help="make one: dhafnck-db backup create",
        )
    record = backup_record.read(path)
    if record is None:
        raise UsageError(
            "no-record",
            f"{path} has no record that can be read beside it",
            help=f"it is named {backup_record.place(path).name}; without it nothing can be checked",
        )
    return Entry(path, record)


@contextmanager
def in_use(entry: Entry) -> Iterator[None]:
    """Keep others from pruning a dump while it is read.

    Raises:
        VerificationError: it is gone, or cannot be opened.
    """
    try:
        file = entry.path.open("rb")
    except OSError as failure:
        gone = isinstance(failure, FileNotFoundError)
        raise VerificationError(
            "backup-damaged",
            f"{entry.path} {'is gone' if gone else 'cannot be opened'}",
            cause=None if gone else failure.strerror,
            help="take another: dhafnck-db backup list",
        ) from None
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield


def remove(entry: Entry) -> bool:
    """Remove a dump and its record; return False, and leave both, while somebody reads it."""
    try:
        with entry.path.open("rb") as file:
            if not _locks(file, fcntl.LOCK_EX):
                return False
            entry.path.unlink()
    except FileNotFoundError:
        pass
    backup_record.place(entry.path).unlink(missing_ok=True)
    return True


def _locks(file: IO[bytes] | IO[str], kind: int) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
