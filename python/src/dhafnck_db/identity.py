"""The identity of a database: which environment it says it is, and where it was made.

The row is written once, when a database gets its first schema; nothing here changes it later.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, inspect, select
from sqlalchemy.dialects.postgresql import insert

from dhafnck_db.bookkeeping import identity as identity_table
from dhafnck_db.errors import GuardError
from dhafnck_db.target import Target

PROJECT_HOST = re.compile(r"db\.([a-z0-9]+)\.supabase\.com?", re.IGNORECASE)
POOLER_USER = re.compile(r"postgres\.([a-z0-9]+)")


@dataclass(frozen=True)
class Identity:
    """What a database says of itself."""

    environment: str  # dev, test or prod
    reference: str  # the Supabase project, or the system identifier of the server
    created_at: datetime


def read(connection: Connection) -> Identity | None:
    """Return the identity of the database, or None where no schema was made yet. Read-only."""
    table = identity_table
    if not inspect(connection).has_table(table.name, schema=table.schema):
        return None
    row = connection.execute(
        select(table.c.environment, table.c.reference, table.c.created_at)
    ).one_or_none()
    return Identity(*row) if row else None


def require(connection: Connection, target: Target) -> Identity | None:
    """Refuse a database that says it is another environment, or another project, than the target.

    Read-only. Returns the identity, or None where the database has none yet. A URL that names
    another project than SUPABASE_URL is refused even there.

    Raises:
        GuardError: the identity or the URL contradicts the target.
    """
    named = _project_in_url(target)
    if target.reference is not None and named is not None and named != target.reference:
        raise GuardError(
            "wrong-project",
            f"{target.admin} is of project {named}, not {target.reference}",
            help="check SUPABASE_URL and DATABASE_URL; nothing was changed",
        )
    found = read(connection)
    if found is None:
        return None
    if found.environment != target.environment:
        raise GuardError(
            "wrong-environment",
            f"{target.admin} is a {found.environment} database, not {target.environment}",
            help="check DATABASE_TYPE and DATABASE_URL; nothing was changed",
        )
    if target.reference is not None and found.reference != target.reference:
        raise GuardError(
            "wrong-project",
            f"{target.admin} belongs to project {found.reference}, not {target.reference}",
            help="check SUPABASE_URL and DATABASE_URL; nothing was changed",
        )
    return found


def stamp(connection: Connection, target: Target) -> None:
    """Write the identity into a database that has none; does nothing to one that has.

    Part of the caller's transaction: a database gets its identity with its first schema.
    """
    if not inspect(connection).has_table(identity_table.name, schema=identity_table.schema):
        return
    reference = target.reference or system_identifier(connection)
    row = insert(identity_table).values(environment=target.environment, reference=reference)
    connection.execute(row.on_conflict_do_nothing())


def _project_in_url(target: Target) -> str | None:
    """Return the project that the vendor's host or pooler user names."""
    url = target.admin.url
    found = PROJECT_HOST.fullmatch(url.host or "") or POOLER_USER.fullmatch(url.username or "")
    return found[1] if found else None


def system_identifier(connection: Connection) -> str:
    """Return the server's system identifier, which initdb makes once. Read-only."""
    control = func.pg_control_system().table_valued("system_identifier")
    return str(connection.execute(select(control.c.system_identifier)).scalar_one())
