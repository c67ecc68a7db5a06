"""What an application's engine does: how long statements and checkouts take, and what fails.

It sends no statement of its own, and never keeps the text of one.
"""

from __future__ import annotations

import time
from typing import Any

from prometheus_client import Counter, Histogram
from prometheus_client.registry import REGISTRY, CollectorRegistry
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import ExceptionContext

from dhafnck_db import pools
from dhafnck_db.metrics.pools import PoolCollector

QUICK_TO_SLOW = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
STARTED = "dhafnck_db_started"
NO_SQLSTATE = "none"  # such as a connection that was lost


class _Metrics:
    """The metrics of all engines in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.query = Histogram(
            "dhafnck_db_query_duration_seconds",
            "Time from sending a statement to its answer.",
            ["pool"],
            buckets=QUICK_TO_SLOW,
            registry=registry,
        )
        self.errors = Counter(
            "dhafnck_db_errors_total",
            "Statements that failed, by class of SQLSTATE (PostgreSQL, appendix A).",
            ["pool", "sqlstate_class"],
            registry=registry,
        )
        self.wait = Histogram(
            "dhafnck_db_pool_wait_seconds",
            "Time to get a connection from the pool, with connecting where it had none.",
            ["pool"],
            buckets=QUICK_TO_SLOW,
            registry=registry,
        )
        self.timeouts = Counter(
            "dhafnck_db_pool_timeouts_total",
            "Checkouts that waited in vain.",
            ["pool"],
            registry=registry,
        )
        registry.register(PoolCollector())


# One for each registry, because a registry takes a name once.
_metrics: dict[CollectorRegistry, _Metrics] = {}


def instrument(
    engine: Engine, *, name: str = "app", registry: CollectorRegistry = REGISTRY
) -> None:
    """Measure an engine's statements, errors and pool from now on; a second time does nothing.

    Args:
        engine: the application's own.
        name: the value of label `pool`, where a process has several engines.
        registry: where the metrics are found; by default prometheus-client's own.

    Effects: listens to events of the engine and of its pool, and times the pool's checkouts. A pool
    that is exhausted also becomes a warning of the health checks in this process.
    """
    metrics = _metrics.get(registry) or _metrics.setdefault(registry, _Metrics(registry))
    wait, query = metrics.wait.labels(name), metrics.query.labels(name)
    timeouts = metrics.timeouts.labels(name)

    def waited(seconds: float, in_vain: bool) -> None:
        wait.observe(seconds)
        if in_vain:
            timeouts.inc()

    if not pools.watch(engine, name, waited):
        return

    def begin(connection: Connection, *_: Any) -> None:
        connection.info[STARTED] = time.perf_counter()

    def finish(connection: Connection, *_: Any) -> None:
        query.observe(time.perf_counter() - connection.info.pop(STARTED))

    def fail(context: ExceptionContext) -> None:
        code = getattr(context.original_exception, "pgcode", None)
        metrics.errors.labels(name, code[:2] if code else NO_SQLSTATE).inc()
        started = (
            context.connection
            and not context.connection.closed
            and (
                None
                if context.connection.invalidated
                else context.connection.info.pop(STARTED, None)
            )
        )
        if started:
            query.observe(time.perf_counter() - started)

    event.listen(engine, "before_cursor_execute", begin)
    event.listen(engine, "after_cursor_execute", finish)
    event.listen(engine, "handle_error", fail)
