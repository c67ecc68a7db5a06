"""Rejected rows, kept whole in the target with the reason.

It never decides which rows those are; the plan says it.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence

from sqlalchemy import Connection

from dhafnck_db import bookkeeping
from dhafnck_db.legacy.copy import copy_in, written
from dhafnck_db.legacy.layout import Laid
from dhafnck_db.legacy.literal import Row, literal, literal_in_pieces
from dhafnck_db.legacy.long import Written, as_json_string, is_long
from dhafnck_db.legacy.plan import Plan, Reject
from dhafnck_db.legacy.rows import Fields
from dhafnck_db.legacy.source import SourceTable, number_of, rows_to_look_at


def quarantine(
    connection: Connection, source: sqlite3.Connection, laid: Laid, plan: Plan, import_id: int
) -> None:
    """Write the rejected rows of a table into legacy.rejects, every column exactly.

    Args:
        connection: to the target; in its transaction.
        source: the snapshot.
        laid: the table.
        plan: of the run, with its rejects.
        import_id: the run, in legacy.imports.
    """
    faults: dict[int, list[Reject]] = {}
    for reject in plan.rejects:
        if reject.table == laid.plan.name:
            faults.setdefault(reject.number, []).append(reject)
    rows = (
        _quarantined(import_id, faults[number_of(row)], laid.source, row)
        for row in rows_to_look_at(source, laid.source, laid.batches)
        if number_of(row) in faults
    )
    columns = ("import_id", "table", "key", "column", "code", "reason", "row")
    copy_in(connection, bookkeeping.rejects, columns, written(rows))


def _quarantined(
    import_id: int, rejects: Sequence[Reject], source: SourceTable, row: Row
) -> Fields:
    first = rejects[0]
    reason = "; ".join(
        f"{reject.column}: {reject.reason}" if reject.column else reject.reason
        for reject in rejects
    )
    return [
        str(import_id),
        first.table,
        first.key,
        first.column,
        first.code,
        reason,
        _as_literals(source, row),
    ]


def _as_literals(source: SourceTable, row: Row) -> Written:
    """Return the JSON of a row's values as literals."""
    values = row[: len(source.columns)]  # the number of the row is no column
    if any(map(is_long, values)):
        return _long_as_literals(source, values)
    literals = {
        column.name: literal(value) for column, value in zip(source.columns, values, strict=True)
    }
    return json.dumps(literals, ensure_ascii=False)


def _long_as_literals(source: SourceTable, values: Row) -> Iterator[bytes]:
    for place, (column, value) in enumerate(zip(source.columns, values, strict=True)):
        name = json.dumps(column.name, ensure_ascii=False)
        yield f"{', ' if place else '{'}{name}: ".encode()
        if is_long(value):
            yield from as_json_string(literal_in_pieces(value))
        else:
            yield json.dumps(literal(value), ensure_ascii=False).encode()
    yield b"}"
