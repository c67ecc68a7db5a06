"""A table of the file in batches of neighbouring rows, small in number and in bytes.

It never keeps a batch, and never decides what is done with one.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import TypeVar

from dhafnck_db.legacy.snapshot import Snapshot

WANTED = 64 << 10  # bytes of a batch; more misses the processor's cache
MOST_ROWS = 1000
ROWS_A_TASK = 20_000  # what a thread takes at once
THREADS = min(2, os.cpu_count() or 1)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Batch:
    """The rows whose numbers are from `first` to `last`."""

    first: int
    last: int
    rows: int
    plain: bool  # whether all of them can be taken as they are


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


def bounds(reader: sqlite3.Connection, rows: Rows) -> tuple[int, int]:
    """Return the first and the last number; of a table without rows a span that has none."""
    low, high = reader.execute(
        f"SELECT min({rows.number}), max({rows.number}) FROM {rows.table}"
    ).fetchone()
    return (1, 0) if low is None else (low, high)


def scan(
    reader: sqlite3.Connection,
    rows: Rows,
    selected: str,
    parameters: Mapping[str, object],
    low: int,
    high: int,
) -> Iterator[tuple[int, int, Sequence[bytes | int | float | None] | None]]:
    """Ask the same of batch after batch: yield its first and last number, and the answer.

    A row that is too big for the reader stands alone, and its answer is None.
    """
    boundary = (
        f"SELECT max(number) FROM (SELECT {rows.number} AS number FROM {rows.table} "
        f"WHERE {rows.number} BETWEEN :first AND :high ORDER BY 1 LIMIT :size)"
    )
    statement = f"SELECT {selected} {rows.within}"
    first, size = low, 100
    while first <= high:
        last = reader.execute(boundary, {"first": first, "high": high, "size": size}).fetchone()[0]
        if last is None:
            return
        try:
            found = reader.execute(
                statement, {**parameters, "first": first, "last": last}
            ).fetchone()
        except sqlite3.DataError:
            if size > 1:
                size = max(1, size // 8)
                continue
            found = None
        yield first, last, found
        taken = sum(len(part) for part in found if isinstance(part, bytes)) if found else WANTED
        size = max(1, min(MOST_ROWS, 2 * size, size * WANTED // max(taken, 1)))
        first = last + 1


def in_threads(
    snapshot: Snapshot,
    rows: Rows,
    count: int,
    work: Callable[[sqlite3.Connection, int, int], Result],
    report: Callable[[Result], None],
) -> list[Result]:
    """Do work for the parts of a table, in several threads, and return the results in order.

    Args:
        snapshot: where the table is.
        rows: the table.
        count: how many rows it has, roughly.
        work: gets a reader, and the first and last number of its part.
        report: is told each result as it comes, in order.
    """
    with closing(snapshot.reader()) as reader:
        low, high = bounds(reader, rows)
    parts = max(1, count // ROWS_A_TASK)
    step = (high - low) // parts + 1
    spans = [(at, min(at + step - 1, high)) for at in range(low, high + 1, step)]

    def one(span: tuple[int, int]) -> Result:
        with closing(snapshot.reader()) as reader:
            return work(reader, *span)

    results = []
    with ThreadPoolExecutor(1 if len(spans) == 1 else THREADS) as pool:
        for result in pool.map(one, spans):
            report(result)
            results.append(result)
    return results
