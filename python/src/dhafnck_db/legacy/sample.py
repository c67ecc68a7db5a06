"""A small legacy file, made by code, to try the import with.

It never replaces a file.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from importlib import resources
from pathlib import Path

from dhafnck_db.errors import UsageError


def write_sample(path: Path) -> None:
    """Write a file as the application of August 2025 left them; it imports without rejects.

    Raises:
        UsageError: there is something at the path already, or no folder to write to.
    """
    statements = (resources.files(__package__) / "sample.sql").read_text("utf-8")
    try:
        path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        raise UsageError(
            "file-exists", f"{path} exists already", help="name another file; nothing was written"
        ) from None
    except OSError as failure:
        raise UsageError(
            "file-unwritable", f"cannot write {path}", cause=failure.strerror
        ) from None
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(statements)
