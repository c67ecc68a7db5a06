"""What would go where, and every row that would not go in.

It never writes, and knows the target only by the models: what it predicts the load then does.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import MetaData

from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.companion import Companion, companion_of, divide
from dhafnck_db.legacy.judge import Judge, Progress
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import OWNER, Laid, lay_out
from dhafnck_db.legacy.literal import escaped
from dhafnck_db.legacy.mapping import LegacyMapping
from dhafnck_db.legacy.plain import Division, PlainTable
from dhafnck_db.legacy.plan import OWNERLESS, Plan, Reject, Source, Warning
from dhafnck_db.legacy.recognise import recognise
from dhafnck_db.legacy.references import dangling
from dhafnck_db.legacy.room import is_out_of_room
from dhafnck_db.legacy.rows import RowMaker
from dhafnck_db.legacy.snapshot import Snapshot
from dhafnck_db.legacy.source import TYPES, SourceTable, encoding, read_tables
from dhafnck_db.legacy.unplaced import read_unplaced

_CHANGING = Warning(
    "the file",
    None,
    None,
    None,
    0,
    "source-changing",
    "it was written to all the while; the import is as of the moment it was read",
)


@dataclass(frozen=True)
class Assessment:
    """The plan, with the structure that it was made from."""

    plan: Plan
    tables: tuple[Laid, ...]


def assess_snapshot(
    snapshot: Snapshot,
    keys: Keys,
    *,
    models: MetaData,
    mapping: LegacyMapping,
    owner: str | None,
    progress: Progress | None = None,
) -> Assessment:
    """Return what an import of the snapshot does. Read-only; fills `keys` for the load.

    Raises:
        SourceError: the file cannot be read.
    """
    connection = snapshot.connection
    try:
        tables = read_tables(connection)
        laid = lay_out(snapshot, tables, models, mapping)
        rejects: list[Reject] = []
        warned = [_CHANGING] if snapshot.changing else []
        with companion_of(snapshot) as companion:
            for place in range(len(laid)):
                laid[place], found, ownerless = _look_at(
                    snapshot, laid[place], laid, keys, mapping, owner, companion, progress
                )
                rejects += found
                if ownerless:
                    warned.append(_ownerless(laid[place].plan.name, ownerless))
        warnings = (*warned, *dangling(connection, laid, keys, mapping))
        unplaced = read_unplaced(connection, laid)
        source = Source(
            path=escaped(str(snapshot.path)),
            sha256=snapshot.sha256,
            bytes=snapshot.bytes,
            generation=mapping.generation(table.name for table in tables),
            encoding=encoding(connection),
            user_version=connection.execute("PRAGMA user_version").fetchone()[0],
            application_id=connection.execute("PRAGMA application_id").fetchone()[0],
        )
    except (sqlite3.DatabaseError, UnicodeDecodeError) as failure:
        if is_out_of_room(failure):
            raise
        raise SourceError(
            "source-corrupt", f"{snapshot.path} cannot be read", cause=str(failure)
        ) from None
    plans = tuple(sorted((one.plan for one in laid), key=lambda plan: plan.name))
    plan = Plan(source, owner, plans, tuple(rejects), warnings, unplaced)
    return Assessment(plan, tuple(laid))


def _look_at(
    snapshot: Snapshot,
    laid: Laid,
    every: Sequence[Laid],
    keys: Keys,
    mapping: LegacyMapping,
    owner: str | None,
    companion: Companion | None,
    progress: Progress | None,
) -> tuple[Laid, list[Reject], int]:
    """Return a table with what its rows are, its rejects, and how many rows have no owner.

    Batches are asked as a whole; only the rows of those that are not plain are looked at.
    """
    plain = recognise(snapshot.connection, laid, every, keys, mapping, owner)
    plan = laid.plan
    types = {c.name: Counter(c.types) for c in plan.columns}
    if plain is not None:
        with keys.writing():
            plain = plain.follow(snapshot.connection, laid.source.rows)
        report = _told(progress, laid.source)
        division = divide(snapshot, plain, laid.source.rows, companion, report)
        laid = replace(laid, plain=plain, batches=division.batches)
        if laid.target is not None:
            _count(types, plain, division)
    if laid.target is None:
        return laid, [], 0
    maker = RowMaker(laid, keys, owner)
    with keys.writing():
        if plain is not None:
            plain.take_note(snapshot.connection, laid.batches)
        judged = Judge(laid, maker, keys, mapping).judge(snapshot.connection, progress)
    for column in plan.columns:
        if not column.types:
            types[column.name] += judged.types[column.name]
    plan = replace(
        plan,
        columns=tuple(
            replace(c, types={kind: types[c.name][kind] for kind in TYPES if types[c.name][kind]})
            for c in plan.columns
        ),
        rejected=tuple(sorted({reject.number for reject in judged.rejects})),
    )
    return replace(laid, plan=plan), judged.rejects, maker.ownerless


def _told(progress: Progress | None, source: SourceTable) -> Callable[[int], None]:
    """Return what counts the rows of a table that are done, and passes it on."""
    done = 0

    def report(rows: int) -> None:
        nonlocal done
        done += rows
        if progress:
            progress(source.name, done, source.rows, 0)

    return report


def _count(types: dict[str, Counter[str]], plain: PlainTable, division: Division) -> None:
    """Add the values of the plain batches, whose storage classes are known."""
    rows = sum(batch.rows for batch in division.batches if batch.plain)
    for check in plain.checks:
        if types[check.name]:
            continue  # counted before
        nulls = division.nulls.get(check.name, 0)
        types[check.name] += Counter({check.stored: rows - nulls, "null": nulls})


def _ownerless(table: str, rows: int) -> Warning:
    reason = f"{rows} rows have no owner; an import has to name one with --owner"
    return Warning(table, None, OWNER, None, rows, OWNERLESS, reason)
