"""What a migration waits for, seen from beside, and the end of waits that are too long.

lock_timeout bounds each wait by itself. A transaction that already holds a table's lock keeps the
readers of that table waiting through all its later waits together, so here their sum is bounded.
It never looks at rows, and it ends nothing but the statement of the migration itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from threading import Event, Thread

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from dhafnck_db.errors import ToolkitError
from dhafnck_db.target import Target, connect_admin

POLL = 0.05  # seconds
PATIENCE = 2.0  # seconds
SHOWN = 3  # sessions of one message
# The setting is in milliseconds.
LIMIT = text("SELECT setting::float / 1000 FROM pg_settings WHERE name = 'lock_timeout'")
WAIT = text("""
    SELECT a.xact_start, w.locktype = 'relation' AS of_a_table, w.relation::regclass::text AS name,
        b.pid, o.application_name, o.state, o.xact_start AS since
    FROM pg_stat_activity a
    JOIN pg_locks w ON w.pid = a.pid AND NOT w.granted
    CROSS JOIN LATERAL unnest(pg_blocking_pids(a.pid)) AS b (pid)
    LEFT JOIN pg_stat_activity o ON o.pid = b.pid
    WHERE a.pid = :pid
""")


@dataclass
class Watch:
    """What is known of the waits of one session; filled by a thread while it lives."""

    pid: int
    limit: float  # seconds that the waits of one transaction may take together; 0 is endless
    name: str | None = None  # of the table that was waited for last
    blockers: dict[int, str] = field(default_factory=dict)  # who stood in the way then
    ended: bool = False  # a wait was ended from here
    _waited: float = 0
    _transaction: object = None

    @property
    def said(self) -> str | None:
        """Who stood in the way last, in words; None where nobody was seen."""
        if not self.blockers:
            return None
        named = list(self.blockers.values())
        more = f" and {len(named) - SHOWN} more" if len(named) > SHOWN else ""
        table = f" on {self.name}" if self.name else ""
        return f"a lock{table} is held by {', '.join(named[:SHOWN])}{more}"

    def look(self, connection: Connection, passed: float) -> None:
        """Look once; `passed` seconds went by since the last time."""
        rows = connection.execute(WAIT, {"pid": self.pid}).all()
        if not rows:
            return
        if rows[0].xact_start != self._transaction:
            self._transaction, self._waited = rows[0].xact_start, 0
        self.name = rows[0].name
        self.blockers = {row.pid: _described(row) for row in rows}
        if not rows[0].of_a_table:  # CONCURRENTLY waits for transactions; nobody queues behind it
            return
        self._waited += passed
        # Later than lock_timeout, which is to end a wait that is the only one.
        if self.limit and self._waited >= self.limit + 2 * POLL:
            self.ended = True
            connection.execute(select(func.pg_cancel_backend(self.pid)))


@contextmanager
def watching(connection: Connection, target: Target) -> Iterator[Watch]:
    """Watch a session for as long as the block takes; yields what is known of it.

    Args:
        connection: whose waits are watched; its lock_timeout is the limit of their sum.
        target: where a second connection is opened. Where there is none to be had, nobody is
            watched, and lock_timeout alone bounds each wait.
    """
    pid = int(str(connection.scalar(select(func.pg_backend_pid()))))
    watch = Watch(pid, float(str(connection.scalar(LIMIT))))
    connection.rollback()
    done = Event()
    thread = Thread(target=_look_on, args=(watch, target, done), daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        done.set()
        # One that still waits for a pooler to give it a connection is left alone: it ends with the
        # pooler's answer, or with this process.
        thread.join(PATIENCE)


def _look_on(watch: Watch, target: Target, done: Event) -> None:
    with suppress(ToolkitError, DBAPIError), connect_admin(target) as second:
        # Each look in a transaction of its own: CONCURRENTLY would wait for one that stays open.
        second.execution_options(isolation_level="AUTOCOMMIT")
        last = time.monotonic()
        while not done.wait(POLL):
            now = time.monotonic()
            watch.look(second, now - last)
            last = now


def _described(row: object) -> str:
    pid = getattr(row, "pid", 0)
    if pid == 0:
        return "a prepared transaction"
    application = getattr(row, "application_name", None) or "no application name"
    parts = [application, getattr(row, "state", None), _since(getattr(row, "since", None))]
    return f"pid {pid} ({', '.join(part for part in parts if part)})"


def _since(moment: object) -> str | None:
    return f"since {moment:%H:%M:%S %Z}".rstrip() if moment else None
