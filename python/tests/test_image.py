"""The local PostgreSQL image keeps the environment contract of the official one, seen from outside.

Runs against the image that TEST_IMAGE names, in the Docker engine of this machine; see conftest.py.
Never touches containers of others.
"""

import gzip
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from psycopg2.extensions import connection as Connection
from psycopg2.extensions import make_dsn

IMAGE = os.environ.get("TEST_IMAGE", "")

PASSWORD = "pässw%rd @:/?#[]'\\\""
SET_PASSWORD = f"--env=POSTGRES_PASSWORD={PASSWORD}"
LABEL = "--label=dhafnck-test=image"


def docker(*arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run the Docker client; a failure shows what it said."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60)
    if check and done.returncode != 0:
        pytest.fail(f"docker {' '.join(arguments)}: {done.stdout}{done.stderr}")
    return done


def logs(container: str) -> str:
    done = docker("logs", container)
    return done.stdout + done.stderr


def wait_until(container: str, condition: Callable[[], bool]) -> None:
    """Poll a condition; fail with the log when the container ends or 30 s have passed."""
    deadline = time.monotonic() + 30
    while not condition():
        running = docker("inspect", "--format", "{{.State.Running}}", container).stdout.strip()
        if running != "true" or time.monotonic() > deadline:
            pytest.fail(f"running: {running}\n{logs(container)}")
        time.sleep(0.1)


def is_ready(container: str, host: str = "127.0.0.1") -> bool:
    return docker("exec", container, "pg_isready", "-h", host, check=False).returncode == 0


class Engine:
    """Starts containers and remembers them, to remove each by its own id."""

    def __init__(self) -> None:
        self.containers: list[str] = []
        self.volumes: list[str] = []

    def volume(self) -> str:
        name = docker("volume", "create", LABEL).stdout.strip()
        self.volumes.append(name)
        return name

    def start(self, *options: str, arguments: tuple[str, ...] = ()) -> str:
        """Start a container that publishes its port on 127.0.0.1."""
        run = ("run", "--detach", LABEL, "--publish=127.0.0.1::5432")
        container = docker(*run, *options, IMAGE, *arguments).stdout.strip()
        self.containers.append(container)
        return container

    def start_ready(self, *options: str, arguments: tuple[str, ...] = ()) -> str:
        container = self.start(*options, arguments=arguments)
        wait_until(container, lambda: is_ready(container))
        return container


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = Engine()
    yield engine
    for container in engine.containers:
        docker("rm", "--force", "--volumes", container)
    for volume in engine.volumes:
        docker("volume", "rm", volume)


def connect(container: str, **parameters: str) -> Connection:
    port = docker("port", container, "5432/tcp").stdout.splitlines()[0].rpartition(":")[2]
    defaults = {"host": "127.0.0.1", "port": port, "user": "postgres", "password": PASSWORD}
    connection = psycopg2.connect(make_dsn(**(defaults | parameters)))
    connection.autocommit = True
    return connection


def query(container: str, statement: str, **parameters: str) -> list[tuple[object, ...]]:
    """Run one statement over TCP, from this machine."""
    with closing(connect(container, **parameters)) as connection, connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def write_scripts(directory: Path, scripts: dict[str, str]) -> str:
    """Write initialisation scripts and return the option that mounts them."""
    directory.mkdir()
    for name, text in scripts.items():
        path = directory / name
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
        path.chmod(0o755 if name.endswith("run.sh") else 0o644)
    return f"--volume={directory}:/docker-entrypoint-initdb.d:ro"


def test_the_first_start_makes_the_role_and_the_database(engine: Engine, tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text(PASSWORD + "\n")
    secret.chmod(0o600)
    container = engine.start_ready(
        f"--volume={secret}:/run/secrets/password:ro",
        "--env=POSTGRES_PASSWORD_FILE=/run/secrets/password",
        "--env=POSTGRES_USER=Bob-1",
        "--env=POSTGRES_DB=my db",
    )
    [row] = query(
        container,
        "SELECT current_database(), rolname, rolsuper, rolpassword LIKE 'SCRAM-SHA-256$%'"
        " FROM pg_authid WHERE rolname = current_user",
        user="Bob-1",
        dbname="my db",
    )
    assert row == ("my db", "Bob-1", True, True)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        connect(container, user="Bob-1", dbname="my db", password="wrong")


def test_the_cluster_is_utf8_with_plain_sorting_and_utc(engine: Engine) -> None:
    container = engine.start_ready(SET_PASSWORD)
    statement = """
        SELECT current_setting('server_encoding'), datcollate, datctype, current_setting('TimeZone')
        FROM pg_database WHERE datname = current_database()"""
    assert query(container, statement) == [("UTF8", "C.UTF-8", "C.UTF-8", "Etc/UTC")]
    statement = "SELECT upper('é'), timestamptz '2025-07-01 12:00 Europe/Paris'::text"
    assert query(container, statement) == [("É", "2025-07-01 10:00:00+00")]


def test_arguments_tune_the_server_and_extensions_load(engine: Engine, tmp_path: Path) -> None:
    script = "CREATE EXTENSION pg_stat_statements; TABLE pg_stat_statements"
    scripts = write_scripts(tmp_path / "scripts", {"1.sql": script})
    arguments = ("-c", "shared_preload_libraries=pg_stat_statements", "--log_line_prefix=it's %p ")
    container = engine.start_ready(scripts, SET_PASSWORD, arguments=arguments)
    for extension in ("pgcrypto", "uuid-ossp", "pg_trgm"):
        query(container, f'CREATE EXTENSION "{extension}"')
    assert query(container, "SHOW log_line_prefix") == [("it's %p ",)]
    statement = """
        SELECT count(*) > 0, count(digest('a', 'sha256')) > 0, count(uuid_generate_v4()) > 0,
               max(similarity('word', 'words')) > 0 FROM pg_stat_statements"""
    assert query(container, statement) == [(True, True, True, True)]


def test_scripts_run_once_and_data_outlives_the_container(engine: Engine, tmp_path: Path) -> None:
    scripts = write_scripts(
        tmp_path / "scripts",
        {
            "1.sql": "CREATE TABLE ran (number serial, script text);"
            "INSERT INTO ran (script) VALUES ('sql');",
            "2.sql.gz": "INSERT INTO ran (script) VALUES ('sql.gz');",
            "3.sh": 'psql --username "$POSTGRES_USER" --dbname "$POSTGRES_DB"'
            " --command \"INSERT INTO ran (script) VALUES ('sh$unset')\"",
            "4-run.sh": "#!/bin/bash\n"
            "echo \"INSERT INTO ran (script) VALUES ('${0##*-}')\" | psql -U postgres -d app",
            "5.txt": "left alone",
        },
    )
    data = docker("image", "inspect", "--format", "{{json .Config.Volumes}}", IMAGE).stdout
    volume = f"--volume={engine.volume()}:{next(iter(json.loads(data)))}"
    wanted = [("sql",), ("sql.gz",), ("sh",), ("run.sh",)]
    statement = "SELECT script FROM ran ORDER BY number"
    first = engine.start_ready(volume, scripts, SET_PASSWORD, "--env=POSTGRES_DB=app")
    assert query(first, statement, dbname="app") == wanted
    docker("stop", first)

    again = engine.start_ready(volume, scripts)
    assert query(again, statement, dbname="app") == wanted


def test_a_failing_script_stops_the_start(engine: Engine, tmp_path: Path) -> None:
    scripts = write_scripts(tmp_path / "scripts", {"1.sql": "SELECT 1/0;"})
    container = engine.start(scripts, SET_PASSWORD)
    assert docker("wait", container).stdout.strip() != "0"
    assert "division by zero" in logs(container)


def test_tcp_answers_only_after_the_initialisation(engine: Engine, tmp_path: Path) -> None:
    scripts = write_scripts(tmp_path / "scripts", {"1.sh": "echo waiting; sleep 2"})
    container = engine.start(scripts, SET_PASSWORD)
    wait_until(container, lambda: "waiting" in logs(container))
    assert is_ready(container, "/run/postgresql")
    assert not is_ready(container)
    wait_until(container, lambda: is_ready(container))


def test_the_server_speaks_tls(engine: Engine, tmp_path: Path) -> None:
    script = """
        openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=localhost \
            -keyout "$PGDATA/server.key" -out "$PGDATA/server.crt"
        psql -U postgres -c 'ALTER SYSTEM SET ssl = on'"""
    scripts = write_scripts(tmp_path / "scripts", {"1.sh": script})
    container = engine.start_ready(scripts, SET_PASSWORD)
    statement = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    assert query(container, statement, sslmode="require") == [(True,)]


def test_the_server_runs_without_root_and_without_the_password(engine: Engine) -> None:
    container = engine.start_ready(SET_PASSWORD)
    assert docker("exec", container, "stat", "--format=%u:%g", "/proc/1").stdout == "999:999\n"
    environment = docker("exec", "--user=postgres", container, "cat", "/proc/1/environ").stdout
    assert "PGDATA=" in environment and PASSWORD not in environment


def test_it_starts_as_the_postgres_user_too(engine: Engine) -> None:
    container = engine.start_ready("--user=postgres", SET_PASSWORD)
    assert query(container, "SELECT current_user") == [("postgres",)]


def test_stopping_is_a_clean_shutdown(engine: Engine) -> None:
    container = engine.start_ready(SET_PASSWORD)
    with closing(connect(container)):  # an open session does not hold it up
        started = time.monotonic()
        docker("stop", container)
        assert time.monotonic() - started < 10
    assert logs(container).rstrip().endswith("database system is shut down")
    assert docker("inspect", "--format", "{{.State.ExitCode}}", container).stdout == "0\n"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"),
        (["POSTGRES_HOST_AUTH_METHOD=md5"], "set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE"),
        (
            ["POSTGRES_PASSWORD=a", "POSTGRES_PASSWORD_FILE=/etc/hostname"],
            "both POSTGRES_PASSWORD and POSTGRES_PASSWORD_FILE are set",
        ),
        (["POSTGRES_PASSWORD_FILE=/missing"], "POSTGRES_PASSWORD_FILE names: /missing"),
    ],
)
def test_it_refuses_to_start_without_one_password(
    engine: Engine, options: list[str], reason: str
) -> None:
    container = engine.start(*(f"--env={option}" for option in options))
    assert docker("wait", container).stdout == "1\n"
    assert reason in logs(container)
    assert "initialized" not in logs(container)


