"""The routes of a health service: is the process alive, can it work, how is its database?

No answer holds the words of an error, a host or the name of a database.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from dhafnck_db.errors import ToolkitError
from dhafnck_db.health import measure
from dhafnck_db.health.checks import CHECKS
from dhafnck_db.health.findings import Check, Report
from dhafnck_db.health.probe import Probe
from dhafnck_db.target import Target, current_target

# What an application cannot work without; the others tell what somebody should look at.
READY = (measure.REACHABLE, "identity", "schema", "read-write")
# Seconds for which an answer is kept that costs another handshake, or a question to another host.
SELDOM = {"certificate": 3600.0, "backups": 600.0}
# An import stays as it is, so nobody asks about it again and again.
DEEP = tuple(name for name in CHECKS if name not in (*SELDOM, "legacy"))
NOT_CACHED = {"Cache-Control": "no-store"}


def health_probe(target: Target | Callable[[], Target] = current_target) -> Probe[Report]:
    """Return a probe that measures a target's health; it connects when it is asked."""
    probe: Probe[Report]
    kept: dict[str, list[Check]] = {}
    again = dict.fromkeys(SELDOM, 0.0)

    def ask(connection: Connection, target: Target, started: float, seconds: float) -> Report:
        checks = [measure.reached(target, started)]
        checks += measure.run(connection, target, DEEP, seconds)
        for name, length in SELDOM.items():
            if connection.invalidated:
                break
            if time.monotonic() >= again[name]:
                kept[name] = measure.run(connection, target, [name], seconds)
                again[name] = time.monotonic() + length
            checks += kept[name]
        return Report(target.settings.database_type, str(target.app), checks)

    def unreached(fault: ToolkitError, started: float) -> Report:
        try:
            where = probe.target
        except ToolkitError:
            return Report("unknown", "", [measure.unreached(fault, started)])
        checks = [measure.unreached(fault, started)]
        return Report(where.settings.database_type, str(where.app), checks)

    probe = Probe(target, ask, unreached)
    return probe


def create_router(probe: Probe[Report]) -> APIRouter:
    """Return the routes below /health, which answer by a probe.

    200 for healthy and degraded, 503 for unhealthy. Liveness asks nobody: a process that is started
    anew because its database is away helps nobody.
    """
    router = APIRouter(prefix="/health", tags=["health"])

    @router.get("/live")
    async def live() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "healthy"}

    @router.get("/ready")
    async def ready() -> JSONResponse:
        """Whether the database can be worked with."""
        started = time.perf_counter()
        report = await probe.answer()
        reached = report.checks[0].status == "ok"
        return _response(report.only(READY) if reached else report, started)

    @router.get("/database")
    async def database() -> JSONResponse:
        """Every check of the database."""
        started = time.perf_counter()
        return _response(await probe.answer(), started)

    return router


def _response(report: Report, started: float) -> JSONResponse:
    body: dict[str, Any] = report.to_public()
    took = (time.perf_counter() - started) * 1000
    return JSONResponse(
        body,
        status_code=503 if report.status == "unhealthy" else 200,
        headers={**NOT_CACHED, "Server-Timing": f"health;dur={took:.1f}"},
    )


# For an application's own FastAPI: the target is that of its environment.
router = create_router(health_probe())
