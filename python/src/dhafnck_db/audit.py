"""The audit trail: on which tables it is kept, and how long.

It never writes into the trail, which the triggers do, and prunes only what is older than was said.
Whoever owns the tables can switch the trail off and write into it: it tells of everybody else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ARRAY, Connection, Text, cast, delete, func, literal, select, text
from sqlalchemy.dialects.postgresql import REGCLASS

from dhafnck_db import metadata, revision, schema
from dhafnck_db.bookkeeping import audit
from dhafnck_db.relations import Relation, application_tables, resolve
from dhafnck_db.target import Target

# Both triggers, and neither disabled.
AUDITED = text("""
    SELECT nspname, relname FROM pg_trigger
    JOIN pg_class ON pg_class.oid = tgrelid JOIN pg_namespace n ON n.oid = relnamespace
    WHERE tgfoid = 'dhafnck.audit_write'::regproc AND tgenabled <> 'D' AND tgparentid = 0
    GROUP BY 1, 2 HAVING count(*) = 2
""")


@dataclass(frozen=True)
class Switched:
    """On which tables the trail was switched on and off, or would be."""

    enabled: list[str]
    disabled: list[str]

    def to_dict(self) -> dict[str, Any]:
        return {"changed": bool(self.enabled or self.disabled), **asdict(self)}


def status(connection: Connection, target: Target) -> dict[str, bool]:
    """Return the application's tables, and whether each is audited. Read-only.

    Raises:
        TargetError: the database is not at head.
    """
    _require_head(connection, target)
    with connection.begin():
        audited = _audited(connection)
        tables = _tables(connection, target)
    return {str(table): table in audited for table in sorted(set(tables.values()))}


def enable(
    connection: Connection,
    target: Target,
    names: Sequence[str],
    *,
    only: bool = False,
    dry_run: bool = False,
) -> Switched:
    """Keep the trail of these tables, in one transaction; does nothing to one that is audited.

    Args:
        names: tables of the application, with or without their schema.
        only: and of no others.
        dry_run: only say what would be done.

    The values of columns that the models mark as secret (`info={"secret": True}`) stay out of it.

    Raises:
        UsageError: a name is no table of the application.
        TargetError: the database is not at head.
    """
    _require_head(connection, target)
    with connection.begin():
        tables = _tables(connection, target)
        wanted, audited = resolve(tables, names), _audited(connection)
        fresh = [table for table in wanted if table not in audited]
        others = set(tables.values()) - set(wanted)
        stale = sorted(audited & others) if only else []
        if not dry_run:
            for table in fresh:
                _call(connection, "audit_on", table, *_secrets(target, table))
            for table in stale:
                _call(connection, "audit_off", table)
    return Switched([str(table) for table in fresh], [str(table) for table in stale])


def disable(
    connection: Connection, target: Target, names: Sequence[str], *, dry_run: bool = False
) -> Switched:
    """Keep the trail of these tables no longer, in one transaction; what was recorded stays.

    Raises as `enable`.
    """
    _require_head(connection, target)
    with connection.begin():
        audited = _audited(connection)
        stale = [t for t in resolve(_tables(connection, target), names) if t in audited]
        if not dry_run:
            for table in stale:
                _call(connection, "audit_off", table)
    return Switched([], [str(table) for table in stale])


def prune(
    connection: Connection, target: Target, older_than: timedelta, *, dry_run: bool = False
) -> int:
    """Delete what the trail holds from before that long ago; return how many rows.

    Raises:
        TargetError: the database is not at head.
    """
    _require_head(connection, target)
    old = audit.c.at < func.now() - older_than
    with connection.begin():
        if dry_run:
            return int(connection.scalar(select(func.count()).where(old)) or 0)
        return connection.execute(delete(audit).where(old)).rowcount


def _require_head(connection: Connection, target: Target) -> None:
    revision.require(connection, target, schema.head(target.settings))


def _tables(connection: Connection, target: Target) -> dict[str, Relation]:
    return application_tables(connection, target.settings.db_metadata)


def _audited(connection: Connection) -> set[Relation]:
    return {Relation(*row) for row in connection.execute(AUDITED)}


def _secrets(target: Target, table: Relation) -> list[str]:
    models = metadata.load(target.settings.db_metadata)[0]
    # The default schema is None in the models; no two schemas of theirs share a table's name.
    return [
        column.name
        for model in models.tables.values()
        if model.name == table.name and model.schema in (None, table.schema)
        for column in model.columns
        if column.info.get("secret")
    ]


def _call(connection: Connection, function: str, table: Relation, *hidden: str) -> None:
    """Call a function of revision 0003 on a table."""
    name = cast(func.format("%I.%I", table.schema, table.name), REGCLASS)
    more = [literal(list(hidden), ARRAY(Text))] if hidden else []
    connection.execute(select(getattr(func.dhafnck, function)(name, *more)))
