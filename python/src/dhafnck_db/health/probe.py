"""A database asked again and again: one connection, one question at a time, an answer in time.

It never writes, and never takes a connection from the application's pool.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from threading import Lock
from typing import Generic, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

from dhafnck_db import failures
from dhafnck_db.errors import TargetError, ToolkitError
from dhafnck_db.health import measure
from dhafnck_db.target import Target, probe_engine

KEPT = 3600.0  # seconds; a new connection now and then shows what a new one would meet
SPARE = 0.5  # seconds between what the question has and what the answer has

Answer = TypeVar("Answer")


class _Link(NamedTuple):
    engine: Engine
    connection: Connection
    since: float


class Probe(Generic[Answer]):
    """Asks a database one question, however many want to know the answer.

    Args:
        target: where to, or a function that tells on first use.
        ask: puts the question, within the seconds that it is given. The time at which it was
            reached and an open connection go in; `connection.invalidated` tells that it was lost.
        unreached: makes an answer of a failure to connect.

    An answer is given to all who ask within DB_HEALTH_CACHE seconds; who asks while the question
    is being put waits for the same answer. After DB_HEALTH_TIMEOUT the answer is `unreached`.
    """

    def __init__(
        self,
        target: Target | Callable[[], Target],
        ask: Callable[[Connection, Target, float, float], Answer],
        unreached: Callable[[ToolkitError, float], Answer],
    ) -> None:
        self._given = target
        self._ask = ask
        self._unreached = unreached
        self._lock = Lock()
        self._worker: ThreadPoolExecutor | None = None
        self._asked: Future[Answer] | None = None
        self._fresh_until = 0.0
        self._link: _Link | None = None
        self._target: Target | None = None

    async def answer(self) -> Answer:
        """Return the answer of now; never later than DB_HEALTH_TIMEOUT."""
        started = time.perf_counter()
        try:
            future, seconds = self._question(), self.target.settings.db_health_timeout
            # Shielded, since others wait for the same answer.
            return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(future)), seconds)
        except TimeoutError:
            late = TargetError(failures.UNREACHABLE, "no answer in time")
            return self._unreached(late, started)
        except ToolkitError as fault:  # of the configuration
            return self._unreached(fault, started)

    @property
    def target(self) -> Target:
        """The target, found on first use.

        Raises:
            ConfigurationError: the environment makes none.
        """
        if self._target is None:
            self._target = self._given if isinstance(self._given, Target) else self._given()
        return self._target

    def close(self) -> None:
        """Close the connection, and take no more questions."""
        with self._lock:
            if self._worker is not None:
                self._worker.submit(self._unlink)
                self._worker.shutdown(wait=True)

    def _question(self) -> Future[Answer]:
        target = self.target
        with self._lock:
            if self._asked is not None and not self._asked.done():
                return self._asked
            if self._asked is not None and time.monotonic() < self._fresh_until:
                return self._asked
            if self._worker is None:  # on first use: a thread does not survive a fork
                self._worker = ThreadPoolExecutor(1, thread_name_prefix="dhafnck-probe")
            self._asked = self._worker.submit(self._put, target)
            return self._asked

    def _put(self, target: Target) -> Answer:
        try:
            return self._through_link(target)
        finally:
            self._fresh_until = time.monotonic() + target.settings.db_health_cache

    def _through_link(self, target: Target) -> Answer:
        started = time.perf_counter()
        seconds = target.settings.db_health_timeout - SPARE
        kept = self._link is not None
        try:
            answer, lost = self._once(target, started, seconds)
            left = seconds - (time.perf_counter() - started)
            if lost and kept and left > SPARE:  # such as by a server that was started anew
                answer, _ = self._once(target, time.perf_counter(), left)
            return answer
        except ToolkitError as fault:
            return self._unreached(fault, started)

    def _once(self, target: Target, started: float, seconds: float) -> tuple[Answer, bool]:
        link = self._linked(target, seconds)
        left = max(SPARE, seconds - (time.perf_counter() - started))
        answer = self._ask(link.connection, target, started, left)
        lost = link.connection.invalidated
        if lost or time.monotonic() - link.since > KEPT:
            self._unlink()
        return answer, lost

    def _linked(self, target: Target, seconds: float) -> _Link:
        if self._link is None:
            engine = probe_engine(target, seconds)
            self._link = _Link(engine, measure.connect(engine, target), time.monotonic())
        return self._link

    def _unlink(self) -> None:
        if self._link is not None:
            link, self._link = self._link, None
            with suppress(DBAPIError):
                link.connection.close()
            link.engine.dispose()
