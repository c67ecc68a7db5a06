"""A copy of the target to try revisions on: a restored backup, else the schema without rows.

It reads the target and writes to a scratch server alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from sqlalchemy import Connection, Table, func, inspect, select, text
from sqlalchemy.schema import MetaData

from dhafnck_db import (
    archive,
    backup,
    backup_folder,
    backup_record,
    identity,
    metadata,
    scratch,
    scratch_database,
    surroundings,
)
from dhafnck_db.backup_folder import Entry
from dhafnck_db.bookkeeping import PROJECT_SCHEMA
from dhafnck_db.errors import VerificationError
from dhafnck_db.revision import VERSION_TABLE
from dhafnck_db.scratch import Scratch
from dhafnck_db.scratch_folder import scratch_folder
from dhafnck_db.target import Target, connect_admin, resolve

DATABASE = "rehearsal"
ROWS = text("""
    SELECT nspname || '.' || relname, reltuples, relpages FROM pg_class
    JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'm') AND nspname = ANY (:schemas)
""")
# A dump of schemas has no grants on the schemas around them.
ALLOWED = text("""
    SELECT nspname, kind FROM pg_namespace CROSS JOIN unnest(ARRAY['USAGE', 'CREATE']) AS kind
    WHERE nspname = ANY (:schemas) AND has_schema_privilege(oid, kind)
""")
# As ANALYZE would leave it; the rows themselves are not copied.
SIZES = text("""
    UPDATE pg_class SET reltuples = :rows, relpages = :pages WHERE oid = to_regclass(:name)
