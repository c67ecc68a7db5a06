"""Rows that PostgreSQL reads as the file spells them: recognised, written and read back in batches.

SQLite joins the rows of a batch to one string, and all that is asked of it is asked of the string.
It never converts a value, and never says that one does not fit: a batch that is not plain goes
row by row.
"""

from __future__ import annotations

import sqlite3
import struct
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from typing import Any

from dhafnck_db.legacy.batches import Batch, Batches, Rows, Span, scan
from dhafnck_db.legacy.spelling import (
    FIELD,
    NULL,
    ROW,
    are_exact_json,
    are_texts,
    are_times,
    are_uuids,
)
from dhafnck_db.legacy.uuids import expected_uuid, name_uuid

# SQL of a column's storage class; to compare with the least text and blob spares many calls.
IS = {
    "text": "({c} >= '' AND {c} < x'')",
    "blob": "{c} >= x''",
    "integer": "typeof({c}) = 'integer'",
    "real": "typeof({c}) = 'real'",
}
# How COPY writes what it escapes, in this order.
_WRITTEN = (
    (b"\\", b"\\\\"),
    (b"\n", b"\\n"),
    (b"\r", b"\\r"),
    (b"\t", b"\\t"),
    (b"\b", b"\\b"),
    (b"\v", b"\\v"),
    (b"\f", b"\\f"),
    (ROW, b"\n"),
)
_MOST_ARGUMENTS = 100  # of a function; SQLite's own limit is 127
SPELLINGS = ("uuid", "time", "text", "json")


@dataclass(frozen=True)
class Field:
    """A field of a table of the target, and how it comes about."""

    column: str
    copied: str  # SQLite: what COPY is given
    expected: str  # SQLite: what COPY gives back
    asked: str = "{c}"  # PostgreSQL: what COPY is asked for, of the column {c}
    json: bool = False


@dataclass(frozen=True)
class Check:
    """What has to hold for the values of a column of the file."""

    name: str
    column: str  # as SQL spells it
    stored: str  # the storage class of plain values
    holds: str  # SQL
    spelling: str  # one of SPELLINGS; "" where `holds` says everything
    nullable: bool


@dataclass(frozen=True)
class Lead:
    """How a row leads to its owner."""

    by: str  # SQL of the column that refers to the row with the owner
    holds: str  # SQL: whether there is an owner in the end


@dataclass(frozen=True)
class Division:
    """Rows in batches, in their order, and how many NULLs the plain ones have, by column."""

    batches: Batches
    nulls: Counter[str]

    @property
    def rows(self) -> int:
        """How many rows there are."""
        return sum(batch.rows for batch in self.batches)


