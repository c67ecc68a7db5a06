"""Where the package connects to, with which pool, and what it says when it cannot."""

import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from conftest import PASSWORD, Ended, Server, configuration
from pydantic import SecretStr
from sqlalchemy import URL, Engine, NullPool, make_url, text
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import TimeoutError
from sqlalchemy.pool import QueuePool

import dhafnck_db
from dhafnck_db.endpoints import parse_url
from dhafnck_db.settings import load_settings
from dhafnck_db.target import connect_admin, current_target

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]


@contextmanager
def engine_of_the_environment() -> Iterator[Engine]:
    engine = dhafnck_db.create_engine()
    yield engine
    engine.dispose()


def driver_connection(engine: Engine) -> DBAPIConnection:
    with engine.connect() as connection:
        found = connection.connection.dbapi_connection
    assert found is not None
    return found


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_driver_is_named_whatever_the_url_says(
    configure: Configure, shared: URL, scheme: str
) -> None:
    url = shared.set(drivername=scheme)
    configure(configuration(url))
    with engine_of_the_environment() as engine, engine.connect() as connection:
        assert (engine.dialect.name, engine.dialect.driver) == ("postgresql", "psycopg2")
        assert connection.scalar(text("SELECT current_database()")) == shared.database


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@h:5433/d", "u@h:5433/d"),
        ("postgresql://u:secret@h/d", "u@h:5432/d"),
        ("postgresql://u:secret@[::1]:5433/d", "u@::1:5433/d"),
        ("postgresql:///d", "@localhost:5432/d"),
        ("postgresql://u@/d?host=/run/pg&port=6000", "u@/run/pg:6000/d"),
    ],
)
def test_every_use_has_its_endpoint_which_shows_no_password(
    configure: Configure, url: str, shown: str
) -> None:
    configure({"DATABASE_URL": url})
    target = current_target()
    assert [str(e) for e in (target.app, target.admin, target.backup)] == [shown] * 3
    assert "secret" not in repr(target)


def test_supabase_parts_make_the_direct_endpoint(configure: Configure) -> None:
    password = "p@ss:w/rd"
    configure(
        {
            "DATABASE_TYPE": "supabase",
            "SUPABASE_URL": "https://abc.supabase.co",
            "SUPABASE_DB_PASSWORD": password,
        }
    )
    target = current_target()
    assert str(target.admin) == "postgres@db.abc.supabase.co:5432/postgres"
    assert (target.environment, target.reference) == ("prod", "abc")
    assert target.admin.url.password == password
    assert target.admin.url.query == {"sslmode": "verify-full"}


# The numbers of the architecture guide.
PROFILES: dict[str, dict[str, Any]] = {
    "postgresql": {"size": 20, "overflow": 40, "recycle": 3600, "echo": True},
    "supabase": {"size": 10, "overflow": 20, "recycle": 300, "echo": False},
}


@pytest.mark.parametrize("database_type", PROFILES)
def test_engine_has_the_pool_of_its_profile(
    configure: Configure, shared: URL, database_type: str
) -> None:
    configure(configuration(shared, DATABASE_TYPE=database_type))
    with engine_of_the_environment() as engine:
        pool = engine.pool
        assert isinstance(pool, QueuePool)
        assert PROFILES[database_type] == {
            "size": pool.size(),
            "overflow": pool._max_overflow,
            "recycle": pool._recycle,
            "echo": engine.echo,
        }
        assert pool.timeout() == 30


def test_server_sees_the_name_and_the_keepalives(configure: Configure, shared: URL) -> None:
    configure(configuration(shared, DB_ECHO="0"))
    with engine_of_the_environment() as engine:
        given = driver_connection(engine).info.dsn_parameters
        with engine.connect() as connection:
            assert connection.scalar(text("SHOW application_name")) == "dhafnck-app"
    expected = {"connect_timeout": "10", "keepalives": "1", "keepalives_idle": "30"}
    assert expected.items() <= given.items()


def test_connection_that_the_server_closed_is_replaced(
    configure: Configure, server: Server, shared: URL
) -> None:
    configure(configuration(shared, DB_ECHO="0"))
    with engine_of_the_environment() as engine:
        with engine.connect() as connection:
            pid = connection.scalar(text("SELECT pg_backend_pid()"))
        with closing(server.connect()) as superuser, superuser.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", (pid,))
        with engine.connect() as connection:
            assert connection.scalar(text("SELECT pg_backend_pid()")) != pid


def test_numbers_of_the_environment_win_over_the_profile(configure: Configure, shared: URL) -> None:
    numbers = {"DB_POOL_SIZE": "2", "DB_MAX_OVERFLOW": "0", "DB_POOL_TIMEOUT": "0.2"}
    configure(configuration(shared, DB_ECHO="0", DB_CONNECT_TIMEOUT="3", **numbers))
    with engine_of_the_environment() as engine:
        limit = pytest.raises(TimeoutError, match=r"size 2 overflow 0 reached.* timeout 0.20")
        with engine.connect(), engine.connect(), limit:
            engine.connect()
        assert driver_connection(engine).info.dsn_parameters["connect_timeout"] == "3"