""")


@dataclass(frozen=True)
class Copy:
    """A copy of the target in a scratch server."""

    target: Target  # of the copy
    connection: Connection  # to it, as the role that works in the original
    superuser: Connection  # to it, outside transactions, for what only looks
    server: Scratch
    source: str  # what it was made from, in words
    backup: str | None  # the name of the restored backup
    rows: dict[str, float]  # of each table, as counted or as the original's statistics say
    schemas: set[str]


@contextmanager
def made(
    connection: Connection, target: Target, known: Collection[str], *, schema_only: bool
) -> Iterator[Copy]:
    """Make a copy of the target; remove it with its server afterwards.

    From the newest backup of this very database, else from its schema with the sizes of its tables.
    Everything is done as the role that `connection` works as.

    Args:
        connection: to the target; only reads.
        target: what is copied.
        known: the revisions of the checkout; a backup at another one is not taken.
        schema_only: take no backup.

    Raises:
        TargetError: no server programs, no pg_dump, or they failed.
        VerificationError: the newest backup is damaged.
    """
    settings = target.settings
    own = metadata.own_schemas(settings.db_metadata, connection)
    schemas = surroundings.schemas(connection, own, target.environment)
    around = surroundings.read(connection, schemas)
    role = str(connection.scalar(select(func.current_user())))
    major = int(str(connection.scalar(select(func.current_setting("server_version_num"))))) // 10000
    entry = None if schema_only else _newest(connection, target, known)
    elsewhere = {one["schema"] for one in (*around["extensions"], *around["functions"])}
    allowed = connection.execute(ALLOWED, {"schemas": sorted(elsewhere)}).all()
    sizes = [tuple(row) for row in connection.execute(ROWS, {"schemas": sorted(schemas)})]
    connection.rollback()
    with ExitStack() as stack:
        server = stack.enter_context(
            scratch.server(settings, entry.record.major if entry else major)
        )
        _make_database(server, entry.record.surroundings if entry else around)
        if entry is not None:
            backup_record.require_whole(entry.path, entry.record, settings)
            stack.enter_context(backup_folder.in_use(entry))
            _restore(server, target, entry.path, entry.record.encrypted)
        else:
            folder = stack.enter_context(scratch_folder("rehearsal"))
            backup.dump(connection, target, folder / "schema.dump", schema_only=True)
            _restore(server, target, folder / "schema.dump", encrypted=False)
        superuser = stack.enter_context(scratch_database.connected(server, DATABASE))
        there = set(superuser.exec_driver_sql("SELECT nspname::text FROM pg_namespace").scalars())
        for schema, kind in (one for one in allowed if one[0] in there):
            grant = f"GRANT {kind} ON SCHEMA {{}} TO {{}}"
            scratch_database.execute(superuser, grant, schema, role)
        if entry is None:
            _carry_bookkeeping(connection, superuser, settings.db_version_table)
            for name, rows, pages in sizes:
                superuser.execute(SIZES, {"name": name, "rows": rows, "pages": pages})
        here = resolve(settings.model_copy(update=_place(server)))
        working = stack.enter_context(connect_admin(here))
        _work_as(working, role, around["search_path"], target)
        counted = {n: float(t["rows"]) for n, t in entry.record.tables.items()} if entry else {}
        estimated = {name: rows for name, rows, _ in sizes if rows >= 0}
        source = f"backup {entry.path.name}" if entry else "the schema, without rows"
        yield Copy(
            here,
            working,
            superuser,
            server,
            source,
            entry.path.name if entry else None,
            counted or estimated,
            schemas,
        )


def _newest(connection: Connection, target: Target, known: Collection[str]) -> Entry | None:
    """Return the newest full backup of this very database, None where there is none."""
    found = identity.read(connection)
    database = connection.scalar(select(func.current_database()))
    own = target.settings.db_version_table != VERSION_TABLE
    for entry in backup_folder.entries(target.settings.db_backup_dir):
        record = entry.record
        of_this = found is not None and (record.environment, record.reference, record.database) == (
            found.environment,
            found.reference,
            database,
        )
        # Of an application's own history the record does not say where it is.
        fits = own or record.revision is None or record.revision in known
        if of_this and fits and record.catalog and record.surroundings:
            return entry
    return None


def _make_database(server: Scratch, around: dict[str, Any]) -> None:
    with scratch_database.connected(server, "postgres") as superuser:
        scratch_database.make_roles(superuser, around)
        scratch_database.execute(superuser, "CREATE DATABASE {} TEMPLATE template0", DATABASE)
    with scratch_database.connected(server, DATABASE) as superuser:
        scratch_database.make_surroundings(superuser, around, DATABASE)


def _restore(server: Scratch, target: Target, dump: Path, encrypted: bool) -> None:
    try:
        archive.restore_into(
            dump,
            encrypted,
            target.settings,
            program=server.programs / "pg_restore",
            env=server.environment(DATABASE),
        )
    except archive.Failed as failure:
        raise VerificationError(
            "rehearsal-failed",
            f"no copy of {target.admin} can be made from {dump.name}",
            cause=str(failure),
            help=failure.way_out
            or "nothing was tried; `dhafnck-db backup drill` says more about a backup",
        ) from None


def _carry_bookkeeping(original: Connection, superuser: Connection, version_table: str) -> None:
    """Copy the few rows that say which database this is and which revisions it has."""
    places = [(None, version_table), (PROJECT_SCHEMA, "identity"), (PROJECT_SCHEMA, "revisions")]
    for schema, name in places:
        found = _reflected(original, schema, name)
        if found is None:
            continue
        rows = [dict(row) for row in original.execute(found.select()).mappings()]
        original.rollback()
        if rows:
            superuser.execute(found.insert(), rows)


def _reflected(connection: Connection, schema: str | None, name: str) -> Table | None:
    if not inspect(connection).has_table(name, schema=schema):
        return None
    return Table(name, MetaData(), schema=schema, autoload_with=connection)


def _place(server: Scratch) -> dict[str, Any]:
    return {
        "database_type": "postgresql",
        "database_url": SecretStr(server.url(DATABASE)),
        "db_sslmode": None,
    }


def _work_as(connection: Connection, role: str, search_path: str, original: Target) -> None:
    """Bring a session to what a migration of the original has: role, names, limits."""
    limits = original.settings
    for name, value in (
        ("search_path", search_path),
        ("lock_timeout", limits.db_lock_timeout),
        ("statement_timeout", limits.db_statement_timeout),
    ):
        connection.execute(select(func.set_config(name, value, False)))
    connection.commit()
    scratch_database.execute(connection, "SET SESSION AUTHORIZATION {}", role)
    connection.commit()
