"""A production target on the test server, and PgBouncer in front of it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import pytest
from conftest import PASSWORD, Ended, Server, as_server_user, configuration, free_port
from fix_schema import execute, target_of
from sqlalchemy import URL

from dhafnck_db import clients

REF = "abcdefghijklmnopqrst"
# Debian installs it where a plain user's PATH does not look.
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")

Pooled = Callable[..., URL]


def production(url: URL, **more: str) -> dict[str, str]:
    """The variables of a production configuration that names this database; consents to nothing."""
    project = {"DATABASE_TYPE": "supabase", "SUPABASE_URL": f"https://{REF}.supabase.co"}
    return configuration(url, **project, **more)


def no_schema_dump(server: Server, url: URL, ended: Ended) -> bool:
    """Whether pg_dump is older than the server: then no schema of production may have changed."""
    program = clients.program("pg_dump", target_of(url).settings)
    if clients.version(program) >= server.major:
        return False
    assert (ended.code, ended.out) == (5, "")
    assert "error[client-too-old]: " in ended.err
    return True


@pytest.fixture
def prod(at_head: URL) -> URL:
    """A database at head that knows itself as the production of project REF."""
    execute(at_head, f"UPDATE dhafnck.identity SET environment = 'prod', reference = '{REF}'")  # noqa: S608  # our own words
    return at_head


@pytest.fixture
def pooled(server: Server) -> Iterator[Pooled]:
    """A function that starts PgBouncer with the given settings and returns a URL that goes by it.

    Its port is any free one: nothing but its behaviour tells what it is.
    """
    if PGBOUNCER is None:
        pytest.exit("no program pgbouncer found; install the package pgbouncer")
    running: list[tuple[subprocess.Popen[bytes], Path]] = []

    def start(url: URL, **settings: object) -> URL:
        home = Path(tempfile.mkdtemp(prefix="dhafnck-pgbouncer-"))
        port = free_port()
        users = home / "users"
        users.write_text(f'"{url.username}" "{PASSWORD}"\n')
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": port,
            "unix_socket_dir": "",
            "auth_type": "scram-sha-256",
            "auth_file": users,
            **settings,
        }
        written = "".join(f"{name} = {value}\n" for name, value in lines.items())
        ini = home / "pgbouncer.ini"
        ini.write_text(
            f"[databases]\n* = host=127.0.0.1 port={server.port}\n[pgbouncer]\n{written}"
        )
        if os.getuid() == 0:  # it refuses to run as root
            for path in (home, *home.iterdir()):
                shutil.chown(path, "postgres", "postgres")
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                as_server_user([str(PGBOUNCER), str(ini)]), stdout=log, stderr=log
            )
        running.append((process, home))
        _wait_until_ready(process, url.set(port=port), home / "log")
        return url.set(port=port)

    yield start
    for process, home in running:
        process.terminate()
        process.wait(timeout=10)
        shutil.rmtree(home)


def _wait_until_ready(process: subprocess.Popen[bytes], url: URL, log: Path) -> None:
    for _ in range(200):
        if process.poll() is not None:
            break
        try:
            psycopg2.connect(
                host=url.host, port=url.port, user=url.username, password=PASSWORD,
                dbname=url.database,
            ).close()  # fmt: skip
            return
        except psycopg2.OperationalError:
            try:
                process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
    raise AssertionError(f"pgbouncer does not answer: {log.read_text()}")
