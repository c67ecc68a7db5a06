"""The ways into a database that the settings describe: hosts, ports, users, and TLS.

It connects to nothing, and it never puts a password into a text.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from dhafnck_db.errors import ConfigurationError
from dhafnck_db.settings import Settings

DRIVER = "postgresql+psycopg2"  # SQLAlchemy 2.1 takes plain postgresql:// for psycopg 3
SESSION_PORT = 5432  # the direct host's, and the pooler's in session mode
TRANSACTION_POOLER_PORT = 6543
SUPABASE_DOMAINS = (".supabase.co", ".supabase.com")
POOLER_DOMAIN = ".pooler.supabase.com"
VERIFIED = "verify-full"
GIVEN = "DATABASE_URL"
DOWNLOADED_ROOTS = Path(".local/supabase-ca.crt")  # the vendor's, fetched when prod is provisioned


@dataclass(frozen=True)
class Endpoint:
    """One way into a database; `str()` of it is safe to print."""

    url: URL
    way: str = GIVEN  # or: direct host, session pooler, transaction pooler

    def __str__(self) -> str:
        url = self.url
        return f"{url.username or ''}@{url.host or 'localhost'}:{url.port or 5432}/{url.database}"

    @property
    def described(self) -> str:
        """The endpoint with its way, where there are several."""
        return str(self) if self.way == GIVEN else f"{self} ({self.way})"

    @property
    def on_transaction_pooler(self) -> bool:
        """Whether sessions do not last: no session locks, no SET, no prepared statements."""
        return self.url.port == TRANSACTION_POOLER_PORT

    @property
    def on_pooler(self) -> bool:
        """Whether it is a pooler as far as its name and port tell."""
        host = (self.url.host or "").lower().rstrip(".")
        return self.way.endswith("pooler") or host.endswith(POOLER_DOMAIN)

    @property
    def of_supabase(self) -> bool:
        """Whether the host is the vendor's own."""
        return (self.url.host or "").lower().rstrip(".").endswith(SUPABASE_DOMAINS)

    @property
    def on_this_machine(self) -> bool:
        """Whether nothing that is sent leaves the machine: a socket, or a loopback address."""
        return all(_is_local(place) for place in (self.url.host, self.address) if place)

    @property
    def address(self) -> str | None:
        """The address to dial where the URL names one (hostaddr), besides the host's name."""
        return _once(self.url, "hostaddr")

    @property
    def sslmode(self) -> str | None:
        """How TLS is asked for; None is libpq's default, which takes what the server has."""
        return _once(self.url, "sslmode")

    @property
    def sslrootcert(self) -> Path | None:
        """The root certificates that the server is verified by; None is libpq's own place."""
        found = _once(self.url, "sslrootcert")
        return Path(found) if found else None


@dataclass(frozen=True)
class Endpoints:
    """The ways for each use, before anything is connected."""

    app: Endpoint
    admin: tuple[Endpoint, ...]  # in the order in which they are tried


def find(settings: Settings, reference: str | None) -> Endpoints:
    """Return the ways into the database: DATABASE_URL, else those of the Supabase project.

    Read-only; nothing is connected. For what needs a session: the direct host, which most projects
    have on IPv6 only, then the pooler in session mode. For the application: the pooler in
    transaction mode. The pooler's ways are there where SUPABASE_POOLER_HOST names it: its host
    does not follow from the region (Supabase's documentation, "Tenant or user not found").

    Raises:
        ConfigurationError: DATABASE_URL cannot be parsed, or contradicts another variable;
            SUPABASE_URL is no project's own URL.
    """
    if settings.database_url is not None:
        url = parse_url("DATABASE_URL", settings.database_url)
        _refuse_foreign_url(settings, Endpoint(url))
        endpoint = _secured(settings, Endpoint(url))
        return Endpoints(endpoint, (endpoint,))
    _refuse_other_domain(settings)
    host = settings.supabase_db_host or f"db.{reference}.supabase.co"
    direct = _of_project(settings, "direct host", "postgres", host, SESSION_PORT)
    pooler = settings.supabase_pooler_host
    if pooler is None:
        return Endpoints(direct, (direct,))
    user = f"postgres.{reference}"
    session = _of_project(settings, "session pooler", user, pooler, SESSION_PORT)
    transaction = _of_project(settings, "transaction pooler", user, pooler, TRANSACTION_POOLER_PORT)
    return Endpoints(transaction, (direct, session))


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


