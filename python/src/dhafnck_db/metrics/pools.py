"""The watched pools of this process, as Prometheus takes them."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from dhafnck_db import pools


class PoolCollector(Collector):
    """Reads the pools at the moment of a scrape."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        size = _gauge("size", "Connections that the pool keeps.")
        limit = _gauge("limit", "Connections that the pool may have, overflow included.")
        taken = _gauge("checked_out", "Connections that are checked out.")
        overflow = _gauge("overflow", "Connections above the size.")
        for state in pools.states():
            size.add_metric([state.name], state.size)
            taken.add_metric([state.name], state.checked_out)
            overflow.add_metric([state.name], state.overflow)
            if state.limit is not None:
                limit.add_metric([state.name], state.limit)
        yield from (size, limit, taken, overflow)


def _gauge(what: str, help: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dhafnck_db_pool_{what}_connections", help, labels=["pool"])
