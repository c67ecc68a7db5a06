"""The file of a report that a person keeps: where it may be written, and that it is whole.

It never replaces a file that is no report of the same kind.
"""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterable
from pathlib import Path

from dhafnck_db.errors import UsageError

SMALLEST = 1 << 14  # bytes; no report is smaller


def require_place(file: Path, mark: str) -> None:
    """Refuse a place that no report can be written to, before long work is done for it.

    An earlier report, which begins with `mark`, is replaced; any other file that holds something is
    not. A nameless file is written into the folder on trial, and gone at once.

    Raises:
        UsageError: the folder does not exist or takes no file, or something else is at the path.
    """
    _require_replaceable(file, mark)
    try:
        with tempfile.TemporaryFile(dir=file.parent) as trial:
            trial.write(bytes(SMALLEST))
            trial.flush()
    except OSError as failure:
        raise _unwritable(file, failure) from None


def write(parts: Iterable[str], file: Path, mark: str) -> None:
    """Write a report, which begins with `mark`; replaces an earlier one.

    A file of that name is complete: it is written beside, synced and renamed. Only its owner may
    read it.

    Raises:
        UsageError: the file cannot be written; what was there before still is.
    """
    _require_replaceable(file, mark)
    try:
        descriptor, name = tempfile.mkstemp(prefix=".report-", suffix=".partial", dir=file.parent)
    except OSError as failure:
        raise _unwritable(file, failure) from None
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as written:
            for part in parts:
                written.write(part.encode("utf-8", "backslashreplace"))
            written.flush()
            os.fsync(written.fileno())
        partial.replace(file)
    except OSError as failure:
        raise _unwritable(file, failure) from None
    finally:
        partial.unlink(missing_ok=True)


def _require_replaceable(file: Path, mark: str) -> None:
    try:
        if not file.parent.is_dir():
            raise UsageError(
                "file-unwritable",
                f"cannot write {file}",
                cause=f"there is no folder {file.parent}",
                help="make the folder first, or name a file in another one",
            )
        try:
            found = file.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISREG(found.st_mode):
            raise UsageError(
                "file-unwritable",
                f"cannot write {file}",
                cause="it is a folder, a link or a device, not a file",
                help="name a file for the report",
            )
        if found.st_size:
            with file.open("rb") as former:
                if former.read(len(mark)) != mark.encode():
                    raise UsageError(
                        "file-exists",
                        f"{file} exists and is no report",
                        help="name a new file, or an earlier report to replace",
                    )
    except OSError as failure:
        raise _unwritable(file, failure) from None


def _unwritable(file: Path, failure: OSError) -> UsageError:
    return UsageError(
        "file-unwritable",
        f"cannot write {file}",
        cause=failure.strerror,
        help="name a file in a folder that takes one",
    )
