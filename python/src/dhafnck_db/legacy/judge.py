"""Which rows of one table the target would take, and why it would not take the others.

It never writes, and never asks the server: the models' keys, references and checks are enough.
"""

from __future__ import annotations

import sqlite3
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dhafnck_db.legacy.checks import Checks
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import OWNER, Laid
from dhafnck_db.legacy.literal import Row, Value, shown, spelled
from dhafnck_db.legacy.long import whole
from dhafnck_db.legacy.mapping import LegacyMapping
from dhafnck_db.legacy.plan import Reject
from dhafnck_db.legacy.rows import Fault, Fields, RowMaker, row_key
from dhafnck_db.legacy.rules import Names, id_columns, references, unique_keys
from dhafnck_db.legacy.source import STORED, number_of, rows_to_look_at

# Is told a table, the rows of it that are done and those it has, and the bytes that were sent.
Progress = Callable[[str, int, int, int], None]
REMADE = "keys and indexes"  # what it is told of in a table's place, once the rows are there
REPORTED_EVERY = 5000  # rows


@dataclass(frozen=True)
class Judgement:
    """What came of looking at rows: the rejects, and how many values each storage class has."""

    rejects: list[Reject]
    types: dict[str, Counter[str]]


class Judge:
    """Holds the rows of one table that are not plain against the rules of its target."""

    def __init__(self, laid: Laid, maker: RowMaker, keys: Keys, mapping: LegacyMapping) -> None:
        self._plan = plan = laid.plan
        self._plain = laid.plain
        self._batches = laid.batches
        self._source = maker.source
        self._target = maker.target
        self._maker = maker
        self._keys = keys
        self._at = {name: place for place, name in enumerate(maker.columns)}
        self._primary = tuple(column.name for column in maker.target.primary_key)
        self._uniques = [
            names for names in unique_keys(maker.target) if set(names) <= set(self._at)
        ]
        self._references = [
            reference for reference in references(maker.target) if reference[0] in self._at
        ]
        made = {derived.column for derived in plan.derived if len(derived.sources) > 1}
        self._id_columns = {
            column: table
            for column, table in id_columns(maker.target, mapping).items()
            if column in self._at and column not in made
        }

    def judge(self, connection: sqlite3.Connection, progress: Progress | None) -> Judgement:
        """Look at every row that is not plain; remembers the keys of those that go in."""
        source, found = (
            self._source,
            Judgement([], {c.name: Counter() for c in self._source.columns}),
        )
        checks = Checks(self._target, self._maker.columns)
        try:
            for position, row in enumerate(rows_to_look_at(connection, source, self._batches)):
                for column, value in zip(source.columns, row, strict=False):
                    found.types[column.name][STORED[type(value)]] += 1
                fields, faults = self._maker.make(row)
                faults += self._broken_references(row, fields)
                if not faults and (name := checks.broken(fields)):
                    faults.append(Fault(None, None, "check", f"breaks the constraint {name}"))
                if not faults:
                    faults += self._duplicates(connection, row, fields)
                if faults:
                    self._keys.reject(self._target.name, self._legacy(row, self._primary))
                    found.rejects.extend(self._reject(row, fault) for fault in faults)
                else:
                    self._remember(row, fields)
                if progress and position % REPORTED_EVERY == 0:
                    progress(source.name, position, source.rows, 0)
        finally:
            checks.close()
        return found

    def _broken_references(self, row: Row, fields: Fields) -> list[Fault]:
        faults = []
        for column, table, referred in self._references:
            key = whole(fields[self._at[column]])
            if key is None:
                continue
            legacy = self._legacy(row, (column,))
            first = self._keys.legacy(table, (referred,), (key,))
            if first == legacy:
                continue
            name, value = self._origin(row, column)
            if self._keys.is_rejected(table, legacy):
                reason = f"refers to a rejected row of {table}"
                faults.append(Fault(name, value, "parent-rejected", reason))
            elif first is None:
                reason = f"refers to no row of {table}"
                faults.append(Fault(name, value, "dangling-reference", reason))
        return faults

    def _duplicates(self, connection: sqlite3.Connection, row: Row, fields: Fields) -> list[Fault]:
        for names in self._uniques:
            key = self._key(fields, names)
            if len(key) < len(names):
                continue  # NULL is never the same as NULL
            first = self._keys.legacy(self._target.name, names, key)
            if first is None and self._has_plain_twin(connection, names, key):
                first = "\x1f".join(key)
            if first is None:
                continue
            column, value = self._origin(row, names[0])
            if first == self._legacy(row, names):
                reason = f"another row of {self._target.name} has the same {', '.join(names)}"
                return [Fault(column, value, "duplicate-key", reason)]
            reason = f"becomes the same {', '.join(names)} as {first}"
            return [Fault(column, value, "id-collision", reason)]
        return []

    def _has_plain_twin(
        self, connection: sqlite3.Connection, names: Names, key: Sequence[str]
    ) -> bool:
        """Whether a row that nobody looks at has the key."""
        if self._plain is None:
            return False
        number = self._plain.number_of(connection, names, key)
        if number is None:
            return False
        place = bisect_right(self._batches, number, key=lambda batch: batch.first) - 1
        return self._batches[place].plain

    def _remember(self, row: Row, fields: Fields) -> None:
        owner = whole(fields[self._at[OWNER]]) if OWNER in self._at else None
        for names in self._uniques:
            key = self._key(fields, names)
            if len(key) == len(names):
                legacy = self._legacy(row, names)
                self._keys.add(self._target.name, names, key, legacy, owner)
        for column, table in self._id_columns.items():
            field = whole(fields[self._at[column]])
            if field is not None and field != (legacy := self._legacy(row, (column,))):
                self._keys.add_id(table, legacy, field)

    def _key(self, fields: Fields, names: Names) -> list[str]:
        """Return the fields that are not NULL."""
        return [key for name in names if (key := whole(fields[self._at[name]])) is not None]

    def _legacy(self, row: Row, names: Names) -> str:
        """Return what the columns of the target were in the file."""
        return "\x1f".join(spelled(self._origin(row, name)[1]) for name in names)

    def _origin(self, row: Row, name: str) -> tuple[str | None, Value]:
        """Return the column of the file that a column of the target comes from, and its value."""
        step = self._maker.steps.get(name)
        if step:
            return step.column, row[step.position]
        for derived in self._plan.derived:
            if derived.column == name and derived.kind == "id":
                values = [row[self._source.position(source)] for source in derived.sources]
                if len(values) == 1:
                    return derived.sources[0], values[0]
                return derived.sources[0], "/".join(map(spelled, values))
        return None, None

    def _reject(self, row: Row, fault: Fault) -> Reject:
        return Reject(
            table=self._plan.name,
            key=row_key(self._source, row),
            column=fault.column,
            value=None if fault.column is None else shown(fault.value),
            code=fault.code,
            reason=fault.reason,
            number=number_of(row),
        )
