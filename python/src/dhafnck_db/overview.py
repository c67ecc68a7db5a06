"""The status page of a service: what it gathers, and the route that answers with it.

It never writes to a database. What it knows it asks of the service's probes, and it reads the
records of backups and drills.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter
from fastapi.responses import HTMLResponse
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from dhafnck_db import advice, backup_record, drill_record, metadata, stats
from dhafnck_db.advice import Advice, slower
from dhafnck_db.health.findings import Report
from dhafnck_db.health.probe import Probe
from dhafnck_db.history import History
from dhafnck_db.legacy.legible import plural
from dhafnck_db.metrics.database import Figures
from dhafnck_db.page import Row, Todo, View, render
from dhafnck_db.stats import Stats
from dhafnck_db.target import Target

ADVICE_KEPT = 300.0  # seconds: what there is to do changes slowly, and asking costs something
COMPARED = 73  # figures of statements, so that what got slower is seen for six hours
LOOKED_EVERY = 30.0  # seconds, so that the hours on the page have no holes
SHOWN = {"server": "server", "schema": "revision", "pool": "pool", "latency": "latency"}
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
}


def advice_probe(target: Target) -> Probe[Advice | None]:
    """Return a probe that asks for advice, and asks again only after a while."""
    kept: Advice | None = None
    again = 0.0
    figures: deque[Stats] = deque(maxlen=COMPARED)

    def ask(
        connection: Connection, target: Target, _started: float, _seconds: float
    ) -> Advice | None:
        nonlocal kept, again
        if time.monotonic() >= again:
            try:
                schemas = metadata.own_schemas(target.settings.db_metadata, connection)
                connection.rollback()
                figures.append(stats.read(connection))
                connection.rollback()
                kept = advice.advise(connection, schemas)
                kept = slower.since(figures[0], figures[-1], kept)
                again = time.monotonic() + ADVICE_KEPT
            except DBAPIError:  # the connection was lost; the next question gets another
                kept = None
        return kept

    return Probe(target, ask, lambda _fault, _started: None)


class Overview:
    """The page of a service, and what it remembers for it.

    Args:
        health: the probe of the health service.
        figures: the probe of the metrics.
        advised: the probe of `advice_probe`.
    """

    def __init__(
        self, health: Probe[Report], figures: Probe[Figures], advised: Probe[Advice | None]
    ) -> None:
        self._health, self._figures, self._advised = health, figures, advised
        self._history = History()

    def create_router(self) -> APIRouter:
        """Return the route / with the page; 200 whatever it has to show."""
        router = APIRouter(include_in_schema=False)

        @router.get("/", response_class=HTMLResponse)
        async def page() -> HTMLResponse:
            return HTMLResponse(render(await self._view()), headers=HEADERS)

        return router

    async def watch(self) -> None:
        """Look at the health again and again, until cancelled."""
        while True:
            await asyncio.sleep(LOOKED_EVERY)
            self._saw(await self._health.answer())

    async def _view(self) -> View:
        report, figures, advised = await asyncio.gather(
            self._health.answer(), self._figures.answer(), self._advised.answer()
        )
        now = self._saw(report)
        public = report.to_public()
        rows = [Row(c["name"], c["status"], c["finding"]) for c in public["checks"]]
        reached = report.checks[0].status == "ok"
        found = advised.findings if advised is not None and reached else None
        shown = [(SHOWN[row.name], row.finding) for row in rows if row.name in SHOWN]
        return View(
            status=report.status,
            database_type=report.database_type,
            at=now,
            checks=rows,
            history=self._history.until(now),
            figures=[*shown, *_measured(figures.stats), *self._kept(now)],
            findings=None if found is None else [Todo(f.rule, f.object, f.finding) for f in found],
        )

    def _saw(self, report: Report) -> datetime:
        now = datetime.now(UTC)
        self._history.saw(report.status, now)
        return now

    def _kept(self, now: datetime) -> list[tuple[str, str]]:
        target = self._health.target
        return [
            ("last backup", _last_backup(target, now)),
            ("last drill", _last_drill(target.settings.db_backup_dir, now)),
        ]


def _measured(found: Stats | None) -> list[tuple[str, str]]:
    if found is None:
        return []
    ratio = found.cache_hit_ratio
    return [
        ("size", f"{found.size / 1e6:,.1f} MB"),
        ("connections", f"{found.connections} of {found.connections_limit}"),
        ("found in memory", "nothing read yet" if ratio is None else f"{ratio:.1%} of blocks"),
    ]


def _last_backup(target: Target, now: datetime) -> str:
    with suppress(OSError):
        record = backup_record.newest_full(target)
        if record is not None:
            size = f"{record.bytes / 1e6:,.1f} MB"
            return f"{_ago(record.created_at, now)}, {plural(record.rows, 'row')}, {size}"
    return "none"


def _last_drill(folder: Path, now: datetime) -> str:
    found = drill_record.last(folder)
    if found is None:
        return "none"
    ended = f"restored in {found.seconds} s, as recorded" if found.ok else "FAILED"
    return f"{_ago(found.at, now)}, {ended}"


def _ago(moment: str, now: datetime) -> str:
    """Return how long ago an ISO 8601 moment was, in the largest unit that fits."""
    seconds = (now - datetime.fromisoformat(moment)).total_seconds()
    for name, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{plural(int(seconds // length), name)} ago"
    return "just now" if seconds >= 0 else "in the future, by this machine's clock"
