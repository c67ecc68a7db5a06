"""The figures of a database, as Prometheus takes them.

It connects to nothing: the figures go in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from dhafnck_db.stats import TOP, Stats

PREFIX = "dhafnck_db_"


class Figures(NamedTuple):
    """What a scrape found."""

    up: bool
    stats: Stats | None  # None where the server gave none, such as in time


class DatabaseCollector(Collector):
    """Shows the figures that were read, and always whether the database is there."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def collect(self) -> Iterator[Metric]:
        up = "Whether the database answered; 0 or 1."
        yield GaugeMetricFamily(f"{PREFIX}up", up, value=float(self._figures.up))
        if self._figures.stats is not None:
            yield from _samples(self._figures.stats)


def _samples(stats: Stats) -> Iterator[Metric]:
    gauges: list[tuple[str, str, float | None]] = [
        ("size_bytes", "Size of the database.", stats.size),
        ("connections", "Connections to the server, of all databases.", stats.connections),
        ("connections_limit", "Connections that the server has for all.", stats.connections_limit),
        ("cache_hit_ratio", "Blocks found in memory, of all asked for.", stats.cache_hit_ratio),
        ("oldest_transaction_seconds", "Age of the oldest transaction.", stats.oldest_transaction),
        ("replicas", "Replicas that are connected.", stats.replicas),
        ("replication_lag_seconds", "How far the last replica is behind.", stats.replication_lag),
    ]
    for name, help, value in gauges:
        if value is not None:
            yield GaugeMetricFamily(PREFIX + name, help, value=value)
    counters: list[tuple[str, str, float]] = [
        ("cache_hit_blocks_total", "Blocks found in memory.", stats.cache_hits),
        ("cache_read_blocks_total", "Blocks read from outside.", stats.cache_reads),
        ("commits_total", "Transactions that were committed.", stats.commits),
        ("rollbacks_total", "Transactions that were rolled back.", stats.rollbacks),
        ("deadlocks_total", "Deadlocks.", stats.deadlocks),
        ("temporary_bytes_total", "Written to temporary files.", stats.temporary),
    ]
    for name, help, value in counters:
        yield CounterMetricFamily(PREFIX + name, help, value=value)
    live = GaugeMetricFamily(f"{PREFIX}live_tuples", "Rows, as estimated.", labels=["table"])
    dead = GaugeMetricFamily(f"{PREFIX}dead_tuples", "Dead rows, as estimated.", labels=["table"])
    for table in stats.tables:
        live.add_metric([table.name], table.live)
        dead.add_metric([table.name], table.dead)
    yield from (live, dead)
    labels = ["queryid", "query"]
    seconds = CounterMetricFamily(
        f"{PREFIX}statement_seconds_total", "Time of the statements that took most.", labels=labels
    )
    calls = CounterMetricFamily(
        f"{PREFIX}statement_calls_total", "Calls of the statements that took most.", labels=labels
    )
    for statement in stats.statements[:TOP]:
        seconds.add_metric([statement.id, statement.text], statement.seconds)
        calls.add_metric([statement.id, statement.text], statement.calls)
    yield from (seconds, calls)
