"""The rows of a SQLite file with the class of every value, read without the project's code."""

import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# What a value is, with its class: 1, 1.0, '1' and X'31' are four values, 0.0 and -0.0 two.
Exact = tuple[str, Any] | None
ExactRow = tuple[Exact, ...]


class Text(bytes):
    """The bytes of a text, as the file holds them."""


@dataclass(frozen=True)
class Rows:
    """What a table holds."""

    columns: list[str]
    rows: list[ExactRow]
    numbers: list[int] | None  # of the rows, in the same order; None where SQLite does not tell


@contextmanager
def opened(file: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection that gives text as its bytes."""
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as source:
        source.text_factory = Text
        yield source


def table_names(source: sqlite3.Connection) -> list[str]:
    """Return the tables that hold rows of their own."""
    names = source.execute("SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [
        name.decode()
        for name, made in names
        if not name.startswith(b"sqlite_") and not made.upper().startswith(b"CREATE VIRTUAL")
    ]


def counters(source: sqlite3.Connection) -> dict[str, int]:
    """Return the last number that each AUTOINCREMENT table gave."""
    if not source.execute("SELECT 1 FROM sqlite_master WHERE name = 'sqlite_sequence'").fetchone():
        return {}
    return {name.decode(): seq for name, seq in source.execute("SELECT * FROM sqlite_sequence")}


def read(source: sqlite3.Connection, table: str) -> Rows:
    """Return the rows of a table, generated columns included."""
    described = source.execute("SELECT name FROM pragma_table_xinfo(?) WHERE hidden <> 1", [table])
    columns = [name.decode() for (name,) in described]
    names = ", ".join(map(quoted, columns))
    free = {"rowid", "_rowid_", "oid"} - {name.lower() for name in columns}
    if free:
        asked = " ".join(("SELECT", min(free), ",", names, "FROM", quoted(table)))
        try:
            found = [(number, tuple(map(exact, row))) for number, *row in source.execute(asked)]
        except sqlite3.OperationalError:
            pass  # WITHOUT ROWID
        else:
            return Rows(columns, [row for _, row in found], [number for number, _ in found])
    asked = " ".join(("SELECT", names, "FROM", quoted(table)))
    return Rows(columns, [tuple(map(exact, row)) for row in source.execute(asked)], None)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def exact(value: Any) -> Exact:
    """Return a value as Python's sqlite3 gives it, with its class."""
    match value:
        case None:
            return None
        case Text():
            return "text", bytes(value)
        case bytes():
            return "blob", value
        case float():
            return "real", struct.pack(">d", value)
    return "integer", value
