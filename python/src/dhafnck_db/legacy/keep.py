"""A copy of the legacy file, kept with its hash before anything else is done with it.

It never changes the file, and never replaces or removes a copy that was kept before.

Two hashes are told apart. `Snapshot.sha256` recognises a source in the database, and covers what
SQLite keeps beside the file. `Kept.sha256` is of the copy, and checks with `sha256sum -c`. They are
the same where nothing lies beside the file: then the copy is the file, byte for byte, and
`sqlite verify` takes it in the file's place. Else the copy is one whole file with what was
committed, the same to SQLite and not to a hash.
"""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.snapshot import CHUNK, WAIT, Snapshot, open_snapshot

SHOWN = 12  # digits of the hash in a name
LONGEST = 50  # characters of the file's name in a name; four bytes each fit any file system


@dataclass(frozen=True)
class Kept:
    """A kept copy. `sha256` is the copy's own; `changed` is false where it was there already."""

    path: Path
    sha256: str
    changed: bool


def keep(path: Path, folder: Path, *, wait: float = WAIT) -> Kept:
    """Copy a legacy file to `folder`/NAME-HASH.db (mode 0600), with a .sha256 file beside it.

    Read-only for the file. The folder is made (mode 0700) where it is missing. The copy is complete
    or not there at all; one of the same content is used again.

    Raises:
        SourceError: the file cannot be read, the folder takes no copy, or a copy of that name
            holds something else by now.
    """
    with open_snapshot(path, wait=wait) as snapshot:
        return keep_snapshot(snapshot, folder)


def keep_snapshot(snapshot: Snapshot, folder: Path) -> Kept:
    """Keep what a snapshot was made of: as `keep`, for a run that has the file open already."""
    try:
        return _keep(snapshot, folder)
    except (OSError, sqlite3.OperationalError) as failure:
        named = getattr(failure, "filename", None)
        said = getattr(failure, "strerror", None) or str(failure)
        raise SourceError(
            "keep-failed",
            f"no copy of {snapshot.path} can be kept in {folder}; nothing was imported",
            cause=f"{said}: {named}" if named else said,
            help="make room, or name another folder with --keep",
        ) from None


def _keep(snapshot: Snapshot, folder: Path) -> Kept:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    kept = _find(snapshot, folder, snapshot.sha256)
    if kept is None:
        with _partial(folder) as partial:
            digest = _copy(snapshot, partial)
            kept = _find(snapshot, folder, digest)
            if kept is None:
                kept = Kept(_place(snapshot, folder, digest), digest, changed=True)
                partial.rename(kept.path)
    # Written last: a hash always has its copy, and a killed run's missing one is made up for.
    listing = kept.path.with_name(kept.path.name + ".sha256")
    if not listing.exists():
        with _partial(folder) as partial:
            partial.write_text(f"{kept.sha256}  {kept.path.name}\n", "utf-8")
            _sync(partial)
            partial.rename(listing)
    _sync(folder)
    return kept


def _place(snapshot: Snapshot, folder: Path, digest: str) -> Path:
    # The copy of a kept copy is that copy. A name is made of what no tool has to escape.
    stem = snapshot.path.stem.removesuffix(f"-{digest[:SHOWN]}")
    name = re.sub(r"[^\w.-]+", "_", stem)[:LONGEST].lstrip("-.")
    return folder / f"{name or 'legacy'}-{digest[:SHOWN]}.db"


def _find(snapshot: Snapshot, folder: Path, digest: str) -> Kept | None:
    """Return the copy with this hash if it was kept before."""
    path = _place(snapshot, folder, digest)
    if not path.exists():
        return None
    if _hash(path) != digest:
        raise SourceError(
            "kept-copy-damaged",
            f"{path} is not what was kept under this name; nothing was imported",
            help="move it away, and start again; a new copy is kept then",
        )
    return Kept(path, digest, changed=False)


@contextmanager
def _partial(folder: Path) -> Iterator[Path]:
    """A file (mode 0600) to fill and rename; removed if it was not."""
    descriptor, name = tempfile.mkstemp(prefix=".", suffix=".partial", dir=folder)
    os.close(descriptor)
    partial = Path(name)
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _copy(snapshot: Snapshot, partial: Path) -> str:
    """Fill the file with the legacy file's content, and return its hash."""
    digest = hashlib.sha256()
    with snapshot.path.open("rb") as source, partial.open("wb") as target:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            target.write(chunk)
    if digest.hexdigest() == snapshot.sha256 and not snapshot.changing:
        _sync(partial)
        return snapshot.sha256
    # Part of the content lies beside the file, or somebody writes: the snapshot has it whole.
    os.truncate(partial, 0)
    with closing(sqlite3.connect(partial)) as whole:
        snapshot.connection.backup(whole)
        whole.execute("PRAGMA journal_mode = DELETE")  # no log that could get lost again
    _sync(partial)
    return _hash(partial)


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
