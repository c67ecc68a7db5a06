"""Everything the plan says, written into the target.

It never drops, truncates or deletes, never writes into a table that has rows, and neither begins
nor ends the transaction it runs in.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

from psycopg2 import sql
from sqlalchemy import Connection, Table, exists, insert, inspect, literal, select
from sqlalchemy.schema import CreateTable, SetTableComment

from dhafnck_db import __version__, bookkeeping
from dhafnck_db.errors import TargetError
from dhafnck_db.legacy.archive import ROWID, archive_table, archived_columns, write_as
from dhafnck_db.legacy.aside import set_aside
from dhafnck_db.legacy.assessment import Assessment
from dhafnck_db.legacy.copy import copy_in, written
from dhafnck_db.legacy.judge import Progress
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import PUBLIC, Laid
from dhafnck_db.legacy.literal import Row
from dhafnck_db.legacy.long import Written
from dhafnck_db.legacy.plain import Field, add_functions
from dhafnck_db.legacy.plan import Archive, Plan
from dhafnck_db.legacy.quarantine import quarantine
from dhafnck_db.legacy.rows import Fields, RowMaker
from dhafnck_db.legacy.sequences import hold_sequence, raise_sequence
from dhafnck_db.legacy.snapshot import Snapshot
from dhafnck_db.legacy.source import number_of, read_rows, read_span
from dhafnck_db.privileges import ROLES


def lock(connection: Connection, assessment: Assessment) -> None:
    """Keep others from writing where the plan writes, until the transaction ends.

    Raises:
        DBAPIError: another session holds a lock for longer than is waited.
    """
    tables = [bookkeeping.imports, *sorted(_written(assessment), key=lambda table: table.name)]
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
    for table in _written(assessment):
        if connection.scalar(select(exists(select(literal(1)).select_from(table)))):
            filled.append(f"{table.schema or PUBLIC}.{table.name}")
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
    snapshot: Snapshot,
    assessment: Assessment,
    keys: Keys,
    progress: Progress | None = None,
) -> Counter[str]:
    """Write every row of the file into its place; return the bytes sent, by table of the file.

    Runs in the connection's transaction; rejected rows go whole to legacy.rejects, and are not
    among the bytes.
    """
    plan = assessment.plan
    sent: Counter[str] = Counter()
    import_id = _record(connection, plan)
    targets, rows = _targets(assessment), plan.totals["rows"]
    with set_aside(connection, _written(assessment), rows=rows, progress=progress):
        for laid in assessment.tables:
            if laid.plan.archive:
                _create_archive(connection, laid, laid.plan.archive)
                _fill_archive(connection, snapshot, laid, laid.plan.archive, sent, progress)
            if laid.target is not None and laid.source.rows:
                maker = RowMaker(laid, keys, plan.owner)
                chunks = _mapped_rows(snapshot, laid, maker, progress)
                hold_sequence(connection, laid.target, maker.columns)
                chunks = _counted(chunks, sent, laid.plan.name)
                copy_in(connection, laid.target, maker.columns, chunks)
            if laid.plan.rejected:
                quarantine(connection, snapshot.connection, laid, plan, import_id)
        changed = _changed_ids(snapshot, assessment, keys)
        copy_in(connection, bookkeeping.id_map, ("table", "legacy_id", "id"), changed)
    for target in targets:
        counters = [
            one.plan.autoincrement or 0 for one in assessment.tables if one.target is target
        ]
        raise_sequence(connection, target, max(counters))
    return sent


def _targets(assessment: Assessment) -> list[Table]:
    found = {one.target.name: one.target for one in assessment.tables if one.target is not None}
    return list(found.values())


def _written(assessment: Assessment) -> list[Table]:
    """Return the tables that are there before the load and empty until it."""
    targets = _targets(assessment)
    return [*targets, bookkeeping.id_map] if targets else []


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
    snapshot: Snapshot,
    laid: Laid,
    archive: Archive,
    sent: Counter[str],
    progress: Progress | None,
) -> None:
    described = archived_columns(laid.plan, archive)
    fields = [(laid.source.position(name), write_as(kind)) for name, _, kind in described]
    plain = laid.plain.archived if laid.plain else None
    rows = _chunks(
        snapshot,
        laid,
        plain,
        lambda row: [str(row[-1]), *(write(row[place]) for place, write in fields)],
        None if laid.plan.mapped else progress,
    )
    columns = [archive.rowid, *(name for _, name, _ in described)]
    rows = _counted(rows, sent, laid.plan.name)
    copy_in(connection, archive_table(laid.plan, archive), columns, rows)


def _counted(chunks: Iterable[bytes], sent: Counter[str], table: str) -> Iterator[bytes]:
    for chunk in chunks:
        sent[table] += len(chunk)
        yield chunk


def _mapped_rows(
    snapshot: Snapshot, laid: Laid, maker: RowMaker, progress: Progress | None
) -> Iterator[bytes]:
    def make(row: Row) -> Fields:
        fields, faults = maker.make(row)
        if faults:
            number = number_of(row)
            raise AssertionError(f"row {number} of {laid.plan.name} was not predicted: {faults}")
        return fields

    fields = None
    if laid.plain is not None:
        places = {one.column: one for one in laid.plain.fields}
        fields = [places[name] for name in maker.columns]
    return _chunks(snapshot, laid, fields, make, progress)


def _chunks(
    snapshot: Snapshot,
    laid: Laid,
    fields: Sequence[Field] | None,
    make: Callable[[Row], Sequence[Written]],
    progress: Progress | None,
) -> Iterator[bytes]:
    """Yield the rows that go in: plain batches as a whole where they can be, others row by row."""
    rejected = frozenset(laid.plan.rejected)
    done = sent = 0

    def counted(rows: Iterable[Row]) -> Iterator[Row]:
        nonlocal done
        for row in rows:
            yield row
            done += 1

    def written_out(rows: Iterable[Row]) -> Iterator[bytes]:
        return written(make(row) for row in rows if number_of(row) not in rejected)

    if progress is None:
        progress = _silent
    if not laid.batches:
        for chunk in written_out(counted(read_rows(snapshot.connection, laid.source))):
            yield chunk
            sent += len(chunk)
            progress(laid.plan.name, done, laid.source.rows, sent)
        progress(laid.plan.name, laid.source.rows, laid.source.rows, sent)
        return
    with closing(snapshot.reader()) as reader:
        add_functions(reader)
        for batch in laid.batches:
            if batch.plain and laid.plain is not None and fields is not None:
                chunks = iter([laid.plain.copied(reader, fields, batch)])
            else:
                span = read_span(snapshot.connection, laid.source, batch.first, batch.last)
                chunks = written_out(span)
            for chunk in chunks:
                yield chunk
                sent += len(chunk)
            done += batch.rows
            progress(laid.plan.name, done, laid.source.rows, sent)


def _silent(table: str, done: int, rows: int, sent: int) -> None:
    """Tell nobody."""


def _changed_ids(snapshot: Snapshot, assessment: Assessment, keys: Keys) -> Iterator[bytes]:
    """Yield the rows of legacy.id_map: those of the plain batches, then those noted one by one."""
    with closing(snapshot.reader()) as reader:
        add_functions(reader)
        for laid in assessment.tables:
            if laid.plain is not None and laid.plain.changed_ids:
                for batch in laid.batches:
                    if batch.plain:
                        yield from laid.plain.changed(reader, batch)
    yield from written(keys.ids())
