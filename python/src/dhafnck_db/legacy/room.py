"""The folder for temporary files: one error where it takes no file or no more of one.

It never makes or removes anything.
"""

from __future__ import annotations

import errno
import sqlite3

from dhafnck_db.errors import ConfigurationError

# What the system and SQLite say where a file may not grow; SQLite is never asked to write to a
# file that is not our own.
_SYSTEM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
_SQLITE = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR_WRITE, sqlite3.SQLITE_IOERR_FSYNC)


def is_out_of_room(failure: BaseException) -> bool:
    """Whether a file could not be written because there is no room for it."""
    if isinstance(failure, OSError):
        return failure.errno in _SYSTEM
    return getattr(failure, "sqlite_errorcode", None) in _SQLITE


def no_room(folder: str | None, failure: BaseException) -> ConfigurationError:
    """Return the error of a folder for temporary files that takes none, or no more."""
    return ConfigurationError(
        "temporary-folder-full",
        f"no room in {folder} for a private copy of the legacy file and notes about it"
        if folder
        else "there is no folder for temporary files",
        cause=getattr(failure, "strerror", None) or str(failure),
        help="make room, or name another folder in the environment variable TMPDIR",
    )
