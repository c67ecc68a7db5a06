"""A real PostgreSQL server for the tests: a private cluster, and a fresh database for each test.

The server's programs come from --pg-bin (or TEST_PG_BIN), else from the newest version installed.
A machine without any ends the run: a missing server is an error, never a skip.
"""

import json
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import psycopg2
import pytest
import yaml
from psycopg2 import sql
from sqlalchemy import URL, Engine, create_engine

from dhafnck_db.cli.main import main

pytest_plugins = ["fix_schema", "fix_prod", "fix_audit", "fix_backup", "fix_service"]

ROOT = Path(__file__).resolve().parents[2]
ACCESS = ROOT / "roles" / "postgres_access"
SUPERUSER = "postgres"
OWNER = "app_owner"
# Every character that a URL or a shell may trip over; the server lives as long as the test run.
PASSWORD = "pässw%rd @:/?#[]'\\"


@dataclass(frozen=True)
class Server:
    """A running private cluster."""

    bin: Path
    port: int
    data: Path

    @property
    def major(self) -> int:
        return int((self.data / "PG_VERSION").read_text())

    def connect(self, database: str = "postgres") -> psycopg2.extensions.connection:
        """Connect as the superuser, in autocommit mode."""
        connection = psycopg2.connect(
            host="127.0.0.1", port=self.port, user=SUPERUSER, password=PASSWORD, dbname=database
        )
        connection.autocommit = True
        return connection

    def url(self, database: str, user: str = OWNER) -> URL:
        """The URL of a database as its owner."""
        return URL.create("postgresql+psycopg2", user, PASSWORD, "127.0.0.1", self.port, database)


# They need a Docker engine with that image; scripts/test-python says when they are left out.
if "TEST_IMAGE" not in os.environ:
    collect_ignore = [
        "test_backup_drill_docker.py",
        "test_doctor_docker.py",
        "test_image.py",
        "test_postgres_docker.py",
    ]


def pytest_configure() -> None:
    # A shell that starts the tests in the background has them, and what they start, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pg-bin", help="directory of the PostgreSQL server programs to test with")
    parser.addoption(
        "--server-tests",
        action="store_true",
        help="leave out what uses no server, and so says the same beside every version of it",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if not config.getoption("--server-tests"):
        return
    left_out = [item for item in items if "server" not in getattr(item, "fixturenames", ())]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in set(left_out)]


def _server_programs(config: pytest.Config) -> Path:
    named = config.getoption("--pg-bin") or os.environ.get("TEST_PG_BIN")
    if named:
        return Path(named)
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3])
    )
    if not installed:
        pytest.exit("no PostgreSQL server programs found; install postgresql or pass --pg-bin")
    return installed[-1].parent


def pytest_report_header(config: pytest.Config) -> str:
    programs = _server_programs(config)
    version = subprocess.run([programs / "postgres", "--version"], capture_output=True, text=True)
    return f"postgresql: {version.stdout.strip()} from {programs}"


@contextmanager
def no_room(largest: int) -> Iterator[None]:
    """Let no file of this process grow beyond a size, as on a disk that is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def as_server_user(command: list[str]) -> list[str]:
    # PostgreSQL refuses to run as root.
    if os.getuid() != 0:
        return command
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", *command]


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server for all tests, which none of them stops."""
    with private_server(request.config) as running:
        yield running


@contextmanager
def private_server(config: pytest.Config) -> Iterator[Server]:
    """Start a private cluster in a temporary directory; stop it and remove it afterwards."""
    programs = _server_programs(config)
    home = Path(tempfile.mkdtemp(prefix="dhafnck-pg-"))
    home.chmod(0o755)
    if os.getuid() == 0 and not programs.is_relative_to("/usr"):
        # A checkout below a folder such as /root is closed to the user that runs the server.
        shutil.copytree(programs.parent, home / "server", symlinks=True)
        programs = home / "server" / "bin"
    data, password_file = home / "data", home / "password"
    data.mkdir(mode=0o700)
    password_file.write_text(PASSWORD)
    if os.getuid() == 0:
        shutil.chown(data, "postgres", "postgres")
        shutil.chown(password_file, "postgres", "postgres")
    subprocess.run(
        as_server_user(
            [
                f"{programs}/initdb", "--pgdata", str(data), "--username", SUPERUSER,
                "--pwfile", str(password_file), "--auth", "scram-sha-256",
                "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync",
            ]
        ),
        check=True,
        capture_output=True,
    )  # fmt: skip
    port = free_port()
    with (data / "postgresql.conf").open("a") as configuration:
        configuration.write(
            f"listen_addresses = '127.0.0.1'\nport = {port}\nunix_socket_directories = ''\n"
            "fsync = off\ndynamic_shared_memory_type = mmap\ntimezone = 'UTC'\n"
            "shared_preload_libraries = 'pg_stat_statements'\n"
            "log_statement = 'all'\nlogging_collector = on\nlog_filename = 'server.log'\n"
        )
    log = (home / "stderr").open("wb")
    process = start(programs, data, log)
    running = Server(programs, port, data)
    try:
        _wait_until_ready(running, process)
        with closing(running.connect()) as connection, connection.cursor() as cursor:
            _create_roles(cursor)
        yield running
    finally:
        end(process)
        log.close()
        shutil.rmtree(home)


