"""From a row of a legacy table to the row of the models that it becomes.

It never decides what happens to a row that does not fit, and never reads or writes a database.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from dhafnck_db.legacy.convert import conversion_to, to_jsonb, to_uuid
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import Laid
from dhafnck_db.legacy.literal import SHOWN, Row, Value, is_clean, spelled
from dhafnck_db.legacy.long import LongText, Written, as_json_string
from dhafnck_db.legacy.plan import Derived
from dhafnck_db.legacy.source import SourceTable
from dhafnck_db.legacy.unfit import Unfit

Fields = list[Written]


@dataclass(frozen=True)
class Fault:
    """Why a row cannot become one of the target; without a column the row as a whole."""

    column: str | None
    value: Value
    code: str
    reason: str


@dataclass(frozen=True)
class Step:
    """How one field of the target comes about: the column of the file and its conversion."""

    column: str
    position: int
    convert: Callable[[Value], Written]
    required: bool


class RowMaker:
    """Makes the rows of one table. Its `columns` are those of the target that are given values."""

    def __init__(self, laid: Laid, keys: Keys, owner: str | None) -> None:
        if laid.target is None:
            raise ValueError(f"{laid.plan.name} is archived, not mapped")
        self.target = laid.target
        self.source = laid.source
        self._keys = keys
        self._owner = owner
        self.ownerless = 0  # rows made that nobody owns
        self.steps: dict[str, Step] = {}
        for column in laid.plan.columns:
            if column.to and column.to.schema == "public":
                into = laid.target.c[column.to.column]
                conversion = conversion_to(into.type)
                if conversion:
                    self.steps[into.name] = Step(
                        column.name,
                        laid.source.position(column.name),
                        conversion.convert,
                        not into.nullable,
                    )
        self._ids = [derived for derived in laid.plan.derived if derived.kind == "id"]
        self._owners = [derived for derived in laid.plan.derived if derived.kind == "owner"]
        folded = [column for column in laid.plan.columns if column.fold]
        self.fold = folded[0].fold.column if folded and folded[0].fold else None
        self._folded = [
            (column.name, laid.source.position(column.name), "JSON" in column.declared.upper())
            for column in folded
        ]
        self.columns = (
            *self.steps,
            *(derived.column for derived in laid.plan.derived),
            *([self.fold] if self.fold else []),
        )
        self.missing = [
            column.name
            for column in laid.target.columns
            if column.name not in self.columns
            and not column.nullable
            and column.server_default is None
            and column.identity is None
        ]

    def make(self, row: Row) -> tuple[Fields, list[Fault]]:
        """Return the fields in the order of `columns`, and what stands in the way of the row."""
        fields: Fields = []
        faults: list[Fault] = []
        for step in self.steps.values():
            value = row[step.position]
            if value is None:
                fields.append(None)
                if step.required:
                    faults.append(
                        Fault(step.column, None, "null-in-required", "is NULL, which may not be")
                    )
                continue
            try:
                fields.append(step.convert(value))
            except Unfit as unfit:
                fields.append(None)
                faults.append(Fault(step.column, value, unfit.code, unfit.reason))
        for derived in self._ids:
            self._derive_id(derived, row, fields, faults)
        for derived in self._owners:
            fields.append(self._owner_of(derived, row))
        if self.fold:
            fields.append(self._fold(row))
        for name in self.missing:
            faults.append(
                Fault(
                    None,
                    None,
                    "column-absent",
                    f"the file has no column for {name}",
                )
            )
        return fields, faults

    def _derive_id(self, derived: Derived, row: Row, fields: Fields, faults: list[Fault]) -> None:
        values = [row[self.source.position(name)] for name in derived.sources]
        try:
            if any(value is None for value in values):
                raise Unfit("null-in-required", "is NULL, and the id is made from it")
            if len(values) == 1:
                fields.append(to_uuid(values[0]))
            else:
                fields.append(to_uuid("/".join(map(spelled, values))))
        except Unfit as unfit:
            fields.append(None)
            faults.append(Fault(derived.sources[0], values[0], unfit.code, unfit.reason))

    def _owner_of(self, derived: Derived, row: Row) -> str | None:
        owner = None
        if derived.parent:
            value = row[self.source.position(derived.sources[0])]
            try:
                owner = (
                    None if value is None else self._parent_owner(derived.parent, to_uuid(value))
                )
            except Unfit:
                owner = None  # the column's own conversion, or the archive, takes care of it
        if owner is None:
            owner = self._owner
        if owner is None:
            self.ownerless += 1
        return owner

    def _parent_owner(self, parent: str, key: str) -> str | None:
        return self._keys.owner(parent, ("id",), key)

    def _fold(self, row: Row) -> Written:
        whole, members = [], []
        for name, position, is_json in self._folded:
            text = fold_value(row[position], is_json=is_json)
            if text is not None:
                members.append((json.dumps(name), text))
                if isinstance(text, str):
                    whole.append(f"{json.dumps(name)}: {text}")
        if len(whole) < len(members):
            return _object_in_pieces(members)
        return "{" + ", ".join(whole) + "}"


def _object_in_pieces(members: Iterable[tuple[str, str | Iterable[bytes]]]) -> Iterator[bytes]:
    yield b"{"
    for place, (name, text) in enumerate(members):
        yield f"{', ' if place else ''}{name}: ".encode()
        if isinstance(text, str):
            yield text.encode()
        else:
            yield from text
    yield b"}"


def fold_value(value: Value, *, is_json: bool) -> Written:
    """Return a value as a member of a JSON object, or None where JSON cannot hold it.

    JSON stays JSON where the column was declared so; other text becomes a string.
    """
    if value is None:
        return "null"
    if is_json or isinstance(value, int | float):
        try:
            return to_jsonb(value)
        except Unfit:
            pass
    if isinstance(value, str) and is_clean(value):
        return json.dumps(value)
    if isinstance(value, LongText) and is_clean(value):
        return as_json_string(value)
    return None


def row_key(source: SourceTable, row: Row) -> str:
    """Return what a person finds the row by: its primary key, else its number."""
    names: Sequence[str] = source.keys
    values = [row[source.position(name)] for name in names]
    if not values or all(value is None for value in values):
        return f"rowid {row[-1]!r}"
    starts = (value.start(SHOWN) if isinstance(value, LongText) else value for value in values)
    return ", ".join(spelled(value)[:SHOWN] for value in starts)
