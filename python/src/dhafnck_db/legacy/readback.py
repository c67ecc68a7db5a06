"""What stands in the target for the rows of one legacy table, and how to compare the two.

It never writes, and shares nothing with the code that loaded but the plan.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    LargeBinary,
    Table,
    Text,
    and_,
    cast,
    func,
    select,
    true,
    tuple_,
)

from dhafnck_db.legacy.archive import archive_table, archived_columns
from dhafnck_db.legacy.compare import (
    Given,
    as_json,
    as_time,
    is_same,
    is_same_member,
    same_uuid,
)
from dhafnck_db.legacy.literal import Row, Value, is_clean
from dhafnck_db.legacy.long import LONG, LongText
from dhafnck_db.legacy.plan import Archive, TablePlan
from dhafnck_db.legacy.rules import known_by
from dhafnck_db.legacy.source import SourceTable

Key = tuple[str, ...]
Found = Mapping[str, Given]
# Any of these later than the import says that the application wrote the row since.
TIMES = ("updated_at", "created_at", "applied_at", "assigned_at")


@dataclass(frozen=True)
class LongRow(Mapping[str, Given]):
    """A row of the target whose values are asked for one by one, and long ones in pieces."""

    connection: Connection
    target: Table
    condition: ColumnElement[bool]

    def __getitem__(self, name: str) -> Given:
        return self.value(self.target.c[name])

    def __iter__(self) -> Iterator[str]:
        return iter(self.target.columns.keys())

    def __len__(self) -> int:
        return len(self.target.columns)

    def value(self, value: ColumnElement[Any]) -> Given:
        """Return what an expression gives for the row. Read-only."""
        is_blob = isinstance(value.type, LargeBinary)
        raw = value if is_blob else func.convert_to(cast(value, Text), "UTF8")
        size = self.connection.scalar(select(func.octet_length(raw)).where(self.condition))
        if size is None:
            return None
        if size > LONG:
            return _Pieces(self, raw)
        text: str = self.connection.scalars(select(cast(value, Text)).where(self.condition)).one()
        return text

    def members(self, name: str) -> dict[str, Given]:
        """Return the members of a JSON object, as JSON."""
        document = self.target.c[name]
        keys = select(func.jsonb_object_keys(document)).where(self.condition)
        return {key: self.value(document[key]) for key in self.connection.scalars(keys).all()}


@dataclass(frozen=True)
class _Pieces:
    """A long value of the target."""

    row: LongRow
    raw: ColumnElement[Any]  # its bytes

    def __iter__(self) -> Iterator[bytes]:
        # The server keeps the value as a whole meanwhile, or it would unpack it for each piece.
        whole = select(self.raw.label("raw")).where(self.row.condition)
        kept = whole.cte("whole").prefix_with("MATERIALIZED")
        series = func.generate_series(1, func.octet_length(kept.c.raw), LONG)
        places = series.table_valued("at").render_derived()
        piece = func.substr(kept.c.raw, places.c.at, LONG)
        pieces = select(places.c.at, piece).select_from(kept.join(places, true()))
        expected = 1
        options = {"stream_results": True, "max_row_buffer": 1}
        with self.row.connection.execute(pieces, execution_options=options) as found:
            for place, raw in found:
                if place != expected:
                    raise AssertionError(
                        f"a piece from {place} on came before that from {expected}"
                    )
                yield bytes(raw)
                expected += LONG


class Readback(ABC):
    """The rows of the target that one legacy table became; all values as PostgreSQL's text."""

    def __init__(self, connection: Connection, target: Table, keys: Sequence[str]) -> None:
        self.target = target
        self._connection = connection
        self._keys = [target.c[name] for name in keys]

    @abstractmethod
    def key(self, row: Row) -> Key:
        """Return the key that a row of the file has in the target."""

    @abstractmethod
    def differences(self, row: Row, found: Found) -> Iterator[tuple[str, str]]:
        """Yield column and reason for each value that is not what the file holds."""

    def fetch(self, keys: Iterable[Key]) -> dict[Key, Found]:
        """Return the rows with these keys. Read-only."""
        wanted = [
            tuple(
                column.type.python_type(part) for column, part in zip(self._keys, key, strict=True)
            )
            for key in keys
        ]
        rows = self._connection.execute(
            select(
                *(cast(column, Text).label(column.name) for column in self.target.columns)
            ).where(tuple_(*self._keys).in_(wanted))
        ).mappings()
        names = [column.name for column in self._keys]
        return {tuple(str(row[name]) for name in names): dict(row) for row in rows}

    def fetch_long(self, key: Key) -> dict[Key, Found]:
        """Return the one row with this key, to be read value by value. Read-only."""
        parts = zip(self._keys, key, strict=True)
        condition = and_(*(column == column.type.python_type(part) for column, part in parts))
        if self._connection.scalar(select(func.count()).select_from(self.target).where(condition)):
            return {key: LongRow(self._connection, self.target, condition)}
        return {}

    def count(self) -> int:
        """Return how many rows the target has. Read-only."""
        return self._connection.scalar(select(func.count()).select_from(self.target)) or 0

    def every_key(self, *, since: datetime | None) -> Iterator[tuple[Key, bool]]:
        """Yield the key of every row, and whether it was written after `since`. Read-only."""
        times = [self.target.c[name] for name in TIMES if name in self.target.columns]
        later = func.greatest(*times) if times else None
        keys = (cast(column, Text) for column in self._keys)
        statement = select(*keys, *([] if later is None else [later]))
        with self._connection.execution_options(stream_results=True).execute(statement) as rows:
            for row in rows:
                key = tuple(row[: len(self._keys)])
                moment: Any = None if later is None else row[-1]
                yield key, bool(since and moment and moment > since)

    def moved_on(self, row: Row, found: Found, since: datetime) -> bool:
        """Whether the application has updated the row since it was imported."""
        return False


