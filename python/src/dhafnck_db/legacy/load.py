"""Everything the plan says, written into the target.

It never drops, truncates or deletes, never writes into a table that has rows, and neither begins
nor ends the transaction it runs in.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from psycopg2 import sql
from sqlalchemy import (
    Connection,
    Table,
    exists,
    func,
    insert,
    inspect,
    literal,
    literal_column,
    select,
)
from sqlalchemy.schema import CreateTable, SetTableComment

from dhafnck_db import __version__, bookkeeping
from dhafnck_db.errors import TargetError
from dhafnck_db.legacy.archive import ROWID, archive_table, archived_columns, write_as
from dhafnck_db.legacy.assess import Assessment
from dhafnck_db.legacy.copy import copy_rows
from dhafnck_db.legacy.judge import REPORTED_EVERY, Progress
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import PUBLIC, Laid
from dhafnck_db.legacy.literal import Row
from dhafnck_db.legacy.literal import literal as sqlite_literal
from dhafnck_db.legacy.plan import Archive, Plan, Reject
from dhafnck_db.legacy.rows import RowMaker
from dhafnck_db.legacy.source import SourceTable, read_rows
from dhafnck_db.privileges import ROLES


def lock(connection: Connection, assessment: Assessment) -> None:
    """Keep others from writing where the plan writes, until the transaction ends.

    Raises:
        DBAPIError: another session holds a lock for longer than is waited.
    """
    tables = [bookkeeping.imports, *sorted(_targets(assessment), key=lambda table: table.name)]
    names = [sql.Identifier(table.schema or PUBLIC, table.name) for table in tables]
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute("SET LOCAL lock_timeout = '10s'")
        cursor.execute(
            sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(sql.SQL(", ").join(names))
        )


def require_room(connection: Connection, assessment: Assessment) -> None:
    """Refuse a target that holds rows, or archives, where the plan would write. Read-only.

    Raises:
        TargetError: names the tables.
    """
    filled = []
    for target in _targets(assessment):
        if connection.scalar(select(exists(select(literal(1)).select_from(target)))):
            filled.append(f"{PUBLIC}.{target.name}")
    present = set(inspect(connection).get_table_names(schema=bookkeeping.ARCHIVE_SCHEMA))
    filled += [
        f"{bookkeeping.ARCHIVE_SCHEMA}.{one.plan.archive.table}"
        for one in assessment.tables
        if one.plan.archive and one.plan.archive.table in present
    ]
    if filled:
        raise TargetError(
            "target-not-empty",
            f"{', '.join(filled)} already hold data; nothing was written",
            help="import into a fresh database",
        )


def load(
    connection: Connection,
    source: sqlite3.Connection,
    assessment: Assessment,
    keys: Keys,
    progress: Progress | None = None,
) -> int:
    """Write every row of the file into its place and return the id of the import.

    Runs in the connection's transaction; rejected rows go whole to legacy.rejects.
    """
    plan = assessment.plan
    import_id = _record(connection, plan)
    for laid in assessment.tables:
        if laid.plan.archive:
            _create_archive(connection, laid, laid.plan.archive)
            _fill_archive(connection, source, laid, laid.plan.archive, progress)
        if laid.target is not None and laid.source.rows:
            maker = RowMaker(laid, keys, plan.owner)
            rows = _mapped_rows(source, laid, maker, progress)
            copy_rows(connection, laid.target, maker.columns, rows)
        if laid.plan.rejected:
            _quarantine(connection, source, laid, plan, import_id)
    copy_rows(connection, bookkeeping.id_map, ("table", "legacy_id", "id"), keys.ids())
    for target in _targets(assessment):
        counters = [
            one.plan.autoincrement or 0 for one in assessment.tables if one.target is target
        ]
        _raise_sequence(connection, target, max(counters))
    return import_id


def _targets(assessment: Assessment) -> list[Table]:
    found = {one.target.name: one.target for one in assessment.tables if one.target is not None}
    return list(found.values())


def _record(connection: Connection, plan: Plan) -> int:
    imports = bookkeeping.imports
    statement = insert(imports).values(
        source_sha256=plan.source.sha256,
        source_name=Path(plan.source.path).name,
        source_bytes=plan.source.bytes,
        generation=plan.source.generation,
        owner=plan.owner,
        tool_version=__version__,
        totals=plan.totals,
        plan=plan.to_dict(),
    )
    return int(connection.execute(statement.returning(imports.c.id)).scalar_one())


def _create_archive(connection: Connection, laid: Laid, archive: Archive) -> None:
    table = archive_table(laid.plan, archive)
    connection.execute(CreateTable(table))
    connection.execute(SetTableComment(table))
    with closing(connection.connection.cursor()) as cursor:
        name = sql.Identifier(bookkeeping.ARCHIVE_SCHEMA, table.name)
        cursor.execute(sql.SQL("ALTER TABLE {} ENABLE ROW LEVEL SECURITY").format(name))
        cursor.execute(sql.SQL("REVOKE ALL ON TABLE {} FROM " + ROLES).format(name))
    declared = {column.name: column.declared for column in laid.source.columns}
    described = [(archive.rowid, None, None, ROWID)] + [
        (name, source, declared[source], kind)
        for source, name, kind in archived_columns(laid.plan, archive)
    ]
    connection.execute(
        insert(bookkeeping.columns),
        [
            {
                "archive": f"{table.schema}.{table.name}",
                "position": position,
                "name": name,
                "source_table": laid.plan.name,
                "source_column": source,
                "declared_type": declared_type,
                "representation": kind,
            }
            for position, (name, source, declared_type, kind) in enumerate(described, 1)
        ],
    )


def _fill_archive(
    connection: Connection,
    source: sqlite3.Connection,
    laid: Laid,
    archive: Archive,
    progress: Progress | None,
) -> None:
    described = archived_columns(laid.plan, archive)
    fields = [(laid.source.position(name), write_as(kind)) for name, _, kind in described]
    rows = (
        [str(row[-1]), *(write(row[place]) for place, write in fields)]
        for _, row in _kept_rows(source, laid, None if laid.plan.mapped else progress)
    )
    columns = [archive.rowid, *(name for _, name, _ in described)]
    copy_rows(connection, archive_table(laid.plan, archive), columns, rows)


def _mapped_rows(
    source: sqlite3.Connection, laid: Laid, maker: RowMaker, progress: Progress | None
) -> Iterator[Sequence[str | None]]:
    for position, row in _kept_rows(source, laid, progress):
        fields, faults = maker.make(row)
        if faults:
            raise AssertionError(f"row {position} of {laid.plan.name} was not predicted: {faults}")
        yield fields


def _kept_rows(
    source: sqlite3.Connection, laid: Laid, progress: Progress | None
) -> Iterator[tuple[int, Row]]:
    rejected = frozenset(laid.plan.rejected)
    for position, row in enumerate(read_rows(source, laid.source)):
        if progress and position % REPORTED_EVERY == 0:
            progress(laid.plan.name, position, laid.source.rows)
        if position not in rejected:
            yield position, row
    if progress:
        progress(laid.plan.name, laid.source.rows, laid.source.rows)


def _quarantine(
    connection: Connection, source: sqlite3.Connection, laid: Laid, plan: Plan, import_id: int
) -> None:
    faults: dict[int, list[Reject]] = {}
    for reject in plan.rejects:
        if reject.table == laid.plan.name:
            faults.setdefault(reject.position, []).append(reject)
    rows = (
        _quarantined(import_id, faults[position], laid.source, row)
        for position, row in enumerate(read_rows(source, laid.source))
        if position in faults
    )
    columns = ("import_id", "table", "key", "column", "code", "reason", "row")
    copy_rows(connection, bookkeeping.rejects, columns, rows)


def _quarantined(
    import_id: int, rejects: Sequence[Reject], source: SourceTable, row: Row
) -> list[str | None]:
    first = rejects[0]
    values = zip(source.columns, row, strict=False)  # the number of the row is no column
    whole = {column.name: sqlite_literal(value) for column, value in values}
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
        json.dumps(whole, ensure_ascii=False),
    ]


def _raise_sequence(connection: Connection, target: Table, counter: int) -> None:
    for column in target.primary_key:
        if column.identity is None:
            continue
        largest = max(connection.scalar(select(func.max(column))) or 0, counter)
        if largest > 0:
            name = func.pg_get_serial_sequence(f"{PUBLIC}.{target.name}", column.name)
            connection.execute(select(func.setval(name, literal_column(str(largest)))))
