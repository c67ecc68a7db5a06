"""References without a constraint that point nowhere: carried over, and told.

It never rejects a row, and never writes.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence

from dhafnck_db.legacy.batches import quoted
from dhafnck_db.legacy.convert import to_uuid
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import PUBLIC, Laid
from dhafnck_db.legacy.literal import Row, shown
from dhafnck_db.legacy.mapping import LegacyMapping
from dhafnck_db.legacy.plan import Warning
from dhafnck_db.legacy.rows import row_key
from dhafnck_db.legacy.source import number_of, read_rows
from dhafnck_db.legacy.unfit import Unfit

LISTED = 100  # values of a column; the rest is told as a number, so that the plan stays small


def dangling(
    connection: sqlite3.Connection, tables: Sequence[Laid], keys: Keys, mapping: LegacyMapping
) -> list[Warning]:
    """Return a warning for each value that refers to a row which does not exist. Read-only."""
    warnings: list[Warning] = []
    for laid in tables:
        if laid.target is None or not laid.source.rows:
            continue
        for column, parent in mapping.references.get(laid.target.name, {}).items():
            for planned in laid.plan.columns:
                if planned.to and planned.to.schema == PUBLIC and planned.to.column == column:
                    warnings += _dangling(connection, laid, planned.name, parent, keys)
    return warnings


def _dangling(
    connection: sqlite3.Connection, laid: Laid, column: str, parent: str, keys: Keys
) -> list[Warning]:
    position = laid.source.position(column)
    rejected = set(laid.plan.rejected)
    first: dict[str, tuple[str, str, int]] = {}
    beyond = 0
    row: Row
    for row in _candidates(connection, laid, column, keys.space(parent, ("id",))):
        value = row[position]
        if number_of(row) in rejected:
            continue
        try:
            id_ = to_uuid(value)
        except Unfit:
            continue
        if keys.legacy(parent, ("id",), (id_,)) is not None:
            continue
        if id_ in first:
            key, literal, rows = first[id_]
            first[id_] = key, literal, rows + 1
        elif len(first) < LISTED:
            first[id_] = row_key(laid.source, row), shown(value), 1
        else:
            beyond += 1
    reason = f"refers to no row of {parent}; carried over as it is"
    table = laid.plan.name
    warnings = [
        Warning(table, key, column, value, rows, "points-nowhere", reason)
        for key, value, rows in first.values()
    ]
    if beyond:
        warnings.append(
            Warning(
                table, None, column, None, beyond, "points-nowhere", f"{beyond} more rows: {reason}"
            )
        )
    return warnings


def _candidates(
    connection: sqlite3.Connection, laid: Laid, column: str, space: int
) -> Iterator[Row]:
    """Yield the rows whose value is not, as it is spelled, the key of a row referred to."""
    if laid.source.rowid is None:
        at = laid.source.position(column)
        return (row for row in read_rows(connection, laid.source) if row[at] is not None)
    value = f"s.{quoted(column)}"
    doubtful = (
        f"{value} IS NOT NULL AND NOT EXISTS "
        f"(SELECT 1 FROM scratch.keys k WHERE k.space = {space} AND k.key = {value})"
    )
    return read_rows(connection, laid.source, doubtful)
