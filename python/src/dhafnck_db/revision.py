"""Which revision a database is at; Alembic is not needed to know that.

It never writes.
"""

from __future__ import annotations

from sqlalchemy import Column, Connection, MetaData, String, Table, inspect, select

from dhafnck_db.errors import TargetError
from dhafnck_db.target import Target

# Alembic's own table.
VERSION = Table("alembic_version", MetaData(), Column("version_num", String(32), primary_key=True))


def current(connection: Connection) -> str | None:
    """Return the revision that the database is at, or None. Read-only.

    Raises:
        TargetError: it is at several, of branches that were never merged.
    """
    with connection.begin() if not connection.in_transaction() else connection.begin_nested():
        if not inspect(connection).has_table(VERSION.name):
            return None
        found = connection.scalars(select(VERSION.c.version_num)).all()
    if len(found) > 1:
        raise TargetError(
            "several-revisions",
            f"the database is at several revisions at once: {', '.join(sorted(found))}",
            help="merge the branches with `alembic merge`, and upgrade",
        )
    return found[0] if found else None


def require(connection: Connection, target: Target, newest: str | None) -> None:
    """Refuse a database that is not at the newest revision. Read-only.

    Raises:
        TargetError: it is at another revision, at several, or at none.
    """
    found = current(connection)
    if found != newest:
        raise TargetError(
            "schema-behind",
            f"{target.admin} is at revision {found or 'none'}, not at {newest}",
            help="run `dhafnck-db schema upgrade` first",
        )
