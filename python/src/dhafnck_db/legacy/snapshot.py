"""A private copy of the legacy file, so that what a run reads never changes.

It never writes to the file or beside it, and never creates one at a mistyped path.
"""

from __future__ import annotations

import hashlib
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.room import is_out_of_room, no_room
from dhafnck_db.legacy.soundness import corrupt, require_sound
from dhafnck_db.scratch_folder import scratch_folder

MAGIC = b"SQLite format 3\x00"
WAIT = 10.0  # seconds that a lock is waited for, and that a file may go on changing
CHUNK = 1 << 20
COPY, SCRATCH = "snapshot.db", "scratch.db"
LONGEST = 16 << 20  # bytes
LONE = "surrogateescape"  # what becomes of bytes that are no UTF-8
CACHE = 256  # KiB of pages that a connection keeps
# What SQLite keeps beside a file: commits not yet in it, or what undoes half a commit.
SIDECARS = ("-wal", "-journal")


@dataclass(frozen=True)
class Snapshot:
    """A consistent copy of a legacy file, open for reading."""

    path: Path
    sha256: str
    bytes: int
    changing: bool  # somebody wrote to the file all the while
    connection: sqlite3.Connection  # with the empty database `scratch` attached, for notes
    directory: Path  # of the copy; private, and removed with it
    file: tuple[int, int]  # device and inode of the file that was copied

    def require_same_file(self) -> None:
        """Refuse a path that leads to another file by now. Read-only.

        Raises:
            SourceError: the file, or the link to it, was replaced or removed.
        """
        try:
            found = self.path.stat()
        except OSError:
            found = None
        if found is None or (found.st_dev, found.st_ino) != self.file:
            raise _changed(self.path, "was replaced by another file since it was read")

    def reader(self) -> sqlite3.Connection:
        """Open another connection for reading; see `open_reader`."""
        return open_reader(self.directory)


@dataclass(frozen=True)
class _State:
    sha256: str
    bytes: int
    file: tuple[int, int]


@contextmanager
def open_snapshot(path: Path, *, wait: float = WAIT) -> Iterator[Snapshot]:
    """Copy a SQLite file into a private directory, and open the copy read-only.

    Read-only for the file. A writer may be at work: what was committed is in the copy, what was
    not is not. The hash covers a write-ahead log or hot journal beside the file as well.

    Raises:
        SourceError: the file is missing, no SQLite file, empty, corrupt, locked for longer than
            `wait` seconds, or was replaced by another while it was copied.
        ConfigurationError: the folder for temporary files takes no copy, or within the block no
            more notes.
    """
    before = _state(path)
    deadline = time.monotonic() + wait
    with _private_directory() as directory:
        copy = directory / COPY
        while True:
            consistent = _copy(path, copy, wait)
            after = _state(path)
            if after.file != before.file:
                raise _changed(path, "was replaced by another file while it was read")
            if after == before:
                break
            if time.monotonic() > deadline:
                if not consistent:
                    raise _changed(path, "was written to all the while it was read")
                break
            before = after
        with closing(_opened(copy, path)) as connection:
            _attach_scratch(connection, directory, "rwc")
            yield Snapshot(
                path,
                after.sha256,
                after.bytes,
                after != before,
                connection,
                directory,
                after.file,
            )


@contextmanager
def _private_directory() -> Iterator[Path]:
    """Make a directory (mode 0700) to fill, and remove it; explain where it takes no more."""
    with ExitStack() as stack:
        try:
            directory = stack.enter_context(scratch_folder("snapshot"))
        except OSError as failure:
            raise no_room(tempfile.tempdir, failure) from None
        try:
            yield directory
        except (OSError, sqlite3.DatabaseError) as failure:
            if is_out_of_room(failure):
                raise no_room(tempfile.tempdir, failure) from None
            raise


def open_read_only(
    path: Path, *, wait: float = WAIT, immutable: bool = False
) -> sqlite3.Connection:
    """Open a SQLite file read-only; text comes as str, its invalid bytes as lone surrogates.

    Never creates a file. An immutable file is read without a lock, and its log is ignored.
    """
    uri = path.absolute().as_uri() + ("?immutable=1" if immutable else "?mode=ro")
    connection = sqlite3.connect(
        uri, uri=True, timeout=wait, isolation_level=None, check_same_thread=False
    )
    connection.text_factory = _text
    return connection


def open_reader(directory: Path) -> sqlite3.Connection:
    """Open a snapshot's copy for reading, with `scratch` attached; text comes as bytes.

    For use by any one thread at a time. No value or row longer than LONGEST bytes can be read.
    """
    reader = open_read_only(directory / COPY)
    reader.text_factory = bytes
    reader.execute("PRAGMA trusted_schema = OFF")
    reader.execute(f"PRAGMA cache_size = -{CACHE}")
    _attach_scratch(reader, directory, "ro")
    reader.execute(f"PRAGMA scratch.cache_size = -{CACHE}")
    reader.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    return reader