@dataclass(frozen=True)
class PlainTable:
    """What is asked of SQLite for one legacy table."""

    rows: Rows
    parameters: Mapping[str, object]
    fields: tuple[Field, ...]  # of the models
    archived: tuple[Field, ...] | None  # of the archive; None where values have to be written out
    checks: tuple[Check, ...]
    conditions: tuple[str, ...]
    sources: Mapping[str, str]  # target column: SQL of the column that it has the values of
    note: tuple[str, str] | None = None  # SQL of the id and the owner, for tables referred to
    lead: Lead | None = None
    changed_ids: Mapping[str, str] = field(default_factory=dict)  # table of ids: SQL of the number

    def divide(
        self, reader: sqlite3.Connection, span: Span, report: Callable[[int], None]
    ) -> Division:
        """Return the rows of a span in batches, each found plain or not.

        `report` is told the rows of each batch that is done.
        """
        nullable = [check for check in self.checks if check.nullable]
        spelled = [check for check in self.checks if check.spelling]
        selected = ", ".join(
            [
                "count(*)",
                f"total({self._plain()})",
                *(f"count({check.column})" for check in nullable),
                *(f"group_concat({check.column}, {_blob(ROW)})" for check in spelled),
            ]
        )
        division = Division(Batches(), Counter())
        # A blob is written as two digits a byte.
        blobs = [f"coalesce(2 * length({c.column}), 0)" for c in self.checks if c.stored == "blob"]
        unseen = " + ".join(blobs) or "0"
        for first, last, found in scan(
            reader, self.rows, span, selected, self.parameters, texts=len(spelled), unseen=unseen
        ):
            if found is None:
                division.batches.append(Batch(first, last, 1, plain=False))
                report(1)
                continue
            answers: Iterator[Any] = iter(found)
            rows, holding = next(answers), next(answers)
            counts = {check.name: next(answers) for check in nullable}
            joined: dict[str, list[tuple[bytes, int]]] = {kind: [] for kind in SPELLINGS}
            for check, column in zip(spelled, answers, strict=True):
                if column is not None:
                    joined[check.spelling].append((column, counts.get(check.name, rows)))
            plain = holding == rows and self._spelled(joined)
            division.batches.append(Batch(first, last, rows, plain))
            report(rows)
            if plain:
                for name, count in counts.items():
                    division.nulls[name] += rows - count
        return division

    def _plain(self) -> str:
        holding = [
            f"({check.column} IS NULL OR {check.holds})" if check.nullable else check.holds
            for check in self.checks
            if check.holds
        ]
        return " AND ".join([*holding, *self.conditions]) or "1"

    def _spelled(self, found: Mapping[str, Sequence[tuple[bytes, int]]]) -> bool:
        """Whether the values of columns, joined and counted, are spelled as the columns ask."""
        if not all(are_uuids(*column) for column in found["uuid"]):
            return False
        if not all(are_times(*column) for column in found["time"]):
            return False
        for kind in ("text", "json"):
            if not found[kind]:
                continue
            joined = ROW.join(column for column, _ in found[kind])
            if not are_texts(joined, sum(count for _, count in found[kind])):
                return False
            if kind == "json" and not are_exact_json(joined):
                return False
        return True

    def copied(self, reader: sqlite3.Connection, fields: Sequence[Field], batch: Batch) -> bytes:
        """Return the rows of a plain batch as COPY reads them, with FIELD and NULL."""
        joined = self._ask(reader, _row(_or_null(field.copied) for field in fields), batch)
        escaped = joined.replace(b"\\", b"\\\\").replace(b"\n", b"\\n").replace(b"\r", b"\\r")
        return escaped.replace(ROW, b"\n") + b"\n"

    def expected(self, reader: sqlite3.Connection, fields: Sequence[Field], batch: Batch) -> bytes:
        """Return the rows of a plain batch as COPY gives them back, joined by a line feed."""
        joined = self._ask(reader, _row(_or_null(field.expected) for field in fields), batch)
        for raw, written in _WRITTEN:
            joined = joined.replace(raw, written)
        return joined

    def expected_json(
        self, reader: sqlite3.Connection, fields: Sequence[Field], batch: Batch
    ) -> bytes:
        """Return the JSON of the rows of a plain batch, joined by ROW and FIELD."""
        return self._ask(reader, _row(_or_null(field.expected) for field in fields), batch)

    def changed(self, reader: sqlite3.Connection, batch: Batch) -> Iterator[bytes]:
        """Yield the rows of legacy.id_map for the ids of a plain batch, as COPY reads them."""
        for table, number in self.changed_ids.items():
            row = _row([f"'{table}'", number, f"as_uuid({number})"])
            yield self._ask(reader, row, batch).replace(ROW, b"\n") + b"\n"

    def follow(self, connection: sqlite3.Connection, rows: int) -> PlainTable:
        """Note for every row the owner of the row that it refers to; return what is left to ask.

        In the order of what they refer to, since to look up one key after another in no order is
        to read a page of the notes for each. Where all of the `rows` have an owner nobody needs to
        ask it of each again.
        """
        if self.lead is None:
            return self
        number, by = f"s.{self.rows.number}", self.lead.by
        found = connection.execute(
            "INSERT INTO scratch.leads SELECT :child, r.number, k.owner FROM "
            f"(SELECT {number} AS number, {by} AS key FROM {self.rows.table} s "
            f"WHERE {by} IS NOT NULL ORDER BY 2 LIMIT -1) r "  # else it loses its order
            "CROSS JOIN scratch.keys k WHERE k.space = :parent AND k.key = r.key "
            "AND k.owner IS NOT NULL ORDER BY r.number",
            self.parameters,
        )
        if found.rowcount == rows:
            return self
        return replace(self, conditions=(*self.conditions, self.lead.holds))

    def take_note(self, connection: sqlite3.Connection, batches: Sequence[Batch]) -> None:
        """Add the rows of the plain batches to the notes, where others refer to them."""
        if self.note is None:
            return
        id_, owner = self.note
        for first, last in _runs(batches):
            connection.execute(
                f"INSERT INTO scratch.keys SELECT :space, {id_}, NULL, {owner} {self.rows.within} "
                "ORDER BY 2",
                {**self.parameters, "first": first, "last": last},
            )

    def number_of(
        self, connection: sqlite3.Connection, columns: Sequence[str], values: Sequence[str]
    ) -> int | None:
        """Return the number of the row that has these values as they are, or None. Read-only."""
        if not all(column in self.sources for column in columns):
            return None
        wanted = " AND ".join(f"{self.sources[column]} = ?" for column in columns)
        found = connection.execute(
            f"SELECT s.{self.rows.number} FROM {self.rows.table} s WHERE {wanted}", tuple(values)
        ).fetchone()
        return found and int(found[0])

    def _bounds(self, batch: Batch) -> dict[str, object]:
        return {**self.parameters, "first": batch.first, "last": batch.last}

    def _ask(self, reader: sqlite3.Connection, row: str, batch: Batch) -> bytes:
        statement = f"SELECT group_concat({row}, {_blob(ROW)}) {self.rows.within}"
        answer: bytes = reader.execute(statement, self._bounds(batch)).fetchone()[0]
        return answer


def add_functions(reader: sqlite3.Connection) -> None:
    """Give a reader the functions that the fields of a plain table use."""
    for name, function in (
        ("as_uuid", lambda name: name_uuid(str(name).strip())),
        ("same_uuid", lambda name: expected_uuid(str(name).strip())),
        ("as_double", lambda value: None if value is None else repr(value)),
        ("bits", lambda value: None if value is None else struct.pack(">d", value).hex()),
    ):
        reader.create_function(name, 1, function, deterministic=True)


def _runs(batches: Sequence[Batch]) -> Iterator[tuple[int, int]]:
    """Yield first and last number of each run of plain batches."""
    first = None
    following_ones = chain(islice(batches, 1, None), [None])
    for batch, following in zip(batches, following_ones, strict=True):
        if not batch.plain:
            continue
        first = batch.first if first is None else first
        if following is None or not following.plain:
            yield first, batch.last
            first = None


def _row(values: Iterable[str]) -> str:
    """Return SQL of the values of a row, joined; they hold no NUL, at which printf would stop."""
    parts = list(values)
    calls = []
    for start in range(0, len(parts), _MOST_ARGUMENTS):
        some = parts[start : start + _MOST_ARGUMENTS]
        shape = FIELD.decode().join(["%s"] * len(some))
        calls.append(f"printf('{shape}', {', '.join(some)})")
    return f" || {_blob(FIELD)} || ".join(calls)


def _or_null(value: str) -> str:
    return f"coalesce({value}, {_blob(NULL)})"


def _blob(separator: bytes) -> str:
    return f"x'{separator.hex()}'"
