"""What a database is like now: named checks, each with a finding that was measured.

It never writes, and it never waits longer than DB_CONNECT_TIMEOUT and then DEADLINE for the server.
"""

from __future__ import annotations

import os
import socket
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from threading import Event, Timer
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection, Engine, QueuePool, column, func, inspect, select, table, text
from sqlalchemy.exc import DBAPIError

from dhafnck_db import (
    applied,
    bookkeeping,
    certificates,
    failures,
    identity,
    lookup,
    revision,
    tls,
)
from dhafnck_db.endpoints import VERIFIED
from dhafnck_db.errors import ToolkitError
from dhafnck_db.target import Target, create_engine

STATEMENT_LIMIT = "2s"  # kept by the server, for each statement of a check
DEADLINE = 8.0  # seconds, kept here, for all checks: a frozen server ends no statement
OLDEST_SERVER = 15
EXTENSIONS = ("pg_stat_statements", "pg_trgm", "pgcrypto", "uuid-ossp")

Status = Literal["ok", "warning", "failed"]


class Finding(NamedTuple):
    """What one check found."""

    status: Status
    finding: str


@dataclass(frozen=True)
class Check:
    """A finished check."""

    name: str
    status: Status
    finding: str
    milliseconds: float


@dataclass(frozen=True)
class Report:
    """All checks of one database at one moment."""

    database_type: str
    target: str
    checks: list[Check]

    @property
    def status(self) -> Literal["healthy", "degraded", "unhealthy"]:
        """unhealthy when a check failed, degraded when one warns."""
        found = {check.status for check in self.checks}
        if "failed" in found:
            return "unhealthy"
        return "degraded" if "warning" in found else "healthy"

    def to_dict(self) -> dict[str, Any]:
        return {
            "changed": False,
            "status": self.status,
            "database_type": self.database_type,
            "target": self.target,
            "checks": [asdict(check) for check in self.checks],
        }


def examine(target: Target) -> Report:
    """Measure a database through the application's own engine. Read-only.

    An unreachable server is a finding, not an error.
    """
    # The profile's echo is for the application's statements.
    engine = create_engine(target.settings.model_copy(update={"db_echo": False}))
    try:
        checks = _run(engine, target)
    finally:
        engine.dispose()
    return Report(target.settings.database_type, str(target.app), checks)


def _run(engine: Engine, target: Target) -> list[Check]:
    started = time.perf_counter()
    try:
        connection = _connect(engine, target)
    except ToolkitError as fault:
        said = f"{fault.message}: {fault.cause}" if fault.cause else fault.message
        return [_check("reachable", Finding("failed", said), started)]
    checks = [_check("reachable", Finding("ok", target.app.described), started)]
    with connection, _deadline(connection) as passed:
        for name, examine_one in CHECKS.items():
            started = time.perf_counter()
            found = _bounded(examine_one, connection, target)
            if passed.is_set():
                found = Finding("failed", f"no answer; all checks have {DEADLINE:.0f} s")
            checks.append(_check(name, found, started))
            if connection.invalidated:
                break  # a new connection would be another wait
    return checks


def _connect(engine: Engine, target: Target) -> Connection:
    certificates.require_usable(target.app)
    lookup.seconds_per_address(target.app, target.settings.db_connect_timeout)
    try:
        return engine.connect()
    except DBAPIError as failure:
        raise failures.explain(target.app, str(failure.orig)) from None


@contextmanager
def _deadline(connection: Connection) -> Iterator[Event]:
    """Cut the connection under whoever waits for it when the deadline passes, and set the event."""
    passed = Event()
    driver: Any = connection.connection.dbapi_connection

    def cut() -> None:
        passed.set()
        with suppress(OSError):  # the server was faster
            twin.shutdown(socket.SHUT_RDWR)

    with socket.socket(fileno=os.dup(driver.fileno())) as twin:
        timer = Timer(DEADLINE, cut)
        timer.start()
        try:
            yield passed
        finally:
            timer.cancel()
            timer.join()  # the socket is the timer's until then


def _check(name: str, found: Finding, started: float) -> Check:
    return Check(name, *found, milliseconds=round((time.perf_counter() - started) * 1000, 1))


def _bounded(
    examine_one: Callable[[Connection, Target], Finding], connection: Connection, target: Target
) -> Finding:
    try:
        with connection.begin():
            limit = func.set_config("statement_timeout", STATEMENT_LIMIT, True)
            connection.execute(select(limit))
            return examine_one(connection, target)
    except DBAPIError as failure:
        return Finding("failed", str(failure.orig).strip().splitlines()[0])


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
        return Finding("failed", f"{made}, of project {found.reference}")
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
    found = revision.current(connection)
    recorded = applied.newest(applied.read(connection), target.settings)
    head: str | None
    if recorded is not None:
        head, wanted = recorded.revision, set(recorded.tables)
    else:  # what takes a third of a second to load
        from dhafnck_db import metadata, schema

        head = schema.head(target.settings)
        wanted = metadata.table_names(target.settings.db_metadata, connection)
    if found != head:
        return Finding("failed", f"revision {found or 'none'}; head is {head}")
    missing = wanted - applied.existing(connection, wanted)
    if missing:
        return Finding("failed", f"revision {found}, but no table {', '.join(sorted(missing))}")
    return Finding("ok", f"revision {found} (head), {len(wanted)} tables")


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


def _pool(connection: Connection, target: Target) -> Finding:
    pool = connection.engine.pool
    if not isinstance(pool, QueuePool):
        return Finding("ok", "the pooler keeps the connections")
    most = pool.size() + pool._max_overflow
    limits = ("max_connections", "superuser_reserved_connections")
    allowed, reserved = (
        int(str(connection.scalar(select(func.current_setting(name))))) for name in limits
    )
    said = f"{pool.size()} + {pool._max_overflow} of {allowed - reserved} connections"
    return Finding("ok" if most <= allowed - reserved else "warning", said)


def _latency(connection: Connection, target: Target) -> Finding:
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        connection.execute(text("SELECT 1"))
        taken.append((time.perf_counter() - started) * 1000)
    return Finding("ok", f"{statistics.median(taken):.1f} ms (median of 5)")


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
    "pool": _pool,
    "latency": _latency,
    "legacy": _legacy,
}
