"""The application's connection pools in this process: what they hold, and how long one waits.

It never takes a connection from a pool.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

from sqlalchemy import Engine, QueuePool, event
from sqlalchemy.exc import TimeoutError as PoolTimeout

Waited = Callable[[float, bool], None]


class State(NamedTuple):
    """A pool at this moment; sizes in connections."""

    name: str
    size: int
    checked_out: int
    overflow: int  # of the checked out, or idle, those above the size
    limit: int | None  # size and the most overflow; None where nothing limits it
    timeouts: int  # who waited in vain since the pool was watched


class _Watch:
    """What was counted of one engine."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.timeouts = 0


# An engine lives as long as the process, and belongs to the application: here it is only known.
_watches: WeakKeyDictionary[Engine, _Watch] = WeakKeyDictionary()


def watch(engine: Engine, name: str, waited: Waited) -> bool:
    """Begin to watch an engine's pool; False where it is watched already.

    Args:
        engine: the application's.
        name: what the pool is called in metrics.
        waited: called with the seconds of each checkout, and whether it was in vain.

    Effects: each checkout is timed, also after `engine.dispose()`, which makes a new pool.
    SQLAlchemy has no event for the wait (documentation, "Connection Pool Events"), so the pool's
    own `connect` is.
    """
    if engine in _watches:
        return False
    watched = _watches[engine] = _Watch(name)

    def time_checkouts(engine: Engine) -> None:
        pool: Any = engine.pool
        connect = pool.connect

        def timed() -> Any:
            started = time.perf_counter()
            try:
                connection = connect()
            except PoolTimeout:
                watched.timeouts += 1
                waited(time.perf_counter() - started, True)
                raise
            waited(time.perf_counter() - started, False)
            return connection

        pool.connect = timed

    time_checkouts(engine)
    event.listen(engine, "engine_disposed", time_checkouts)
    return True


def states() -> list[State]:
    """Return the watched pools as they are now."""
    return [_state(engine, watched) for engine, watched in list(_watches.items())]


def exhausted() -> State | None:
    """Return a watched pool that has no connection left to give, if there is one."""
    full = (state for state in states() if state.limit and state.checked_out >= state.limit)
    return next(full, None)


def _state(engine: Engine, watched: _Watch) -> State:
    pool = engine.pool
    if not isinstance(pool, QueuePool):
        return State(watched.name, 0, 0, 0, None, watched.timeouts)
    most = pool._max_overflow  # no public name; -1 has no limit
    limit = None if most < 0 else pool.size() + most
    overflow = max(0, pool.overflow())  # below zero while the pool fills
    return State(watched.name, pool.size(), pool.checkedout(), overflow, limit, watched.timeouts)
