"""Runs the checks over one connection, each within its time.

It never writes, and it never waits longer than DB_CONNECT_TIMEOUT and then DEADLINE for the server.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from threading import Event, Timer
from typing import Any

from sqlalchemy import Connection, Engine, func, select
from sqlalchemy.exc import DBAPIError

from dhafnck_db import certificates, failures, lookup
from dhafnck_db.errors import ToolkitError
from dhafnck_db.health.checks import CHECKS
from dhafnck_db.health.findings import Check, Finding, Report
from dhafnck_db.target import Target, create_engine

STATEMENT_LIMIT = "2s"  # kept by the server, for each statement of a check
DEADLINE = 8.0  # seconds, kept here, for all checks: a frozen server ends no statement
REACHABLE = "reachable"


def examine(target: Target) -> Report:
    """Measure a database through the application's own engine. Read-only.

    An unreachable server is a finding, not an error.
    """
    # The profile's echo is for the application's statements.
    engine = create_engine(target.settings.model_copy(update={"db_echo": False}))
    started = time.perf_counter()
    try:
        with connect(engine, target) as connection:
            checks = [reached(target, started), *run(connection, target, CHECKS, DEADLINE)]
    except ToolkitError as fault:
        checks = [unreached(fault, started)]
    finally:
        engine.dispose()
    return Report(target.settings.database_type, str(target.app), checks)


def connect(engine: Engine, target: Target) -> Connection:
    """Open a connection of an engine of the target's.

    Raises:
        ConfigurationError: the file of root certificates cannot be used.
        TargetError: the server, the database or the role cannot be used.
    """
    certificates.require_usable(target.app)
    lookup.seconds_per_address(target.app, target.settings.db_connect_timeout)
    try:
        return engine.connect()
    except DBAPIError as failure:
        raise failures.explain(target.app, str(failure.orig)) from None


def reached(target: Target, started: float) -> Check:
    """Return the check of a connection that was made since `started`."""
    return _check(REACHABLE, Finding("ok", target.app.described, "it answers"), started)


def unreached(fault: ToolkitError, started: float) -> Check:
    """Return the check of a connection that was tried since `started`."""
    said = f"{fault.message}: {fault.cause}" if fault.cause else fault.message
    return _check(REACHABLE, Finding("failed", said, f"no connection ({fault.code})"), started)


def run(
    connection: Connection, target: Target, names: Iterable[str], seconds: float
) -> list[Check]:
    """Return the named checks, made one after the other on a connection. Read-only.

    All together have `seconds`; then the connection is cut, and the checks that were not reached
    are left out. Afterwards `connection.invalidated` tells whether the connection was lost.
    """
    checks = []
    with deadline(connection, seconds) as passed:
        for name in names:
            started = time.perf_counter()
            found = _bounded(CHECKS[name], connection, target)
            if passed.is_set():
                found = Finding("failed", f"no answer; all checks have {seconds:.0f} s")
            checks.append(_check(name, found, started))
            if connection.invalidated:
                break  # a new connection would be another wait
        else:
            with suppress(DBAPIError):  # lost after the last answer: who uses it next will tell
                connection.rollback()
    return checks


@contextmanager
def deadline(connection: Connection, seconds: float) -> Iterator[Event]:
    """Cut the connection under whoever waits for it when the time is up, and set the event."""
    passed = Event()
    driver: Any = connection.connection.dbapi_connection

    def cut() -> None:
        passed.set()
        with suppress(OSError):  # the server was faster
            twin.shutdown(socket.SHUT_RDWR)

    with socket.socket(fileno=os.dup(driver.fileno())) as twin:
        timer = Timer(seconds, cut)
        timer.start()
        try:
            yield passed
        finally:
            timer.cancel()
            timer.join()  # the socket is the timer's until then


def limit_statements(connection: Connection) -> None:
    """Begin a transaction whose statements the server ends after STATEMENT_LIMIT."""
    connection.execute(select(func.set_config("statement_timeout", STATEMENT_LIMIT, True)))


def _check(name: str, found: Finding, started: float) -> Check:
    return Check(name, found, milliseconds=round((time.perf_counter() - started) * 1000, 1))


def _bounded(
    examine_one: Callable[[Connection, Target], Finding], connection: Connection, target: Target
) -> Finding:
    try:
        if not connection.in_transaction():  # one for all checks, and another after a failure
            limit_statements(connection)
        return examine_one(connection, target)
    except DBAPIError as failure:
        with suppress(DBAPIError):
            connection.rollback()
        said = str(failure.orig).strip().splitlines()[0]
        return Finding("failed", said, f"no answer (SQLSTATE {_sqlstate(failure)})")


def _sqlstate(failure: DBAPIError) -> str:
    return getattr(failure.orig, "pgcode", None) or "08006"  # the connection was lost
