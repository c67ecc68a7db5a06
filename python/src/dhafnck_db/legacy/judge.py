"""Which rows of one table the target would take, and why it would not take the others.

It never writes, and never asks the server: the models' keys, references and checks are enough.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable

from sqlalchemy import Table, UniqueConstraint, Uuid

from dhafnck_db.legacy.checks import Checks
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import OWNER
from dhafnck_db.legacy.literal import Row, Value, shown, spelled
from dhafnck_db.legacy.mapping import LegacyMapping
from dhafnck_db.legacy.plan import Reject, TablePlan
from dhafnck_db.legacy.rows import Fault, Fields, RowMaker, row_key
from dhafnck_db.legacy.source import read_rows

Progress = Callable[[str, int, int], None]
REPORTED_EVERY = 5000  # rows
Names = tuple[str, ...]


class Judge:
    """Holds every row of one table against the rules of its target."""

    def __init__(
        self, plan: TablePlan, maker: RowMaker, keys: Keys, mapping: LegacyMapping
    ) -> None:
        self._plan = plan
        self._source = maker.source
        self._target = maker.target
        self._maker = maker
        self._keys = keys
        self._at = {name: place for place, name in enumerate(maker.columns)}
        self._primary = tuple(column.name for column in maker.target.primary_key)
        self._uniques = [
            names for names in _unique_keys(maker.target) if set(names) <= set(self._at)
        ]
        self._references = [
            (key.parent.name, key.column.table.name, key.column.name)
            for key in maker.target.foreign_keys
            if key.parent.name in self._at
        ]
        made = {derived.column for derived in plan.derived if len(derived.sources) > 1}
        self._id_columns = {
            column: table
            for column, table in _id_columns(maker.target, mapping).items()
            if column in self._at and column not in made
        }

    def judge(self, connection: sqlite3.Connection, progress: Progress | None) -> list[Reject]:
        """Return the rejects of the table; remembers the keys of the rows that go in."""
        source, rejects = self._source, []
        checks = Checks(self._target, self._maker.columns)
        try:
            for position, row in enumerate(read_rows(connection, source)):
                fields, faults = self._maker.make(row)
                faults += self._broken_references(row, fields)
                if not faults and (name := checks.broken(fields)):
                    faults.append(Fault(None, None, "check", f"breaks the constraint {name}"))
                if not faults:
                    faults += self._duplicates(row, fields)
                if faults:
                    self._keys.reject(self._target.name, self._legacy(row, self._primary))
                    rejects += [self._reject(row, position, fault) for fault in faults]
                else:
                    self._remember(row, fields)
                if progress and position % REPORTED_EVERY == 0:
                    progress(source.name, position, source.rows)
        finally:
            checks.close()
        return rejects

    def _broken_references(self, row: Row, fields: Fields) -> list[Fault]:
        faults = []
        for column, table, referred in self._references:
            key = fields[self._at[column]]
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

    def _duplicates(self, row: Row, fields: Fields) -> list[Fault]:
        for names in self._uniques:
            key = [field for name in names if (field := fields[self._at[name]]) is not None]
            if len(key) < len(names):
                continue  # NULL is never the same as NULL
            first = self._keys.legacy(self._target.name, names, key)
            if first is None:
                continue
            column, value = self._origin(row, names[0])
            if first == self._legacy(row, names):
                reason = f"another row of {self._target.name} has the same {', '.join(names)}"
                return [Fault(column, value, "duplicate-key", reason)]
            reason = f"becomes the same {', '.join(names)} as {first}"
            return [Fault(column, value, "id-collision", reason)]
        return []

    def _remember(self, row: Row, fields: Fields) -> None:
        owner = fields[self._at[OWNER]] if OWNER in self._at else None
        for names in self._uniques:
            key = [field for name in names if (field := fields[self._at[name]]) is not None]
            if len(key) == len(names):
                legacy = self._legacy(row, names)
                self._keys.add(self._target.name, names, key, legacy, owner)
        for column, table in self._id_columns.items():
            field = fields[self._at[column]]
            if field is not None and field != (legacy := self._legacy(row, (column,))):
                self._keys.add_id(table, legacy, field)

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

    def _reject(self, row: Row, position: int, fault: Fault) -> Reject:
        return Reject(
            table=self._plan.name,
            key=row_key(self._source, row),
            column=fault.column,
            value=None if fault.column is None else shown(fault.value),
            code=fault.code,
            reason=fault.reason,
            position=position,
        )


def _unique_keys(target: Table) -> list[Names]:
    """Return the columns of each key, the primary one first; supersets of it add nothing."""
    primary = tuple(column.name for column in target.primary_key)
    others = {
        tuple(column.name for column in constraint.columns)
        for constraint in target.constraints
        if isinstance(constraint, UniqueConstraint)
    } | {tuple(column.name for column in index.columns) for index in target.indexes if index.unique}
    return [primary, *sorted(names for names in others if not set(primary) <= set(names))]


def _id_columns(target: Table, mapping: LegacyMapping) -> dict[str, str]:
    """Return each column of ids with the table whose ids they are, or its own name for others."""
    found = {}
    for column in target.columns:
        if isinstance(column.type, Uuid):
            referred = [key.column.table.name for key in column.foreign_keys]
            referred += [mapping.references.get(target.name, {}).get(column.name, "")]
            own = target.name if column.primary_key else f"{target.name}.{column.name}"
            found[column.name] = referred[0] or own
    return found
