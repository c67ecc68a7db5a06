"""The service that tells how a database is: health, metrics and a page.

It never writes to a database.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dhafnck_db import __version__, metadata, metrics
from dhafnck_db.health.routes import create_router, health_probe
from dhafnck_db.metrics.routes import stats_probe
from dhafnck_db.overview import Overview, advice_probe
from dhafnck_db.target import Target


def create_app(target: Target) -> FastAPI:
    """Return the service of a target. It connects when it is first asked.

    Raises:
        ConfigurationError: the models that DB_METADATA names cannot be loaded.
    """
    # Before there are threads: a module that one of them is loading is half there for the others.
    metadata.load(target.settings.db_metadata)
    probe, figures, advised = health_probe(target), stats_probe(target), advice_probe(target)
    overview = Overview(probe, figures, advised)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(overview.watch())
        yield
        watching.cancel()
        for each in (probe, figures, advised):
            each.close()

    # No pages of documentation: they load scripts from elsewhere.
    app = FastAPI(
        title="dhafnck-db", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None
    )
    app.include_router(create_router(probe))
    app.include_router(metrics.create_router(figures))
    app.include_router(overview.create_router())

    return app