@pytest.mark.parametrize("port", ["@h:6543/d", "@/d?host=h&port=6543"])
def test_transaction_pooler_keeps_the_connections(configure: Configure, port: str) -> None:
    configure({"DATABASE_URL": f"postgresql://u:p{port}"})
    with engine_of_the_environment() as engine:
        assert isinstance(engine.pool, NullPool)


@pytest.mark.parametrize(
    ("database_type", "test_database", "environment"),
    [
        ("postgresql", None, "dev"),
        ("postgresql", "postgresql://x@h/other", "dev"),
        ("postgresql", "postgresql://x@other/db", "dev"),
        ("postgresql", "postgresql://x:p@h:5432/db", "test"),
        ("supabase", None, "prod"),
        ("supabase", "postgresql://u@h/db", "prod"),
    ],
)
def test_environment_of_a_target(
    configure: Configure, database_type: str, test_database: str | None, environment: str
) -> None:
    variables = {"DATABASE_TYPE": database_type, "DATABASE_URL": "postgresql://u@h/db"}
    if test_database:
        variables["TEST_DATABASE_URL"] = test_database
    configure(variables)
    assert current_target().environment == environment


@pytest.mark.parametrize(
    "command",
    [
        ("schema", "upgrade"),
        ("schema", "current"),
        ("schema", "check"),
        ("schema", "revision", "-m", "x"),
        ("backup", "create", "dump"),
        ("sqlite", "import", "old.db"),
    ],
)
@pytest.mark.parametrize("where", ["127.0.0.43:6543/d", "/d?host=127.0.0.43&port=6543"])
def test_transaction_pooler_is_refused_before_anything_is_sent(
    run: Run, command: tuple[str, ...], where: str
) -> None:
    with socket.create_server(("127.0.0.43", 6543)) as pooler:
        pooler.setblocking(False)
        ended = run(*command, env={"DATABASE_URL": f"postgresql://u:p@{where}"})
        assert (ended.code, ended.out) == (7, "")
        assert ended.err.startswith("error[transaction-pooler]: ")
        with pytest.raises(BlockingIOError):
            pooler.accept()


def test_admin_connection_is_closed_afterwards(configure: Configure, shared: URL) -> None:
    configure(configuration(shared))
    count = text("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dhafnck-db'")
    for _ in range(2):
        with connect_admin(current_target()) as connection:
            assert connection.scalar(count) == 1


def faults(url: URL) -> dict[str, tuple[URL, str, str]]:
    """URLs that cannot be connected to, each with the error's code and words of its cause."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        closed = probe.getsockname()[1]
    return {
        "password": (
            url.set(password=PASSWORD + "x"),
            "authentication-failed",
            "password authentication failed",
        ),
        "no password": (url.set(password=""), "authentication-failed", "no password supplied"),
        # With scram the server does not tell that a role is missing.
        "role": (url.set(username="nobody"), "authentication-failed", 'for user "nobody"'),
        "database": (
            url.set(database="missing"),
            "role-or-database-missing",
            'database "missing" does not exist',
        ),
        "port": (url.set(port=closed), "target-unreachable", "Connection refused"),
        "localhost": (
            url.set(host="localhost", port=closed),
            "target-unreachable",
            "Connection refused",
        ),
        "host": (
            url.set(host="missing.invalid"),
            "target-unreachable",
            'could not translate host name "missing.invalid"',
        ),
        "option": (
            url.update_query_dict({"pgbouncer": "true"}),
            "target-unreachable",
            'invalid connection option "pgbouncer"',
        ),
    }


@pytest.mark.parametrize("fault", faults(make_url("postgresql://u@h/d")))
def test_each_fault_has_its_code_and_its_cause(run: Run, shared: URL, fault: str) -> None:
    url, code, cause = faults(shared)[fault]
    env = configuration(url, PGPASSFILE="/dev/null", DB_CONNECT_TIMEOUT="2")
    for ended in (run("schema", "current", env=env), run("schema", "upgrade", env=env)):
        assert (ended.code, ended.out) == (5, "")
        error, because, way_out = ended.err.splitlines()
        assert error.startswith(f"error[{code}]: cannot connect to {url.username}@{url.host}:")
        assert because.startswith("  cause: ")
        assert cause in because
        assert "FATAL" not in because
        assert way_out.startswith("  help: ")
        assert not [part for part in (PASSWORD, url.render_as_string(False)) if part in ended.err]


def test_engine_of_the_environment_can_be_had_from_the_package(
    configure: Configure, shared: URL
) -> None:
    configure(configuration(shared))
    with engine_of_the_environment() as engine, engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM projects")) == 0
    settings = load_settings().model_copy(update={"db_pool_size": 3})
    assert isinstance(pool := dhafnck_db.create_engine(settings).pool, QueuePool)
    assert pool.size() == 3


def test_url_keeps_what_libpq_understands() -> None:
    url = parse_url("X", SecretStr("postgres://u:p%40@h/d?sslmode=require&host=other"))
    assert (url.drivername, url.password, url.host) == ("postgresql+psycopg2", "p@", "other")
    assert url.query == {"sslmode": "require"}
