"""Every row of the file, read back and compared value by value.

It never writes, and trusts neither counts nor the code that loaded.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, MetaData, Table, Text, cast, func, select

from dhafnck_db.bookkeeping import id_map, rejects
from dhafnck_db.legacy.batches import Batch
from dhafnck_db.legacy.compare import Given, is_same
from dhafnck_db.legacy.comparison import Comparison
from dhafnck_db.legacy.keys import KeySet
from dhafnck_db.legacy.literal import Row, Value
from dhafnck_db.legacy.long import LONG, LongText
from dhafnck_db.legacy.plan import Plan, TablePlan
from dhafnck_db.legacy.readback import (
    ArchiveReadback,
    Found,
    Key,
    LongRow,
    ModelReadback,
    Readback,
)
from dhafnck_db.legacy.rows import row_key
from dhafnck_db.legacy.source import (
    SourceTable,
    number_of,
    read_rows,
    read_tables,
    rows_to_look_at,
)

ROWS_AT_ONCE, BYTES_AT_ONCE = 500, 4 << 20
# The text of a value depends on these.
SETTINGS = {
    "TimeZone": "UTC",
    "DateStyle": "ISO",
    "bytea_output": "hex",
    "extra_float_digits": "1",
}

Proof = Callable[[str, Table], Sequence[Batch]]


def _nothing(_name: str, _target: Table) -> Sequence[Batch]:
    """Prove nothing: every row is looked at."""
    return ()


@dataclass(frozen=True)
class _Pair:
    """A legacy table, and what stands in the target for it."""

    plan: TablePlan
    source: SourceTable
    readback: Readback
    proven: Sequence[Batch] = ()  # the plain ones are as they should be; none: look at all rows


def verify(
    connection: Connection,
    source: sqlite3.Connection,
    plan: Plan,
    models: MetaData,
    *,
    since: datetime | None = None,
    proven: Proof = _nothing,
) -> Comparison:
    """Compare every row of the file with what stands in the target. Read-only.

    Args:
        since: when the import was committed; None within its transaction, where every row has to
            be as the file has it. Later, rows that the application updated or added are counted.
        proven: tells for a legacy table and a table of the target which batches need no look.
    """
    for setting, value in SETTINGS.items():
        connection.execute(select(func.set_config(setting, value, True)))
    comparison = Comparison()
    run = _Run(connection, source, plan, comparison, since)
    into: dict[str, list[_Pair]] = {}  # several legacy tables may go into one
    for found in read_tables(source):
        planned = next(table for table in plan.tables if table.name == found.name)
        if planned.archive:
            archive = ArchiveReadback(connection, planned, planned.archive, found)
            proof = proven(planned.name, archive.target)
            into[archive.target.fullname] = [_Pair(planned, found, archive, proof)]
        if planned.mapped:
            model = ModelReadback(connection, planned, found, models.tables[planned.target])
            proof = proven(planned.name, model.target)
            into.setdefault(model.target.fullname, []).append(_Pair(planned, found, model, proof))
        if planned.rejected:
            run.compare_quarantined(planned, found)
        comparison.rows += planned.rows
    for pairs in into.values():
        run.compare(pairs)
    return comparison


@dataclass(frozen=True)
class _Run:
    connection: Connection
    source: sqlite3.Connection
    plan: Plan
    comparison: Comparison
    since: datetime | None

    def compare(self, pairs: Sequence[_Pair]) -> None:
        """Compare the legacy tables that went into one table of the target with it."""
        matched = 0
        for pair in pairs:
            matched += sum(batch.rows for batch in pair.proven if batch.plain)
            for batch in _batches(self._kept(pair)):
                if _is_long(batch):
                    found = pair.readback.fetch_long(batch[0][0])
                else:
                    found = pair.readback.fetch(key for key, _ in batch)
                matched += len(found)
                self._compare_batch(pair, batch, found)
        if pairs[0].readback.count() != matched:
            self._name_extra(pairs)

    def compare_quarantined(self, planned: TablePlan, found: SourceTable) -> None:
        """Compare the rejected rows of a table with legacy.rejects."""
        rejected = frozenset(planned.rejected)
        statement = select(rejects.c.id).where(rejects.c.table == planned.name)
        stored = self.connection.scalars(statement.order_by(rejects.c.id)).all()
        if len(stored) != len(rejected):
            reason = f"has {len(stored)} rows in legacy.rejects, not {len(rejected)}"
            self.comparison.add(planned.name, "*", None, reason)
        wanted = (row for row in read_rows(self.source, found) if number_of(row) in rejected)
        numbered = (((str(id_),), row) for id_, row in zip(stored, wanted, strict=False))
        for batch in _batches(numbered):
            literals = self._literals(batch, found)
            for (id_,), row in batch:
                for column, value in zip(found.columns, row, strict=False):
                    if not is_same(value, literals[id_].get(column.name), "sqlite literal"):
                        key = row_key(found, row)
                        reason = "is not in legacy.rejects as the file holds it"
                        self.comparison.add(planned.name, key, column.name, reason)

    def _literals(
        self, batch: Sequence[tuple[Key, Row]], found: SourceTable
    ) -> dict[str, Mapping[str, Given]]:
        """Return what legacy.rejects has of rows, by id and column."""
        if _is_long(batch):
            ((id_,), _), *_ = batch
            row = LongRow(self.connection, rejects, rejects.c.id == int(id_))
            names = [column.name for column in found.columns]
            return {id_: {name: row.value(rejects.c.row[name].astext) for name in names}}
        ids = [int(id_) for (id_,), _ in batch]
        statement = select(rejects.c.id, rejects.c.row).where(rejects.c.id.in_(ids))
        return {str(id_): literals for id_, literals in self.connection.execute(statement)}

    def _kept(self, pair: _Pair) -> Iterator[tuple[Key, Row]]:
        rejected = frozenset(pair.plan.rejected)
        for row in rows_to_look_at(self.source, pair.source, pair.proven):
            if number_of(row) not in rejected:
                yield pair.readback.key(row), row

    def _compare_batch(
        self, pair: _Pair, batch: Sequence[tuple[Key, Row]], found: dict[Key, Found]
    ) -> None:
        table = pair.readback.target.fullname
        for key, row in batch:
            if key not in found:
                self.comparison.add(table, row_key(pair.source, row), None, "is missing")
                continue
            differing = list(pair.readback.differences(row, found[key]))
            if not differing:
                continue
            if self.since and pair.readback.moved_on(row, found[key], self.since):
                self.comparison.updated += 1
                continue
            for column, reason in differing:
                self.comparison.add(table, row_key(pair.source, row), column, reason)
        if isinstance(pair.readback, ModelReadback):
            self._compare_ids(pair, pair.readback, [row for _, row in batch])
            if self.since is None:
                self._compare_owners(pair, pair.readback, batch, found)

    def _compare_ids(self, pair: _Pair, readback: ModelReadback, rows: Iterable[Row]) -> None:
        """An id that the file spells otherwise is to be found in legacy.id_map."""
        wanted = {renamed: row for row in rows for renamed in readback.renamed(row)}
        if not wanted:
            return
        statement = select(id_map.c.legacy_id, cast(id_map.c.id, Text)).where(
            id_map.c.legacy_id.in_({legacy for legacy, _ in wanted})
        )
        known = {tuple(row) for row in self.connection.execute(statement)}
        for legacy, id_ in wanted.keys() - known:
            key = row_key(pair.source, wanted[legacy, id_])
            reason = f"is missing for {legacy}"
            self.comparison.add("legacy.id_map", f"{pair.plan.name} {key}", None, reason)

    def _compare_owners(
        self,
        pair: _Pair,
        readback: ModelReadback,
        batch: Sequence[tuple[Key, Row]],
        found: dict[Key, Found],
    ) -> None:
        """A derived owner is that of the row referred to, where there is one, else the given."""
        if readback.owner is None:
            return
        column, parent, position = readback.owner
        owners: dict[str, str] = {}
        leads = {key: readback.parent_id(row, position) for key, row in batch}
        if parent is not None:
            ids = {UUID(id_) for id_ in leads.values() if id_}
            statement = select(cast(parent.c.id, Text), parent.c[column]).where(
                parent.c.id.in_(ids)
            )
            owners = {row[0]: row[1] for row in self.connection.execute(statement)}
        for key, row in batch:
            wanted = owners.get(leads[key] or "", self.plan.owner)
            if key in found and found[key][column] != wanted:
                name = readback.target.fullname
                self.comparison.add(name, row_key(pair.source, row), column, "is not its owner")

    def _name_extra(self, pairs: Sequence[_Pair]) -> None:
        """Name the rows of the target that the file does not have."""
        readback = pairs[0].readback
        with KeySet() as known:
            for pair in pairs:
                known.update(key for key, _ in self._kept(replace(pair, proven=())))
            for key, is_later in readback.every_key(since=self.since):
                if key in known:
                    continue
                if is_later:
                    self.comparison.added += 1
                else:
                    reason = "is not in the file"
                    self.comparison.add(readback.target.fullname, ", ".join(key), None, reason)


def _batches(rows: Iterator[tuple[Key, Row]]) -> Iterator[list[tuple[Key, Row]]]:
    """Yield rows in lists that are small in number and in bytes; a long row is alone in its."""
    batch: list[tuple[Key, Row]] = []
    size = 0
    for key, row in rows:
        added = sum(map(_size, row))
        if added > LONG and batch:
            yield batch
            batch, size = [], 0
        batch.append((key, row))
        size += added
        if len(batch) >= ROWS_AT_ONCE or size >= BYTES_AT_ONCE or added > LONG:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _is_long(batch: Sequence[tuple[Key, Row]]) -> bool:
    return len(batch) == 1 and sum(map(_size, batch[0][1])) > LONG


def _size(value: Value) -> int:
    return len(value) if isinstance(value, str | bytes | LongText) else 8
