"""The route of the metrics. It always answers 200: that a database is away is a metric too."""

from __future__ import annotations

from contextlib import suppress

from fastapi import APIRouter
from fastapi.responses import Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import REGISTRY, CollectorRegistry
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from dhafnck_db import stats
from dhafnck_db.health import measure
from dhafnck_db.health.probe import Probe
from dhafnck_db.metrics.database import DatabaseCollector, Figures
from dhafnck_db.target import Target


def stats_probe(target: Target) -> Probe[Figures]:
    """Return a probe that reads a target's figures; it connects when it is asked."""

    def ask(connection: Connection, _target: Target, _started: float, seconds: float) -> Figures:
        found = None
        try:
            with measure.deadline(connection, seconds):
                measure.limit_statements(connection)
                found = stats.read(connection)
        except DBAPIError:  # such as of a statement that took too long: the server is there
            pass
        with suppress(DBAPIError):
            connection.rollback()
        return Figures(not connection.invalidated, found)

    return Probe(target, ask, lambda _fault, _started: Figures(False, None))


def create_router(probe: Probe[Figures], registry: CollectorRegistry = REGISTRY) -> APIRouter:
    """Return the route /metrics: the figures of a probe, and what the registry has."""
    router = APIRouter(tags=["metrics"])

    @router.get("/metrics")
    async def metrics() -> Response:
        """The metrics in Prometheus' text format."""
        database = CollectorRegistry(auto_describe=False)
        database.register(DatabaseCollector(await probe.answer()))
        body = generate_latest(database) + generate_latest(registry)
        return Response(body, headers={"Content-Type": CONTENT_TYPE_LATEST})

    return router
