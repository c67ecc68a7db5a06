"""Whether a file is whole, as far as SQLite can tell.

It never mends anything, and it lets pass what only breaks a rule of the file's own tables.
"""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.batches import quoted


def require_sound(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a file whose pages, or whose indexes beside their tables, do not fit together.

    Args:
        connection: to a copy of it.
        path: of the file, for the error.

    Raises:
        SourceError: it is damaged, or sorts by a collation that is not SQLite's own.
        sqlite3.DatabaseError: SQLite cannot go on with it.
    """
    try:
        problems = _problems(connection)
    except sqlite3.OperationalError as failure:
        missing = re.fullmatch(r"no such collation sequence: (.*)", str(failure), re.DOTALL)
        if missing is None:
            raise
        raise SourceError(
            "source-collation",
            f"{path} sorts by collation {missing[1]} of its own application",
            help="in a copy, make the tables that use it anew without COLLATE",
        ) from None
    found = [problem for problem in problems if not _is_about_content(problem)]
    if found:
        raise corrupt(path, found[0])


def corrupt(path: Path, cause: str) -> SourceError:
    """Return the refusal of a damaged file."""
    return SourceError(
        "source-corrupt",
        f"{path} is damaged",
        cause=cause,
        help="recover it first: sqlite3 FILE .recover | sqlite3 NEW",
    )


def _problems(connection: sqlite3.Connection) -> list[str]:
    # quick_check would be faster, and does not compare an index with its table: of a value that
    # was damaged within a whole page often the index alone can tell.
    try:
        return _checked(connection, "PRAGMA integrity_check(100)")
    except sqlite3.OperationalError as failure:
        if not _is_unknown_function(failure):
            raise
    found = []
    for (table,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        try:
            found += _checked(connection, f"PRAGMA integrity_check({quoted(table)})")
        except sqlite3.OperationalError as failure:
            if not _is_unknown_function(failure):
                raise
            # It has an index over a function of its application, which nobody else can compare.
            found += _checked(connection, f"PRAGMA quick_check({quoted(table)})")
    return found


def _checked(connection: sqlite3.Connection, pragma: str) -> list[str]:
    return [problem for (problem,) in connection.execute(pragma) if problem != "ok"]


def _is_unknown_function(failure: sqlite3.OperationalError) -> bool:
    return "unknown function" in str(failure)


def _is_about_content(problem: str) -> bool:
    # A value that breaks a rule of its own table is still a value, and is carried or listed.
    return (
        problem.startswith(("NULL value in", "CHECK constraint failed in", "non-unique entry"))
        or " value in " in problem
    )
