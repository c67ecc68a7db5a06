"""The one session of a run that writes: identified, guarded, under one lock, with bounded waits.

It never writes itself, and never decides what is run in it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, func, select, text

from dhafnck_db import guard, identity
from dhafnck_db.errors import TargetError
from dhafnck_db.guard import UNNAMED, Work
from dhafnck_db.pooler import require_lasting_session
from dhafnck_db.target import Target, connect_admin

LOCK_KEY = int.from_bytes(b"dhafnck1")  # one lock for everything that writes to a database
LOCK_POLL = 0.1  # seconds
REQUIRED_ROLES = ("anon", "authenticated", "service_role")


@contextmanager
def open_session(
    target: Target, work: Work = UNNAMED, *, statement_timeout: str | None = None
) -> Iterator[Connection]:
    """Open the one connection of a run that writes: identified, locked, with bounded waits.

    Args:
        target: where to; its settings bound the waits.
        work: what is going to be done, for the guard of production.
        statement_timeout: the longest statement, instead of DB_STATEMENT_TIMEOUT; "0" is endless.

    The lock belongs to the session, so a killed run frees it within a second; where a session does
    not last, nothing is begun. Raises what `target.connect_admin`,
    `pooler.require_lasting_session`, `identity.require` and `guard.require` raise, and TargetError
    when the lock is not had in time or a role that row level security speaks about is missing.
    """
    with connect_admin(target) as connection:
        require_lasting_session(connection, target)
        _lock(connection, target)
        identity.require(connection, target)
        _require_roles(connection, target)
        settings = target.settings
        for name, value in (
            ("client_connection_check_interval", "1s"),  # else a killed run's statement goes on
            ("lock_timeout", settings.db_lock_timeout),
            ("statement_timeout", statement_timeout or settings.db_statement_timeout),
        ):
            connection.execute(select(func.set_config(name, value, False)))
        connection.commit()
        guard.require(connection, target, work)
        yield connection


def _lock(connection: Connection, target: Target) -> None:
    wait = target.settings.db_lock_wait
    started = time.monotonic()
    # Asked for again and again: psycopg2 hears no Ctrl-C while a statement waits for a lock, and a
    # statement_timeout of the role would end it.
    while not connection.scalar(select(func.pg_try_advisory_lock(LOCK_KEY))):
        connection.commit()
        if time.monotonic() - started >= wait:
            raise TargetError(
                "locked",
                f"another run has been writing to {target.admin} for {wait} s",
                help="wait for it, or raise DB_LOCK_WAIT",
            )
        time.sleep(LOCK_POLL)
    connection.commit()


def _require_roles(connection: Connection, target: Target) -> None:
    names = select(text("rolname")).select_from(text("pg_roles"))
    found = set(connection.execute(names).scalars())
    missing = [role for role in REQUIRED_ROLES if role not in found]
    if missing:
        raise TargetError(
            "roles-missing",
            f"the server of {target.admin} has no role {', '.join(missing)}",
            help="run `make dev`: the role postgres_access makes what Supabase has",
        )
