"""How long a step of a migration took, and which locks it held on which tables.

What a transaction locked is asked in it, just before it is committed; what was locked and released
outside of one is seen from a second session, if it lasted for as long as it takes to look.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import Any

from sqlalchemy import Connection, text

POLL = 0.01  # seconds
# From the weakest to the strongest.
MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
WRITES = MODES.index("RowExclusiveLock")  # from here on rows or the table itself may change
TABLES = text("""
    SELECT c.oid::bigint, nspname || '.' || relname FROM pg_class c
    JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'm') AND nspname !~ '^pg_|^information_schema$'
""")
HELD = text("""
    SELECT relation::bigint, mode FROM pg_locks
    WHERE pid = :pid AND locktype = 'relation' AND granted
""")
PID = text("SELECT pg_backend_pid()")


@dataclass
class StepWatch:
    """Looks on at one step; `superuser` is the second session, and waits for nothing itself.

    Tables that the step makes are left out: nobody else can be kept waiting by them.
    """

    connection: Connection
    superuser: Connection
    seconds: float = 0
    modes: dict[str, str] = field(default_factory=dict)  # the strongest of each table
    _names: dict[int, str] = field(default_factory=dict)
    _began: float = 0
    _done: Event = field(default_factory=Event)
    _thread: Thread | None = None

    def begin(self) -> None:
        """Begin to measure; see `migration.LooksOn`."""
        self.end()  # of an attempt before
        self._done = Event()
        pid = self.connection.scalar(PID)
        self._names = {int(oid): str(name) for oid, name in self.superuser.execute(TABLES)}
        self._thread = Thread(target=self._look_on, args=(pid,), daemon=True)
        self._thread.start()
        self._began = time.monotonic()

    def applied(self, **_about: Any) -> None:
        """Take the time, and what the transaction holds; see `migration.LooksOn`."""
        self.seconds = time.monotonic() - self._began
        self.end()
        self._note(self.connection)

    def end(self) -> None:
        """Look on no more; also where the step failed."""
        self._done.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _look_on(self, pid: object) -> None:
        while not self._done.wait(POLL):
            self._note(self.superuser, pid)

    def _note(self, session: Connection, pid: object = None) -> None:
        pid = session.scalar(PID) if pid is None else pid
        for oid, mode in session.execute(HELD, {"pid": pid}).all():
            name = self._names.get(int(oid))
            if name is None or mode not in MODES:
                continue
            held = self.modes.get(name, MODES[0])
            self.modes[name] = max(held, mode, key=MODES.index)