class ArchiveReadback(Readback):
    """An archive table; its rows are never the application's."""

    def __init__(
        self, connection: Connection, plan: TablePlan, archive: Archive, source: SourceTable
    ) -> None:
        super().__init__(connection, archive_table(plan, archive), [archive.rowid])
        self._columns = [
            (source.position(name), column, kind)
            for name, column, kind in archived_columns(plan, archive)
        ]

    def key(self, row: Row) -> Key:
        return (str(row[-1]),)

    def differences(self, row: Row, found: Found) -> Iterator[tuple[str, str]]:
        for position, column, kind in self._columns:
            if not is_same(row[position], found[column], kind):
                yield column, "is not what the file holds"

    def every_key(self, *, since: datetime | None) -> Iterator[tuple[Key, bool]]:
        # A column that happens to be called updated_at says nothing here.
        yield from super().every_key(since=None)


class ModelReadback(Readback):
    """A table of the models."""

    def __init__(
        self,
        connection: Connection,
        plan: TablePlan,
        source: SourceTable,
        target: Table,
    ) -> None:
        self._places = [
            (source.position(column.name), column.to.column, column.convert or "")
            for column in plan.columns
            if column.to and column.to.schema == "public"
        ]
        self._parts = {
            derived.column: [source.position(name) for name in derived.sources]
            for derived in plan.derived
            if derived.kind == "id"
        }
        self._by_column = {column: (place, kind) for place, column, kind in self._places}
        # What the target counts itself is not in the file: then another key tells the rows apart.
        keys = known_by(target, [*self._by_column, *self._parts])
        super().__init__(connection, target, keys or target.primary_key.columns.keys())
        self.owner = next(
            (
                (
                    derived.column,
                    target.metadata.tables[derived.parent] if derived.parent else None,
                    source.position(derived.sources[0]) if derived.sources else None,
                )
                for derived in plan.derived
                if derived.kind == "owner"
            ),
            None,
        )
        self._folds = [
            (source.position(column.name), column.name, "JSON" in column.declared.upper())
            for column in plan.columns
            if column.fold
        ]
        self._fold = next((column.fold.column for column in plan.columns if column.fold), None)

    def key(self, row: Row) -> Key:
        return tuple(self._key_part(row, column) for column in self._keys)

    def _key_part(self, row: Row, column: Column[object]) -> str:
        if column.name in self._parts:
            values = [row[position] for position in self._parts[column.name]]
            return same_uuid(values[0] if len(values) == 1 else "/".join(map(str, values)))
        place, kind = self._by_column[column.name]
        return same_uuid(row[place]) if kind == "uuid" else str(row[place])

    def differences(self, row: Row, found: Found) -> Iterator[tuple[str, str]]:
        for position, column, kind in self._places:
            if not is_same(row[position], found[column], kind):
                yield column, "is not what the file holds"
        if self._fold and not self._is_folded(row, found, self._fold):
            yield self._fold, "does not hold the columns folded into it"

    def renamed(self, row: Row) -> Iterator[tuple[str, str]]:
        """Yield each id of the row that the file spells otherwise than the target, and its UUID."""
        values: list[Value] = [row[place] for place, _, kind in self._places if kind == "uuid"]
        values += [row[parts[0]] for parts in self._parts.values() if len(parts) == 1]
        for value in values:
            if value is not None and (id_ := same_uuid(value)) != str(value):
                yield str(value), id_

    def parent_id(self, row: Row, position: int | None) -> str | None:
        """Return the id of the row whose owner this one has."""
        value = None if position is None else row[position]
        return None if value is None else same_uuid(value)

    def moved_on(self, row: Row, found: Found, since: datetime) -> bool:
        now = found.get("updated_at")
        if not isinstance(now, str):
            return False
        place, _ = self._by_column.get("updated_at", (None, ""))
        before = None if place is None else row[place]
        return as_time(now) > (as_time(before) if isinstance(before, str) else since)

    def _is_folded(self, row: Row, found: Found, fold: str) -> bool:
        if isinstance(found, LongRow):
            members: Any = {
                name: as_json(value) if isinstance(value, str) else value
                for name, value in found.members(fold).items()
            }
        else:
            members = as_json(str(found[fold] or "null"))
        return (
            isinstance(members, dict)
            and members.keys() <= {name for _, name, _ in self._folds}
            and all(
                _is_member(members, name, row[position], is_json=is_json)
                for position, name, is_json in self._folds
            )
        )


def _is_member(members: Mapping[str, Any], name: str, value: Value, *, is_json: bool) -> bool:
    """Whether an object has a value as a member, or lacks one that JSON cannot hold."""
    if name not in members:
        return isinstance(value, bytes | float) or (
            isinstance(value, str | LongText) and not is_clean(value)
        )
    member = members[name]
    if isinstance(value, LongText):
        pieces = member if isinstance(member, _Pieces) else [json.dumps(member).encode()]
        return is_same_member(value, pieces, is_json=is_json)
    if isinstance(value, str):
        # Text that is no exact JSON is folded as the string that it is.
        return bool(member == value) or (is_json and bool(member == as_json(value)))
    return bool(member == (None if value is None else as_json(repr(value))))