def start(programs: Path, data: Path, log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = as_server_user([f"{programs}/postgres", "-D", str(data)])
    return subprocess.Popen(command, stdout=log, stderr=log)


def end(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGINT)  # fast shutdown
    process.wait(timeout=30)


def _wait_until_ready(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if process.poll() is not None:
            pytest.exit(
                f"the test server ended at once: {(server.data.parent / 'stderr').read_text()}"
            )
        try:
            server.connect().close()
            return
        except psycopg2.OperationalError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    pytest.exit("the test server did not start within 10 s")


def _create_roles(cursor: psycopg2.extensions.cursor) -> None:
    """Create the owner and the roles that the role postgres_access declares."""
    defaults = yaml.safe_load((ACCESS / "defaults" / "main.yml").read_text())
    cursor.execute(
        sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(OWNER), sql.Literal(PASSWORD)
        )
    )
    cursor.execute(
        (ACCESS / "files" / "roles.sql").read_text(),
        {"roles": json.dumps(defaults["postgres_access_roles"])},
    )


@pytest.fixture(scope="session")
def surface(server: Server) -> str:
    """Make a template database with the surface that Supabase has, from the role's own files."""
    return make_surface(server)


def make_surface(server: Server) -> str:
    defaults = yaml.safe_load((ACCESS / "defaults" / "main.yml").read_text())
    name = "surface"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        make = sql.SQL("CREATE DATABASE {} OWNER {}")
        cursor.execute(make.format(sql.Identifier(name), sql.Identifier(OWNER)))
    with closing(server.connect(name)) as connection, connection.cursor() as cursor:
        cursor.execute(
            (ACCESS / "files" / "surface.sql").read_text(),
            {
                "surface": "test",
                "extensions": json.dumps(defaults["postgres_access_extensions"]),
            },
        )
    return name


@pytest.fixture
def database(server: Server, surface: str) -> Iterator[URL]:
    """A fresh, empty database with the Supabase surface, as the URL of its owner, no superuser."""
    with copy_of(surface, server) as url:
        yield url


@contextmanager
def copy_of(template: str, server: Server) -> Iterator[URL]:
    """A fresh copy of a database that nobody is connected to, as the URL of its owner."""
    url = make_copy(template, server)
    yield url
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        name = sql.Identifier(str(url.database))
        cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def make_copy(template: str, server: Server) -> URL:
    name = f"test_{os.urandom(4).hex()}"
    identifier = sql.Identifier(name)
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                identifier, sql.Identifier(template), sql.Identifier(OWNER)
            )
        )
        # Settings of a database are not copied from its template.
        for setting in ('search_path = "$user", public, extensions', "timezone = 'UTC'"):
            cursor.execute(sql.SQL("ALTER DATABASE {} SET {}").format(identifier, sql.SQL(setting)))
    return server.url(name)


@pytest.fixture
def engine(database: URL) -> Iterator[Engine]:
    """A plain engine on a fresh, empty database."""
    engine = create_engine(database)
    yield engine
    engine.dispose()


def configuration(url: URL, **more: str) -> dict[str, str]:
    """The variables of a configuration that names this database, on a server without TLS."""
    given = {"DATABASE_URL": url.render_as_string(hide_password=False), "DB_SSLMODE": "disable"}
    return {**given, **more}


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[dict[str, str]], None]:
    """A function that makes the given variables the whole configuration, in an empty directory."""
    ours = ("DATABASE_", "TEST_DATABASE_", "DB_", "SUPABASE_", "PG")

    def only(variables: dict[str, str]) -> None:
        for name in [name for name in os.environ if name.startswith(ours)]:
            monkeypatch.delenv(name)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.chdir(tmp_path)

    return only


class Ended(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(
    configure: Callable[[dict[str, str]], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Ended]:
    """Run the command line in this process, with `env` as the whole configuration."""

    def run(*arguments: str, env: dict[str, str]) -> Ended:
        configure(env)
        monkeypatch.setattr(sys, "argv", ["dhafnck-db", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main()
        return Ended(int(ended.value.code or 0), *capsys.readouterr())

    return run