def test_trust_needs_no_password(engine: Engine) -> None:
    container = engine.start_ready("--env=POSTGRES_HOST_AUTH_METHOD=trust")
    assert query(container, "SELECT current_user", password="") == [("postgres",)]


def test_initdb_arguments_are_split_as_a_shell_would(engine: Engine) -> None:
    container = engine.start_ready(
        SET_PASSWORD,
        "--env=POSTGRES_INITDB_ARGS=--data-checksums --auth-local='scram-sha-256'",
        "--env=POSTGRES_DB=app",
    )
    assert query(container, "SHOW data_checksums") == [("on",)]
    refused = docker("exec", container, "psql", "-U", "postgres", "--no-password", check=False)
    assert "no password supplied" in refused.stderr


@pytest.mark.parametrize(
    ("command", "output"),
    [
        (["id", "-u"], "0\n"),
        (["-V"], "postgres (PostgreSQL)"),
        (["postgres", "--version"], "postgres (PostgreSQL)"),
        (["psql", "--version"], "psql (PostgreSQL)"),
        (["pg_dump", "--version"], "pg_dump (PostgreSQL)"),
        (["pg_restore", "--version"], "pg_restore (PostgreSQL)"),
    ],
)
def test_other_commands_run_as_given(command: list[str], output: str) -> None:
    assert docker("run", "--rm", LABEL, IMAGE, *command).stdout.startswith(output)


def test_the_image_says_how_to_run_it() -> None:
    [image] = json.loads(docker("image", "inspect", IMAGE).stdout)
    config = image["Config"]
    [volume] = config["Volumes"]
    assert any(line.startswith(f"PGDATA={volume}") for line in config["Env"])
    assert config["StopSignal"] == "SIGINT"
    assert list(config["ExposedPorts"]) == ["5432/tcp"]


def test_nothing_of_the_building_machine_is_in_the_image() -> None:
    listed = docker("run", "--rm", LABEL, IMAGE, "ls", "/etc/apt", "/var/lib/apt", check=False)
    assert listed.stderr.count("No such file or directory") == 2