def project_reference(settings: Settings) -> str | None:
    """Return the project's reference, the first label of https://<ref>.supabase.co.

    Raises:
        ConfigurationError: SUPABASE_URL is not a URL.
    """
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


def _refuse_other_domain(settings: Settings) -> None:
    """Refuse a custom domain: its first label would name a stranger's project."""
    host = urlsplit(settings.supabase_url or "").hostname or ""
    if not re.fullmatch(r"[a-z0-9]+\.supabase\.co", host):
        raise ConfigurationError(
            "invalid-url",
            "SUPABASE_URL is not the URL of a project",
            help="https://<ref>.supabase.co, also where the project has a domain of its own",
        )


def _of_project(settings: Settings, way: str, user: str, host: str, port: int) -> Endpoint:
    password = settings.supabase_db_password
    secret = password.get_secret_value() if password else None
    url = URL.create(DRIVER, user, secret, host, port, "postgres")
    return _secured(settings, Endpoint(url, way))


def _secured(settings: Settings, endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with TLS as the settings ask for it.

    Raises:
        ConfigurationError: production would go unverified without DB_SSLMODE saying so, or
            without any TLS to another machine.
    """
    production = settings.database_type == "supabase"
    asked = endpoint.url.query.get("sslmode")
    if production and settings.db_sslmode is None and asked not in (None, VERIFIED):
        raise ConfigurationError(
            "tls-weakened",
            f"DATABASE_URL asks for less than sslmode={VERIFIED}, which production needs",
            help="take sslmode out of DATABASE_URL, or say DB_SSLMODE=require if that is meant",
        )
    if production and settings.db_sslmode == "disable" and not endpoint.on_this_machine:
        raise ConfigurationError(
            "tls-weakened",
            f"DB_SSLMODE=disable would send data and logins to {endpoint} for all to read",
            help="unset DB_SSLMODE: a server on this machine alone goes without TLS",
        )
    mode = settings.db_sslmode or (VERIFIED if production else None)
    roots = settings.db_sslrootcert
    if roots is None and production and mode == VERIFIED and DOWNLOADED_ROOTS.is_file():
        roots = None if "sslrootcert" in endpoint.url.query else DOWNLOADED_ROOTS
    query = {"sslmode": mode, "sslrootcert": str(roots) if roots else None}
    given = {name: value for name, value in query.items() if value}
    return Endpoint(endpoint.url.update_query_dict(given), endpoint.way)


def _is_local(place: str) -> bool:
    if place.startswith("/") or place.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(place).is_loopback
    except ValueError:
        return False


def _once(url: URL, name: str) -> str | None:
    found = url.query.get(name)
    return found if isinstance(found, str) else None


def _with_host_and_port(url: URL) -> URL:
    """Return the URL with the host and port that libpq would take from its query."""
    host, port = url.query.get("host"), url.query.get("port")
    if isinstance(host, tuple) or isinstance(port, tuple):
        raise ValueError("several hosts")
    moved = url.difference_update_query(("host", "port"))
    return moved.set(host=host or url.host, port=int(port) if port else url.port)


def _refuse_foreign_url(settings: Settings, endpoint: Endpoint) -> None:
    """Refuse a Supabase URL in the development environment: the commonest prod accident."""
    if settings.database_type == "postgresql" and endpoint.of_supabase:
        raise ConfigurationError(
            "environment-contradicts-url",
            "DATABASE_URL is a Supabase database while DATABASE_TYPE is postgresql",
            help="set DATABASE_TYPE=supabase if production is meant",
        )
