"""What there is to compare of a database, read in one transaction.

It never reads a row of an application's table, nor a schema of the vendor's.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from sqlalchemy import Connection, text

from dhafnck_db import bookkeeping, metadata, revision, surroundings
from dhafnck_db.parity import vendor
from dhafnck_db.parity.snapshot import Snapshot, Thing, without_secrets
from dhafnck_db.settings import Settings

CATALOG = ("relations.sql", "routines.sql", "grants.sql")  # what migrations make
EVERYTHING = (*CATALOG, "server.sql")
DATABASE = text("""
    SELECT datname, pg_get_userbyid(datdba), current_setting('server_version_num')::int / 10000
    FROM pg_database WHERE datname = current_database()
""")
READABLE = text("SELECT has_table_privilege(to_regclass(:name), 'SELECT')")  # NULL: no such table
ARCHIVES = text("SELECT DISTINCT archive FROM legacy.columns")


def observe(
    connection: Connection,
    settings: Settings,
    environment: str,
    parts: Iterable[str] = EVERYTHING,
) -> Snapshot:
    """Return what there is to compare of a database. Read-only, as of one moment.

    Args:
        connection: to the database, in no transaction.
        settings: name the models, and so the schemas.
        environment: how the snapshot is labelled.
        parts: the files to read with; those of the catalog alone for what migrations make.
    """
    with connection.begin():
        connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        at = revision.current(connection, settings.db_version_table)
        bound = {
            "schemas": sorted(metadata.own_schemas(settings.db_metadata, connection)),
            "archives": _archives(connection),
            "provisioned_schemas": list(surroundings.ELSEWHERE),
            "vendor_schemas": list(vendor.SCHEMAS),
            "vendor_roles": vendor.ROLES,
            "vendor_publications": vendor.PUBLICATIONS,
            "settings": compared_settings(),
        }
        # Names are then spelled with their schema, whatever the search path of the role is.
        connection.exec_driver_sql("SET LOCAL search_path = ''")
        things = [
            Thing(kind, of or "", name, without_secrets(properties))
            for part in parts
            for kind, of, name, properties in _rows(connection, part, bound)
        ]
        database, owner, major = connection.execute(DATABASE).one()
    things.append(Thing("revision", "", "alembic", {"value": at}))
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    found = {thing.key: thing for thing in things}
    return Snapshot(environment, database, owner, made_at, major, found)


def compared_settings() -> list[str]:
    """Return the names of the server's settings that are compared."""
    return [name for names in settings_by_effect().values() for name in names]


def settings_by_effect() -> dict[str, list[str]]:
    """Return the names of settings.toml: those that change results, and those that change plans."""
    return tomllib.loads(files(__package__).joinpath("settings.toml").read_text())


def _rows(connection: Connection, part: str, bound: Mapping[str, object]) -> Sequence[Any]:
    query = "".join(files(__package__).joinpath(name).read_text() for name in ("own.sql", part))
    used = {name: value for name, value in bound.items() if f":{name}" in query}
    return connection.execute(text(query), used).all()


def _archives(connection: Connection) -> list[str]:
    """Return the tables of the archive with their schema: they are as the legacy files were."""
    name = f"{bookkeeping.ARCHIVE_SCHEMA}.{bookkeeping.columns.name}"
    if not connection.scalar(READABLE, {"name": name}):
        return []
    return [str(archive) for archive in connection.scalars(ARCHIVES)]
