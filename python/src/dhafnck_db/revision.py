"""Which revision a database is at, and what a move to another is; without Alembic.

It never writes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy import ColumnClause, Connection, column, inspect, select, table

from dhafnck_db.errors import TargetError
from dhafnck_db.target import Target

VERSION_TABLE = "alembic_version"  # Alembic's own, of this project's revisions

Verb = Literal["upgrade", "downgrade"]


@dataclass(frozen=True)
class Move:
    """What an upgrade or a downgrade did, or would do."""

    changed: bool
    before: str | None
    after: str | None
    revisions: list[str]  # in the order in which they are applied or undone

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def facts(self, verb: Verb) -> dict[str, str]:
        """Return what the guard's card says of it."""
        label = "pending" if verb == "upgrade" else "undoes"
        return {label: ", ".join(self.revisions) or "none"}


def current(connection: Connection, version_table: str = VERSION_TABLE) -> str | None:
    """Return the revision that the database is at, or None. Read-only.

    Args:
        connection: to the database.
        version_table: of which history: this project's, or an application's own.

    Raises:
        TargetError: it is at several, of branches that were never merged.
    """
    found = heads(connection, version_table)
    if len(found) > 1:
        raise TargetError(
            "several-revisions",
            f"the database is at several revisions at once: {', '.join(found)}",
            help="merge the branches with `alembic merge`, and upgrade",
        )
    return found[0] if found else None


def heads(connection: Connection, version_table: str = VERSION_TABLE) -> list[str]:
    """Return the revisions that the database is at: one, but for branches; sorted. Read-only."""
    with connection.begin() if not connection.in_transaction() else connection.begin_nested():
        if not inspect(connection).has_table(version_table):
            return []
        number: ColumnClause[str] = column("version_num")
        return sorted(connection.scalars(select(number).select_from(table(version_table))))


def require(connection: Connection, target: Target, newest: str | None) -> None:
    """Refuse a database that is not at the newest revision. Read-only.

    Raises:
        TargetError: it is at another revision, at several, or at none.
    """
    found = current(connection, target.settings.db_version_table)
    if found != newest:
        raise TargetError(
            "schema-behind",
            f"{target.admin} is at revision {found or 'none'}, not at {newest}",
            help="run `dhafnck-db schema upgrade` first",
        )
