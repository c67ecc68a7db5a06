"""A table of the file in batches of neighbouring rows, small in number and in bytes.

It never keeps a batch, and never decides what is done with one.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

Span = tuple[int, int]  # the first and the last number of rows

WANTED = 64 << 10  # bytes of a batch; more misses the processor's cache
MOST_ROWS, MOST = 1000, 4 << 20  # rows and bytes
AT_ONCE = 16 << 20  # bytes that are joined before it is known that they are more than MOST


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows whose numbers are from `first` to `last`."""

    first: int
    last: int
    rows: int
    plain: bool  # whether all of them can be taken as they are


class Batches(Sequence[Batch]):
    """Batches in their order, in a fraction of the room: a big file has tens of thousands."""

    def __init__(self, batches: Iterable[Batch] = ()) -> None:
        self._first, self._last = array("q"), array("q")
        self._rows, self._plain = array("i"), array("b")
        for batch in batches:
            self.append(batch)

    def append(self, batch: Batch) -> None:
        """Add one behind the others."""
        self._first.append(batch.first)
        self._last.append(batch.last)
        self._rows.append(batch.rows)
        self._plain.append(batch.plain)

    def __len__(self) -> int:
        return len(self._first)

    @overload
    def __getitem__(self, at: int) -> Batch: ...
    @overload
    def __getitem__(self, at: slice) -> Batches: ...
    def __getitem__(self, at: int | slice) -> Batch | Batches:
        if isinstance(at, slice):
            return Batches(self[place] for place in range(*at.indices(len(self))))
        return Batch(self._first[at], self._last[at], self._rows[at], bool(self._plain[at]))


@dataclass(frozen=True)
class Rows:
    """Where the rows of a table are found: its name and its row number, as SQL spells them."""

    table: str
    number: str

    @property
    def within(self) -> str:
        """The rows of a batch; its first and last number are the parameters."""
        return f"FROM {self.table} s NOT INDEXED WHERE s.{self.number} BETWEEN :first AND :last"


def quoted(name: str) -> str:
    """Return a name as SQL spells it."""
    return '"' + name.replace('"', '""') + '"'


def spans(reader: sqlite3.Connection, rows: Rows, count: int) -> list[Span]:
    """Return `count` spans of row numbers, about equally long, that together are the whole table.

    A table without rows has none, and one with a few numbers has fewer.
    """
    low, high = reader.execute(
        f"SELECT min({rows.number}), max({rows.number}) FROM {rows.table}"
    ).fetchone()
    if low is None:
        return []
    step = max(1, -(-(high - low + 1) // count))
    return [(first, min(first + step - 1, high)) for first in range(low, high + 1, step)]


def scan(
    reader: sqlite3.Connection,
    rows: Rows,
    span: Span,
    selected: str,
    parameters: Mapping[str, object],
    *,
    texts: int,
    unseen: str = "0",
) -> Iterator[tuple[int, int, Sequence[bytes | int | float | None] | None]]:
    """Ask the same of batch after batch: yield its first and last number, and the answer.

    A row that is too big stands alone, and its answer is None.

    Args:
        reader: a connection to the snapshot.
        rows: the table.
        span: which of its rows.
        selected: what is asked of a batch, in SQL.
        parameters: of `selected`.
        texts: how many parts of the answer join a value of each row.
        unseen: the bytes of a row that are in no answer and will be asked for later, in SQL.
    """
    boundary = (
        f"SELECT max(number) FROM (SELECT {rows.number} AS number FROM {rows.table} "
        f"WHERE {rows.number} BETWEEN :first AND :high ORDER BY 1 LIMIT :size)"
    )
    statement = f"SELECT total({unseen}), {selected} {rows.within}"
    first, high = span
    size = 100
    longest = max(WANTED, AT_ONCE // max(1, texts))
    while first <= high:
        last = reader.execute(boundary, {"first": first, "high": high, "size": size}).fetchone()[0]
        if last is None:
            return
        found, taken = _ask(
            reader, statement, {**parameters, "first": first, "last": last}, longest
        )
        if taken > MOST and size > 1:
            size = max(1, size // 8)
            continue
        yield first, last, None if taken > MOST else found
        size = max(1, min(MOST_ROWS, 2 * size, size * WANTED // max(taken, 1)))
        first = last + 1


def _ask(
    reader: sqlite3.Connection, statement: str, parameters: Mapping[str, object], longest: int
) -> tuple[Sequence[bytes | int | float | None], int]:
    """Return the answer of a batch without its first part, and how many bytes it is about.

    No part is longer than `longest`: of many columns SQLite holds all at once.
    """
    usual = reader.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, longest)
    try:
        unseen, *found = reader.execute(statement, parameters).fetchone()
    except sqlite3.DataError:
        return (), MOST + 1
    finally:
        reader.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, usual)
    return found, int(unseen) + sum(len(part) for part in found if isinstance(part, bytes))
