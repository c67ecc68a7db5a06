"""The checks of a database: is it the right one, and is it as the schema and its users need it?

None of them writes, and each is bounded by who calls it (`measure`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, column, func, inspect, select, table

from dhafnck_db import applied, bookkeeping, identity, revision, tls
from dhafnck_db.endpoints import VERIFIED
from dhafnck_db.errors import ToolkitError
from dhafnck_db.health import strain, upkeep
from dhafnck_db.health.findings import Finding
from dhafnck_db.target import Target

OLDEST_SERVER = 15
# Branches that were never merged, of the database or of the revision files.
SEVERAL = ("several-revisions", "several-heads")
EXTENSIONS = ("pg_stat_statements", "pg_trgm", "pgcrypto", "uuid-ossp")


def _tls(connection: Connection, target: Target) -> Finding:
    driver: Any = connection.connection.dbapi_connection
    session = tls.session(driver)
    mode = driver.info.dsn_parameters.get("sslmode")
    production = target.settings.database_type == "supabase"
    if session is None:
        if not production and target.app.on_this_machine:
            return Finding("ok", "not needed: nothing leaves this machine")
        return Finding("warning", "none: data and logins can be read on the way")
    said = f"{session.protocol}, {session.cipher}, {mode}"
    if production and mode != VERIFIED:
        return Finding("warning", f"{said}: the server was not verified; unset DB_SSLMODE")
    return Finding("ok", said)


def _identity(connection: Connection, target: Target) -> Finding:
    found = identity.read(connection)
    if found is None:
        return Finding(
            "failed", "the database has no identity: its schema was not made by dhafnck-db"
        )
    made = f"{found.environment}, made {found.created_at:%Y-%m-%d %H:%M} UTC"
    if found.environment != target.environment:
        return Finding("failed", f"this is {made}; asked for was {target.environment}")
    if target.reference is not None and found.reference != target.reference:
        said = f"{made}, of project {found.reference}"
        return Finding("failed", said, f"{made}, of another project")
    if target.reference is None and found.reference != identity.system_identifier(connection):
        return Finding("warning", f"{made}, on another server than this one")
    return Finding("ok", made)


def _server(connection: Connection, target: Target) -> Finding:
    version = connection.scalar(select(func.current_setting("server_version")))
    number = connection.scalar(select(func.current_setting("server_version_num")))
    if int(str(number)) // 10000 < OLDEST_SERVER:
        return Finding("failed", f"PostgreSQL {version}; at least {OLDEST_SERVER} is needed")
    return Finding("ok", f"PostgreSQL {version}")


def _schema(connection: Connection, target: Target) -> Finding:
    settings = target.settings
    recorded = applied.newest(applied.read(connection, settings), settings)
    head: str | None
    edited: list[str] = []
    try:
        found = revision.current(connection, settings.db_version_table)
        if recorded is not None:
            head, wanted = recorded.revision, set(recorded.tables)
        else:  # what takes a third of a second to load
            from dhafnck_db import metadata, schema

            wanted = metadata.table_names(settings.db_metadata, connection)
            head = schema.head(settings)
            edited = schema.edited(connection, settings)
    except ToolkitError as fault:
        if fault.code not in SEVERAL:
            raise
        return Finding("failed", fault.message)
    if found != head:
        return Finding("failed", f"revision {found or 'none'}; head is {head}")
    missing = wanted - applied.existing(connection, wanted)
    if missing:
        return Finding("failed", f"revision {found}, but no table {', '.join(sorted(missing))}")
    said = f"revision {found} (head), {len(wanted)} tables"
    if edited:
        return Finding("warning", f"{said}; {', '.join(edited)} was edited after it was applied")
    return Finding("ok", said)


def _extensions(connection: Connection, target: Target) -> Finding:
    catalog = table("pg_extension", column("extname"))
    found = set(connection.scalars(select(catalog.c.extname)))
    missing = [name for name in EXTENSIONS if name not in found]
    if missing:
        return Finding("failed", f"missing: {', '.join(missing)}")
    return Finding("ok", ", ".join(EXTENSIONS))


def _settings(connection: Connection, target: Target) -> Finding:
    wanted = {"server_encoding": "UTF8", "TimeZone": "UTC"}
    found = {name: connection.scalar(select(func.current_setting(name))) for name in wanted}
    said = ", ".join(f"{name} {value}" for name, value in found.items())
    return Finding("ok" if found == wanted else "failed", said)


def _read_write(connection: Connection, target: Target) -> Finding:
    if connection.scalar(select(func.pg_is_in_recovery())):
        return Finding("failed", "the server is a standby: it only reads")
    if connection.scalar(select(func.current_setting("transaction_read_only"))) == "on":
        said = "transactions are read-only by default"
        if target.app.of_supabase:
            said += ": a disk that is nearly full does that"
        return Finding("failed", said)
    return Finding("ok", "takes writes")


def _audit_log(connection: Connection, target: Target) -> Finding:
    # Not current_setting: it also shows what somebody set for a library that is not loaded.
    settings = table("pg_settings", column("name"), column("setting"))
    names = settings.c.name.in_(("pgaudit.log", "log_statement"))
    rows = connection.execute(select(settings.c.name, settings.c.setting).where(names))
    found = {str(row.name): str(row.setting) for row in rows}
    return judged_audit_log(found, target.environment)


def judged_audit_log(settings: dict[str, str], environment: str) -> Finding:
    """Judge by a session's settings whether the server's log tells of DDL and of role changes."""
    statements, pgaudit = settings["log_statement"], settings.get("pgaudit.log", "none")
    classes = {name.strip().lower() for name in pgaudit.split(",")}
    if statements != "none":  # each of its other values has both
        return Finding("ok", f"log_statement {statements}")
    if classes & {"ddl", "all"}:
        roles = "" if classes & {"role", "all"} else ", which leaves role changes out"
        return Finding("ok", f"pgaudit {pgaudit}{roles}")
    off = "the server's log tells of neither DDL nor role changes"
    return Finding("warning" if environment == "prod" else "ok", off)


def _legacy(connection: Connection, target: Target) -> Finding:
    imports = bookkeeping.imports
    if not inspect(connection).has_table(imports.name, schema=imports.schema):
        return Finding("ok", "no file imported")
    rows = connection.execute(select(imports.c.source_name, imports.c.totals)).all()
    said = [f"{totals['rows']} rows of {name}" for name, totals in rows]
    return Finding("ok", ", ".join(said) or "no file imported")


CHECKS: dict[str, Callable[[Connection, Target], Finding]] = {
    "tls": _tls,
    "identity": _identity,
    "server": _server,
    "schema": _schema,
    "extensions": _extensions,
    "settings": _settings,
    "read-write": _read_write,
    "audit log": _audit_log,
    "pool": strain.pool,
    "connections": strain.connections,
    "transactions": strain.transactions,
    "replication": strain.replication,
    "disk": strain.disk,
    "clock": strain.clock,
    "latency": strain.latency,
    "certificate": strain.certificate,
    "backups": upkeep.backups,
    "legacy": _legacy,
}
