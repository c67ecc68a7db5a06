"""The structure and rows of an open SQLite file.

It never writes, and never decides what becomes of a table.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.batches import Batch, quoted
from dhafnck_db.legacy.literal import Row, escaped, is_clean
from dhafnck_db.legacy.long import LONG, SHORT, LongText

TYPES = ("integer", "real", "text", "blob", "null")
STORED = {
    int: "integer",
    float: "real",
    str: "text",
    LongText: "text",
    bytes: "blob",
    type(None): "null",
}
COUNTED_AT_ONCE = 100  # columns; SQLite takes at most 2000 expressions in a query
FETCHED_AT_ONCE = 100


@dataclass(frozen=True)
class Column:
    """A column of a legacy table."""

    name: str
    declared: str
    notnull: bool
    key: int  # place in the primary key, from 1; 0 outside
    generated: bool


@dataclass(frozen=True)
class SourceTable:
    """A legacy table."""

    name: str
    columns: tuple[Column, ...]
    rows: int
    rowid: str | None  # the name under which the number of a row can be read
    autoincrement: int | None

    @property
    def keys(self) -> tuple[str, ...]:
        """The columns of the primary key, in its order."""
        return tuple(c.name for c in sorted(self.columns, key=lambda c: c.key) if c.key)

    def position(self, name: str) -> int:
        """Where a column stands in a row that `read_rows` gives."""
        return [c.name for c in self.columns].index(name)


def read_tables(connection: sqlite3.Connection) -> tuple[SourceTable, ...]:
    """Return every table that holds rows of its own, sorted by name. Read-only.

    Raises:
        SourceError: the file has no table, or one whose text cannot be read exactly.
    """
    counters = {}
    if _has_table(connection, "sqlite_sequence"):
        counters = dict(connection.execute("SELECT name, seq FROM sqlite_sequence"))
    names = [
        name
        for (name,) in connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' "
            "ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL TABLE%' ORDER BY name"
        )
    ]
    if not names:
        raise SourceError("source-empty", "the file holds no table", help="name another file")
    for name in names:
        _require_clean_name(name, name)
        for c in _columns(connection, name):
            _require_clean_name(name, c.name)
    tables = tuple(_read_table(connection, name, counters.get(name)) for name in names)
    if encoding(connection) != "UTF-8":
        for found in tables:
            _require_whole_utf16(connection, found)
    return tables


def read_rows(
    connection: sqlite3.Connection, found: SourceTable, where: str | None = None
) -> Iterator[Row]:
    """Yield the rows, always in the same order. Read-only; memory holds a few rows.

    Each row is the values in the order of the columns, then the row's number: SQLite's own where
    the table has one that can be read, else its position.

    Args:
        connection: the snapshot.
        found: the table.
        where: a condition in SQL on the table `s`; for a table whose number can be read.
    """
    cursor = connection.cursor()
    cursor.arraysize = FETCHED_AT_ONCE
    wanted = [f"s.{quoted(c.name)}" for c in found.columns]
    if found.rowid:
        wanted.append(f"s.{found.rowid}")
    condition = f" WHERE {where}" if where else ""
    cursor.execute(f"SELECT {', '.join(wanted)} FROM main.{quoted(found.name)} s{condition}")
    rows = _fetched(connection, cursor)
    if found.rowid:
        yield from rows
    else:
        for position, row in enumerate(rows):
            yield (*row, position)


def _fetched(connection: sqlite3.Connection, cursor: sqlite3.Cursor) -> Iterator[Row]:
    """Yield rows whose long texts are LongText, which no other statement is to meet."""
    usual = connection.text_factory
    while True:
        connection.text_factory = _texts_of_a_row()
        try:
            row = cursor.fetchone()
        finally:
            connection.text_factory = usual
        if row is None:
            return
        yield row


def _texts_of_a_row() -> Callable[[bytes], str | LongText]:
    """Return what makes one text after another, of which no more than LONG bytes become a str."""
    left = LONG

    def make(value: bytes) -> str | LongText:
        nonlocal left
        size = len(value)
        if size > SHORT:
            left -= size
            if left < 0:
                return LongText(value)
        return value.decode("utf-8", "surrogateescape")

    return make


def read_span(
    connection: sqlite3.Connection, found: SourceTable, first: int, last: int
) -> Iterator[Row]:
    """Yield the rows from number `first` to `last`, of a table whose number can be read."""
    yield from read_rows(connection, found, f"s.{found.rowid} BETWEEN {first} AND {last}")


def rows_to_look_at(
    connection: sqlite3.Connection, found: SourceTable, batches: Sequence[Batch]
) -> Iterator[Row]:
    """Yield the rows that are in no plain batch; all of them where there are no batches."""
    if not batches:
        yield from read_rows(connection, found)
    for batch in batches:
        if not batch.plain:
            yield from read_span(connection, found, batch.first, batch.last)


def number_of(row: Row) -> int:
    """Return the number of a row that `read_rows` gave."""
    number = row[-1]
    if not isinstance(number, int):
        raise TypeError(number)
    return number


def encoding(connection: sqlite3.Connection) -> str:
    """Return the encoding that the file keeps text in. Read-only."""
    return str(connection.execute("PRAGMA encoding").fetchone()[0])


def _has_table(connection: sqlite3.Connection, name: str) -> bool:
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (name,))
    return found.fetchone() is not None


def _columns(connection: sqlite3.Connection, name: str) -> tuple[Column, ...]:
    return tuple(
        Column(column_name, escaped(declared or ""), bool(notnull), key, hidden in (2, 3))
        for column_name, declared, notnull, key, hidden in connection.execute(
            'SELECT name, type, "notnull", pk, hidden FROM pragma_table_xinfo(?)', (name,)
        )
    )


def _require_clean_name(table: str, name: str) -> None:
    if not is_clean(name):
        raise SourceError(
            "source-name-broken",
            f"table {escaped(table)} has a name, {escaped(name)}, that is no valid text",
            help="rename it first",
        )


def _read_table(connection: sqlite3.Connection, name: str, counter: int | None) -> SourceTable:
    columns = _columns(connection, name)
    taken = {c.name.casefold() for c in columns}
    rowid = next((n for n in ("rowid", "_rowid_", "oid") if n not in taken), None)
    if rowid:
        try:
            connection.execute(f"SELECT {rowid} FROM main.{quoted(name)} LIMIT 0")
        except sqlite3.OperationalError:
            rowid = None  # WITHOUT ROWID
    (rows,) = connection.execute(f"SELECT count(*) FROM main.{quoted(name)}").fetchone()
    return SourceTable(name, columns, rows, rowid, counter)


def histogram(
    connection: sqlite3.Connection, found: SourceTable, names: Sequence[str]
) -> dict[str, dict[str, int]]:
    """Return how many values each storage class has, by column. Read-only."""
    types: dict[str, dict[str, int]] = {}
    for start in range(0, len(names), COUNTED_AT_ONCE):
        part = names[start : start + COUNTED_AT_ONCE]
        # Most columns are of one class: it is counted with the NULLs, and the rest if there is any.
        likely = _ask(connection, [_first_type(found.name, name) for name in part])
        wanted = [
            what
            for name, kind in zip(part, likely, strict=True)
            for what in (f"count({quoted(name)})", _sum(name, kind or "null"))
        ]
        counts = _ask(connection, wanted, found.name)
        for place, (name, kind) in enumerate(zip(part, likely, strict=True)):
            some, same = counts[2 * place], counts[2 * place + 1] or 0
            counted = {"null": found.rows - some, **({kind: same} if kind else {})}
            if kind and same != some:
                every = _ask(connection, [_sum(name, kind) for kind in TYPES], found.name)
                counted = dict(zip(TYPES, every, strict=True))
            types[name] = {kind: counted[kind] for kind in TYPES if counted.get(kind)}
    return types


def _first_type(table: str, name: str) -> str:
    column = quoted(name)
    return f"(SELECT typeof({column}) FROM main.{quoted(table)} WHERE {column} IS NOT NULL LIMIT 1)"


def _sum(name: str, kind: str) -> str:
    return f"sum(typeof({quoted(name)}) = '{kind}')"


def _ask(connection: sqlite3.Connection, wanted: Sequence[str], table: str = "") -> Any:
    """Return the one row of a SELECT."""
    source = f" FROM main.{quoted(table)}" if table else ""
    return connection.execute(f"SELECT {', '.join(wanted)}{source}").fetchone()


def holds_text(connection: sqlite3.Connection, found: SourceTable, name: str) -> bool:
    """Whether a column is declared as text or a value of it is text all the same. Read-only."""
    column = next(c for c in found.columns if c.name == name)
    if is_declared_text(column.declared):
        return True
    c = quoted(name)
    # Between the least text and the least blob: an index or the row numbers answer at once.
    statement = f"SELECT 1 FROM main.{quoted(found.name)} WHERE {c} >= '' AND {c} < x'' LIMIT 1"
    return connection.execute(statement).fetchone() is not None


def is_declared_text(declared: str) -> bool:
    """Whether SQLite makes text of every number in a column of this type."""
    declared = declared.upper()
    return "INT" not in declared and any(word in declared for word in ("CHAR", "TEXT", "CLOB"))


def _require_whole_utf16(connection: sqlite3.Connection, found: SourceTable) -> None:
    # SQLite turns UTF-16 into UTF-8 as it reads, and half a surrogate pair into something else.
    codec = encoding(connection).lower().replace("utf-16", "utf-16-")

    def is_broken(raw: bytes | None) -> int:
        try:
            (raw or b"").decode(codec)
        except UnicodeDecodeError:
            return 1
        return 0

    connection.create_function("is_broken", 1, is_broken, deterministic=True)
    for c in found.columns:
        text = f"iif(typeof({quoted(c.name)}) = 'text', CAST({quoted(c.name)} AS BLOB), NULL)"
        (broken,) = _ask(connection, [f"sum(is_broken({text}))"], found.name)
        if broken:
            raise SourceError(
                "source-text-broken",
                f"{found.name}.{c.name} holds text that is no valid UTF-16",
                help="correct those values first: SQLite itself cannot read them exactly",
            )
