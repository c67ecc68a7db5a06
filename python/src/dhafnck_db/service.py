"""The service that tells how a database is: health, metrics and a page.

It never writes to a database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.responses import HTMLResponse

from dhafnck_db import __version__, metrics
from dhafnck_db.health.routes import create_router, health_probe
from dhafnck_db.metrics.routes import stats_probe
from dhafnck_db.target import Target

# The one place of the page: what answers at / is this, or a route that is included in its stead.
PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dhafnck-db</title></head>
<body><h1>dhafnck-db</h1><ul>
<li><a href="/health/database">health of the database</a></li>
<li><a href="/health/ready">readiness</a></li>
<li><a href="/health/live">liveness</a></li>
<li><a href="/metrics">metrics</a></li>
</ul></body></html>
"""


def create_app(target: Target) -> FastAPI:
    """Return the service of a target. It connects when it is first asked."""
    probe, figures = health_probe(target), stats_probe(target)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        probe.close()
        figures.close()

    # No pages of documentation: they load scripts from elsewhere.
    app = FastAPI(
        title="dhafnck-db", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.include_router(create_router(probe))
    app.include_router(metrics.create_router(figures))

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def page() -> str:
        return PAGE

    return app
