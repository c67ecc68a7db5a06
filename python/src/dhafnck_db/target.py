"""Where a run connects to: a target's endpoints, its engine profile and the way to open them.

It never writes, and it never puts a password into a text.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import sqlalchemy
from pydantic import SecretStr
from sqlalchemy import URL, Connection, Engine, NullPool, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from dhafnck_db.errors import ConfigurationError, GuardError, TargetError
from dhafnck_db.settings import Settings, load_settings

DRIVER = "postgresql+psycopg2"  # SQLAlchemy 2.1 takes plain postgresql:// for psycopg 3
TRANSACTION_POOLER_PORT = 6543
SUPABASE_DOMAINS = (".supabase.co", ".supabase.com")
Environment = Literal["dev", "test", "prod"]


@dataclass(frozen=True)
class Endpoint:
    """One way into a database; `str()` of it is safe to print."""

    url: URL

    def __str__(self) -> str:
        url = self.url
        return f"{url.username or ''}@{url.host or 'localhost'}:{url.port or 5432}/{url.database}"

    @property
    def on_transaction_pooler(self) -> bool:
        """Whether sessions do not last: no session locks, no SET, no prepared statements."""
        return self.url.port == TRANSACTION_POOLER_PORT


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
    admin: Endpoint  # Alembic, import, locks: a session of its own
    backup: Endpoint  # pg_dump, pg_restore
    reference: str | None  # the Supabase project, where there is one
    settings: Settings = field(repr=False)


def resolve(settings: Settings) -> Target:
    """Return the target that the settings describe.

    Read-only; nothing is connected.

    Raises:
        ConfigurationError: DATABASE_URL or SUPABASE_URL cannot be parsed, or contradicts
            DATABASE_TYPE.
    """
    reference = _project_reference(settings)
    if settings.database_url is not None:
        url = parse_url("DATABASE_URL", settings.database_url)
        _refuse_foreign_url(settings, url)
    else:
        url = _direct_url(reference, settings.supabase_db_password)
    endpoint = Endpoint(url)
    return Target(_environment(settings, url), endpoint, endpoint, endpoint, reference, settings)


def current_target() -> Target:
    """Return the target of the environment and its env file; see `settings.load_settings`."""
    return resolve(load_settings())


def parse_url(variable: str, value: SecretStr) -> URL:
    """Return a database URL with the driver named.

    Raises:
        ConfigurationError: not a PostgreSQL URL with a database; names the variable only.
    """
    text = value.get_secret_value()
    try:
        url = _with_host_and_port(make_url(text))
    except (ArgumentError, TypeError, ValueError):
        url = None
    if (
        url is None
        or url.get_backend_name() not in ("postgresql", "postgres")
        or not url.database
        or text.count("@") > 1  # of a password: what follows its @ would be taken for the host
    ):
        raise ConfigurationError(
            "invalid-url",
            f"{variable} is not a PostgreSQL URL",
            help="postgresql://user:password@host:5432/database, with the password percent-encoded",
        )
    return url.set(drivername=DRIVER)


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
        "connect_args": _connect_args(settings, "dhafnck-app"),
    }
    if endpoint.on_transaction_pooler:
        return sqlalchemy.create_engine(endpoint.url, poolclass=NullPool, **options)
    return sqlalchemy.create_engine(
        endpoint.url,
        pool_size=settings.db_pool_size or profile.pool_size,
        max_overflow=(
            profile.max_overflow if settings.db_max_overflow is None else settings.db_max_overflow
        ),
        pool_timeout=settings.db_pool_timeout,
        pool_recycle=profile.pool_recycle,
        pool_pre_ping=True,
        **options,
    )


@contextmanager
def connect_admin(target: Target) -> Iterator[Connection]:
    """Open one connection on the admin endpoint and close it afterwards.

    Raises:
        GuardError: the endpoint is a transaction pooler; nothing was sent.
        TargetError: the server, the database or the role cannot be used.
    """
    endpoint = target.admin
    if endpoint.on_transaction_pooler:
        raise GuardError(
            "transaction-pooler",
            f"{endpoint} is a transaction pooler (port {TRANSACTION_POOLER_PORT}): a lock or a "
            "setting would not last from one statement to the next",
            help="use the direct host or the session pooler, port 5432",
        )
    engine = sqlalchemy.create_engine(
        endpoint.url,
        poolclass=NullPool,
        connect_args=_connect_args(target.settings, "dhafnck-db"),
    )
    try:
        connection = engine.connect()
    except DBAPIError as failure:
        raise unreachable(endpoint, failure) from None
    with connection:
        yield connection


def unreachable(endpoint: Endpoint, failure: DBAPIError) -> TargetError:
    """Explain why a connection could not be made, without a secret."""
    # libpq's message has a line for each address of the host, and indented hints below it. It
    # names host, port, role and database, and never the password.
    lines = [line for line in str(failure.orig).splitlines() if not line.startswith("\t")]
    cause = lines[-1].rpartition(" failed: ")[2].removeprefix("FATAL:").strip()
    for words, code, help in (
        ("password authentication failed", "authentication-failed", "check the password"),
        ("no password supplied", "authentication-failed", "put the password into DATABASE_URL"),
        ("does not exist", "role-or-database-missing", "run `make dev`, or create it"),
    ):
        if words in cause:
            return TargetError(code, f"cannot connect to {endpoint}", cause=cause, help=help)
    return TargetError(
        "target-unreachable",
        f"cannot connect to {endpoint}",
        cause=cause,
        help="start the development database with `make dev`, or check DATABASE_URL",
    )


def _direct_url(reference: str | None, password: SecretStr | None) -> URL:
    return URL.create(
        DRIVER,
        "postgres",
        password.get_secret_value() if password else None,
        f"db.{reference}.supabase.co",
        5432,
        "postgres",
        query={"sslmode": "verify-full"},
    )


def _with_host_and_port(url: URL) -> URL:
    """Return the URL with the host and port that libpq would take from its query."""
    host, port = url.query.get("host"), url.query.get("port")
    if isinstance(host, tuple) or isinstance(port, tuple):
        raise ValueError("several hosts")
    moved = url.difference_update_query(("host", "port"))
    return moved.set(host=host or url.host, port=int(port) if port else url.port)


def _refuse_foreign_url(settings: Settings, url: URL) -> None:
    """Refuse a Supabase URL in the development environment: the commonest prod accident."""
    host = (url.host or "").lower().rstrip(".")
    if settings.database_type == "postgresql" and host.endswith(SUPABASE_DOMAINS):
        raise ConfigurationError(
            "environment-contradicts-url",
            "DATABASE_URL is a Supabase database while DATABASE_TYPE is postgresql",
            help="set DATABASE_TYPE=supabase if production is meant",
        )


def _connect_args(settings: Settings, application: str) -> dict[str, Any]:
    return {
        "connect_timeout": settings.db_connect_timeout,
        "application_name": application,
        "keepalives": 1,
        "keepalives_idle": 30,
    }


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


def _project_reference(settings: Settings) -> str | None:
    """Return the project's reference, the first label of https://<ref>.supabase.co."""
    if settings.supabase_url is None:
        return None
    try:
        host = urlsplit(settings.supabase_url).hostname
    except ValueError:
        host = None
    if not host:
        raise ConfigurationError(
            "invalid-url", "SUPABASE_URL is not a URL", help="https://<ref>.supabase.co"
        )
    return host.split(".")[0]
