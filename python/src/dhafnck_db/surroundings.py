"""What a dump of schemas needs around it and does not hold: roles, extensions, others' functions.

It never writes, and it never reads a password.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.resources import files
from typing import Any

from sqlalchemy import Connection, text

ELSEWHERE = ("auth", "extensions")  # made by the role postgres_access, as Supabase has them
NOT_THE_VENDORS = text("""
    SELECT nspname FROM pg_namespace
    WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' AND nspname <> ALL (:elsewhere)
""")


def schemas(connection: Connection, own: Collection[str], environment: str) -> set[str]:
    """Return the schemas that a backup holds. Read-only.

    Args:
        connection: to the database.
        own: the schemas of the models and of this project.
        environment: of the target.

    In production the own ones: the rest is the vendor's, and closed to role postgres. Elsewhere
    whatever is there, since nobody else keeps it; only what provisioning makes is left out.
    """
    if environment == "prod":
        query = text("SELECT nspname FROM pg_namespace WHERE nspname = ANY (:own)")
        return set(connection.scalars(query, {"own": sorted(own)}))
    return set(connection.scalars(NOT_THE_VENDORS, {"elsewhere": list(ELSEWHERE)}))


def read(connection: Connection, kept: Collection[str]) -> dict[str, Any]:
    """Return what the kept schemas need, JSON-ready: owner, roles, extensions, functions.

    Read-only. Roles are named with their attributes and memberships, without a password; functions
    are those of other schemas that something in the kept ones depends on.
    """
    query = text(files(__package__).joinpath("surroundings.sql").read_text())
    found: dict[str, Any] = connection.execute(query, {"schemas": sorted(kept)}).scalar_one()
    return found