def _attach_scratch(connection: sqlite3.Connection, directory: Path, mode: str) -> None:
    uri = (directory / SCRATCH).absolute().as_uri() + f"?mode={mode}"
    connection.execute("ATTACH DATABASE ? AS scratch", (uri,))


def _text(value: bytes) -> str:
    return value.decode("utf-8", LONE)


def _state(path: Path) -> _State:
    """Return hash, size and inode of a file, with what SQLite keeps beside it."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(
                "source-not-a-file", f"{path} is not a file", help="name a SQLite file"
            )
        if found.st_size == 0:
            raise SourceError("source-empty", f"{path} is empty", help="name a SQLite file")
        digest = hashlib.sha256()
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise SourceError(
                    "source-not-sqlite",
                    f"{path} is not a SQLite file",
                    help="name a file of SQLite 3; one that is encrypted has to be decrypted first",
                )
            file.seek(0)
            while chunk := file.read(CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        raise SourceError(
            "source-missing", f"no such file: {path}", help="check the path; nothing was created"
        ) from None
    except OSError as failure:
        raise SourceError(
            "source-unreadable", f"cannot read {path}", cause=failure.strerror
        ) from None
    for sidecar in SIDECARS:
        try:
            with _beside(path, sidecar).open("rb") as file:
                if chunk := file.read(CHUNK):
                    digest.update(sidecar.encode())
                while chunk:
                    digest.update(chunk)
                    chunk = file.read(CHUNK)
        except OSError:
            continue
    return _State(digest.hexdigest(), found.st_size, (found.st_dev, found.st_ino))


def _beside(path: Path, suffix: str) -> Path:
    # SQLite puts them beside the file that a symbolic link leads to.
    resolved = path.resolve()
    return resolved.with_name(resolved.name + suffix)


def _copy(path: Path, copy: Path, wait: float) -> bool:
    """Copy the file; return whether the copy is consistent even if somebody wrote meanwhile."""
    copy.unlink(missing_ok=True)
    log, shared = _beside(path, "-wal").exists(), _beside(path, "-shm").exists()
    try:
        if log and not shared:
            # A log that nobody has open: SQLite would make the missing file beside it.
            _copy_with_sidecars(path, copy)
            return False
        try:
            # Without its log, opening a WAL file would create one. Nobody writes it then.
            alone = not log and _is_in_wal_mode(path)
            _back_up(path, copy, wait, immutable=alone)
            return not alone
        except sqlite3.OperationalError as failure:
            if failure.sqlite_errorcode in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise SourceError(
                    "source-locked",
                    f"{path} was locked for longer than {wait:g} s",
                    help="stop the application that writes it",
                ) from None
            if is_out_of_room(failure):
                raise
            # A hot journal needs a recovery that writes: that is done on the copy.
            _copy_with_sidecars(path, copy)
            return False
    except (sqlite3.DatabaseError, UnicodeDecodeError) as failure:
        if is_out_of_room(failure):
            raise
        # SQLite quotes what it cannot parse, and that need not be text.
        raise corrupt(path, str(failure)) from None


def _is_in_wal_mode(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(20)[18:20] == b"\x02\x02"


def _back_up(path: Path, copy: Path, wait: float, *, immutable: bool) -> None:
    with closing(open_read_only(path, wait=wait, immutable=immutable)) as source:
        # Within a read transaction a backup is never told to wait, which it would do for ever.
        source.execute("BEGIN")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        with closing(sqlite3.connect(copy)) as target:
            copy.chmod(0o600)
            source.backup(target)


def _copy_with_sidecars(path: Path, copy: Path) -> None:
    copy.unlink(missing_ok=True)  # what a failed backup left
    shutil.copyfile(path, copy)
    copy.chmod(0o600)
    for sidecar in SIDECARS:
        if _beside(path, sidecar).exists():
            shutil.copyfile(_beside(path, sidecar), _beside(copy, sidecar))
    with closing(sqlite3.connect(copy, isolation_level=None)) as recovered:
        recovered.execute("SELECT count(*) FROM sqlite_master").fetchone()


def _opened(copy: Path, path: Path) -> sqlite3.Connection:
    connection = open_read_only(copy)
    try:
        # The schema comes from a stranger: its functions are not to run with our rights.
        connection.execute("PRAGMA trusted_schema = OFF")
        require_sound(connection, path)
    except (sqlite3.DatabaseError, UnicodeDecodeError) as failure:
        connection.close()
        raise corrupt(path, str(failure)) from None
    except SourceError:
        connection.close()
        raise
    return connection


def _changed(path: Path, what: str) -> SourceError:
    return SourceError(
        "source-changed", f"{path} {what}", help="stop what writes it, and start again"
    )
