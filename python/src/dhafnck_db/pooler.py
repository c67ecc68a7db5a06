"""Whether a session lasts: a transaction pooler is known by what it does, whatever its port.

It never writes, and it leaves no setting and no lock behind.
"""

from __future__ import annotations

from contextlib import suppress
from threading import Thread

from sqlalchemy import Connection, func, select
from sqlalchemy.exc import DBAPIError

from dhafnck_db.errors import GuardError, ToolkitError
from dhafnck_db.target import Target, connect_admin

PATIENCE = 5.0  # seconds; a session pooler that is full lets the second connection wait


def require_lasting_session(connection: Connection, target: Target) -> None:
    """Refuse an endpoint that gives a connection another server process from time to time.

    A direct connection and a session pooler keep one process for as long as the connection lasts.
    A transaction pooler hands it to whoever asks next, so that one of two connections changes its
    process, or both are on the same one: locks and settings of a session would go astray.
    Read-only; opens a second connection for a moment.

    Raises:
        GuardError: the session does not last.
    """
    # Twice in a row: a pooler that takes its processes in turn changes them. And from beside: one
    # that takes the last one used gives both connections the same.
    ours = [_process(connection), _process(connection)]
    theirs = _seen_from_beside(target)
    ours.append(_process(connection))
    if len(set(ours)) > 1 or len(set(theirs)) > 1 or set(ours) & set(theirs):
        raise GuardError(
            "transaction-pooler",
            f"{target.admin} is a transaction pooler: a lock or a setting would not last from one "
            "statement to the next",
            cause="connections do not keep a server process of their own",
            help="use the direct host or the session pooler",
        )


def _seen_from_beside(target: Target) -> list[int]:
    """Return the processes that a second connection meets; none where it gets none in time."""
    found: list[int] = []

    def look() -> None:
        # No place for a second one tells nothing: a session pooler may be full, too.
        with suppress(ToolkitError, DBAPIError), connect_admin(target) as second:
            found.extend((_process(second), _process(second)))

    # A thread of its own, since libpq cannot be told to give up waiting for a pooler. Left alone,
    # it ends with the pooler's answer or with this process; whoever waits shares with nobody.
    thread = Thread(target=look, daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return list(found)


def _process(connection: Connection) -> int:
    """Return the server process of a transaction of its own."""
    found = connection.scalar(select(func.pg_backend_pid()))
    connection.rollback()
    return int(str(found))
