"""Where a run connects to: a target's endpoints, its engine profile and the way to open them.

It never writes, and it never puts a password into a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy
from sqlalchemy import URL, Connection, Engine, NullPool

from dhafnck_db import endpoints
from dhafnck_db.endpoints import TRANSACTION_POOLER_PORT, Endpoint, parse_url
from dhafnck_db.errors import GuardError
from dhafnck_db.route import Route
from dhafnck_db.settings import Settings, load_settings

Environment = Literal["dev", "test", "prod"]


@dataclass(frozen=True)
class EngineProfile:
    """The pool of an application (the architecture guide's numbers); sizes in connections."""

    pool_size: int
    max_overflow: int
    pool_recycle: int  # seconds
    echo: bool


PROFILES: dict[str, EngineProfile] = {
    "postgresql": EngineProfile(pool_size=20, max_overflow=40, pool_recycle=3600, echo=True),
    "supabase": EngineProfile(pool_size=10, max_overflow=20, pool_recycle=300, echo=False),
}


@dataclass(frozen=True)
class Target:
    """A database of an environment, and the endpoint for each use."""

    environment: Environment
    app: Endpoint  # the application's pool
    route: Route  # the ways for what needs a session of its own, and the one that was taken
    reference: str | None  # the Supabase project, where there is one
    settings: Settings = field(repr=False)

    @property
    def admin(self) -> Endpoint:
        """For Alembic, import, locks: the way that was taken; before that, the first."""
        return self.route.endpoint

    @property
    def backup(self) -> Endpoint:
        """For pg_dump and pg_restore: the same way."""
        return self.route.endpoint


def resolve(settings: Settings) -> Target:
    """Return the target that the settings describe.

    Read-only; nothing is connected.

    Raises:
        ConfigurationError: DATABASE_URL or SUPABASE_URL cannot be parsed, or contradicts
            another variable.
    """
    reference = endpoints.project_reference(settings)
    found = endpoints.find(settings, reference)
    route = Route(found.admin)
    return Target(_environment(settings, found.app.url), found.app, route, reference, settings)


def current_target() -> Target:
    """Return the target of the environment and its env file; see `settings.load_settings`."""
    return resolve(load_settings())


def create_engine(settings: Settings | None = None) -> Engine:
    """Return the application's engine for the configured environment, with its tuned pool.

    Args:
        settings: where to connect to; the environment and its env file by default.

    Effects: none until the engine is used. On a transaction pooler the engine keeps no
    connections of its own (NullPool), since the pooler already does; psycopg2 prepares nothing.

    Raises:
        ConfigurationError: the settings do not make a target.
    """
    settings = settings or load_settings()
    endpoint = resolve(settings).app
    profile = PROFILES[settings.database_type]
    options: dict[str, Any] = {
        "echo": profile.echo if settings.db_echo is None else settings.db_echo,
        "connect_args": {
            **_connect_args("dhafnck-app"),
            "connect_timeout": settings.db_connect_timeout,
        },
    }
    if endpoint.on_transaction_pooler:
        return sqlalchemy.create_engine(endpoint.url, poolclass=NullPool, **options)
    size, overflow = pool_of(settings)
    return sqlalchemy.create_engine(
        endpoint.url,
        pool_size=size,
        max_overflow=overflow,
        pool_timeout=settings.db_pool_timeout,
        pool_recycle=profile.pool_recycle,
        pool_pre_ping=True,
        **options,
    )


def probe_engine(target: Target, seconds: float) -> Engine:
    """Return an engine that keeps no connection, for the one of a probe on the app endpoint.

    Args:
        target: where to.
        seconds: how long a connection may take, if DB_CONNECT_TIMEOUT is longer; libpq takes
            whole seconds, and no fewer than 2.
    """
    timeout = max(2, min(target.settings.db_connect_timeout, int(seconds)))
    arguments = {**_connect_args("dhafnck-probe"), "connect_timeout": timeout}
    return sqlalchemy.create_engine(
        target.app.url, poolclass=NullPool, echo=False, connect_args=arguments
    )


def pool_of(settings: Settings) -> tuple[int, int]:
    """Return pool size and overflow: as set, else the profile's."""
    profile = PROFILES[settings.database_type]
    overflow = settings.db_max_overflow
    return (
        settings.db_pool_size or profile.pool_size,
        profile.max_overflow if overflow is None else overflow,
    )


@contextmanager
def connect_admin(target: Target) -> Iterator[Connection]:
    """Open one connection on the admin endpoint and close it afterwards.

    The ways are tried in their order, each for DB_CONNECT_TIMEOUT at most, and `target.route`
    remembers which was taken. A server that answers ends the search, whatever it answers: a wrong
    password is sent once, and a certificate that is refused is not gone around.

    Raises:
        GuardError: the endpoint is a transaction pooler; nothing was sent.
        ConfigurationError: the file of root certificates cannot be used.
        TargetError: the server, the database or the role cannot be used.
    """
    for endpoint in target.route.endpoints:
        if endpoint.on_transaction_pooler:
            raise GuardError(
                "transaction-pooler",
                f"{endpoint} is a transaction pooler (port {TRANSACTION_POOLER_PORT}): a lock or a "
                "setting would not last from one statement to the next",
                help="use the direct host or the session pooler, port 5432",
            )
    timeout = target.settings.db_connect_timeout
    connection = target.route.open(timeout, _connect_args("dhafnck-db"))
    with connection:
        yield connection


def _connect_args(application: str) -> dict[str, Any]:
    return {"application_name": application, "keepalives": 1, "keepalives_idle": 30}


def _environment(settings: Settings, url: URL) -> Environment:
    if settings.database_type == "supabase":
        return "prod"
    if settings.test_database_url is not None:
        test = parse_url("TEST_DATABASE_URL", settings.test_database_url)
        if (test.host, test.port or 5432, test.database) == (
            url.host,
            url.port or 5432,
            url.database,
        ):
            return "test"
    return "dev"
