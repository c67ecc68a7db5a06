"""What would go where, and every row that would not go in.

It never writes, and knows the target only by the models: what it predicts the load then does.
"""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass, replace

from sqlalchemy import MetaData

from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.judge import Judge, Progress
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import OWNER, Laid, lay_out
from dhafnck_db.legacy.literal import escaped
from dhafnck_db.legacy.mapping import LegacyMapping
from dhafnck_db.legacy.plan import OWNERLESS, Plan, Reject, Source, Warning
from dhafnck_db.legacy.references import dangling
from dhafnck_db.legacy.rows import RowMaker
from dhafnck_db.legacy.snapshot import Snapshot
from dhafnck_db.legacy.source import encoding, read_tables, read_unplaced

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
        laid = lay_out(connection, tables, models, mapping)
        rejects: list[Reject] = []
        warned = [_CHANGING] if snapshot.changing else []
        for place, one in enumerate(laid):
            if one.target is None:
                continue
            maker = RowMaker(one, keys, owner)
            found = Judge(one.plan, maker, keys, mapping).judge(connection, progress)
            rejected = tuple(sorted({reject.position for reject in found}))
            laid[place] = replace(one, plan=replace(one.plan, rejected=rejected))
            rejects += found
            if maker.ownerless:
                warned.append(_ownerless(one.plan.name, maker.ownerless))
        warnings = (*warned, *dangling(connection, laid, keys, mapping))
        unplaced = read_unplaced(connection)
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
        raise SourceError(
            "source-corrupt", f"{snapshot.path} cannot be read", cause=str(failure)
        ) from None
    plans = tuple(sorted((one.plan for one in laid), key=lambda plan: plan.name))
    plan = Plan(source, owner, plans, tuple(rejects), warnings, unplaced)
    return Assessment(plan, tuple(laid))


def _ownerless(table: str, rows: int) -> Warning:
    reason = f"{rows} rows have no owner; an import has to name one with --owner"
    return Warning(table, None, OWNER, None, rows, OWNERLESS, reason)
