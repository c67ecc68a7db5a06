"""What the migrations make, in a server that is started for that and removed afterwards.

It never writes to the database that is compared: that one is only asked for its roles, extensions
and the functions of schema auth, which the migrations take for given.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from pydantic import SecretStr
from sqlalchemy import Connection, text

from dhafnck_db import metadata, schema, scratch, scratch_database, surroundings
from dhafnck_db.errors import TargetError
from dhafnck_db.parity.observe import CATALOG, observe
from dhafnck_db.parity.snapshot import Snapshot
from dhafnck_db.scratch import Scratch
from dhafnck_db.settings import Settings
from dhafnck_db.target import Target, connect_admin, resolve

DATABASE = "migrations"
LABEL = "migrations"
MAJOR = text("SELECT current_setting('server_version_num')::int / 10000")
# Those that policies call; the role postgres_access makes them in development.
CLAIMS = text("""
    SELECT nspname AS schema, pg_get_functiondef(p.oid) AS definition
    FROM pg_proc p JOIN pg_namespace n ON n.oid = pronamespace
    WHERE nspname = 'auth' AND proname IN ('jwt', 'uid', 'role', 'email') AND pronargs = 0
""")


@dataclass(frozen=True)
class Made:
    """What the migrations make."""

    snapshot: Snapshot  # at the revision of the database
    models: list[str]  # how the newest revision differs from the models


def make(connection: Connection, target: Target, revision: str | None) -> Made:
    """Return what the migrations make up to a revision, and how their head is unlike the models.

    Args:
        connection: to the target, in no transaction.
        target: its roles and extensions are what the migrations find.
        revision: of the target; None is before the first.

    Effects: a server in a folder below TMPDIR, removed at the end. Read-only for the target.

    Raises:
        TargetError: this machine has no server programs, or a migration fails there.
    """
    with connection.begin():
        own = metadata.own_schemas(target.settings.db_metadata, connection)
        around = surroundings.read(connection, own)
        around["functions"] = [dict(row) for row in connection.execute(CLAIMS).mappings()]
        wanted = int(str(connection.scalar(MAJOR)))
    with scratch.server(target.settings, _version(target.settings, wanted)) as server:
        _prepare(server, around)
        there = _target(target.settings, server, around["owner"])
        with connect_admin(there) as made:
            if revision is not None:
                schema.upgrade(made, there, revision)
            snapshot = observe(made, there.settings, LABEL, CATALOG)
            schema.upgrade(made, there)
            models = schema.differences(made, there.settings)
    return Made(snapshot, models)


def _version(settings: Settings, wanted: int) -> int:
    """Return the version to make it in: that of the database, else the newest that is installed."""
    if settings.db_scratch_image is not None:
        return wanted
    found = scratch.installed(settings)
    if not found:
        raise TargetError(
            "server-programs-missing",
            f"there are no server programs on this machine to apply the migrations in, "
            f"of PostgreSQL {wanted} or any other version",
            help=f"install postgresql-{wanted}, name the folder of its initdb in DB_CLIENT_BIN, or "
            "an image of it in DB_SCRATCH_IMAGE",
        )
    return wanted if wanted in found else max(found)


def _prepare(server: Scratch, around: dict[str, Any]) -> None:
    with scratch_database.connected(server, "postgres") as superuser:
        scratch_database.make_roles(superuser, around)
        scratch_database.execute(superuser, "CREATE DATABASE {} TEMPLATE template0", DATABASE)
    with scratch_database.connected(server, DATABASE) as superuser:
        scratch_database.make_surroundings(superuser, around, DATABASE)
        for schema_name in surroundings.ELSEWHERE:
            scratch_database.execute(superuser, "GRANT USAGE ON SCHEMA {} TO PUBLIC", schema_name)
        path = text("SELECT set_config('search_path', :path, false)")
        superuser.execute(path, {"path": around["search_path"]})
        take = "ALTER DATABASE {} SET search_path FROM CURRENT"
        scratch_database.execute(superuser, take, DATABASE)


def _target(settings: Settings, server: Scratch, owner: str) -> Target:
    """Return the database in the scratch server, as the role that owns it."""
    escaped = re.sub(r"([\\ ])", r"\\\1", owner)
    url = f"{server.url(DATABASE)}&options={quote(f'-crole={escaped}', safe='')}"
    update = {
        "database_type": "postgresql",
        "database_url": SecretStr(url),
        "test_database_url": None,
        "db_sslmode": None,
        "supabase_url": None,
    }
    return resolve(settings.model_copy(update=update))
