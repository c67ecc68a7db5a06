"""A scratch server in a container of its own, for machines whose server is in one.

Its port is published on this machine alone, and its password is made for it; both go with it.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg2

from dhafnck_db.errors import TargetError
from dhafnck_db.scratch import NEEDED, SUPERUSER, UNSAFE, Scratch
from dhafnck_db.scratch_folder import scratch_folder

PATIENCE = 120.0  # seconds until a server answers
POLL = 0.2  # seconds
CLIENTS = ("pg_dump", "pg_restore", "psql")
# A list of pg_restore's is a file of this machine's. Within the container there is no password.
CLIENT = """#!/bin/sh
name={name}
for argument; do
    file=${{argument#*=}}
    case "$argument" in --use-list=*) docker cp -q "$file" "$name:$file" || exit ;; esac
done
exec docker exec -i -e PGHOST=/var/run/postgresql -e PGUSER -e PGDATABASE "$name" \
    "$(basename "$0")" "$@"
"""


@contextmanager
def server(image: str, major: int) -> Iterator[Scratch]:
    """Start a server of an image; remove its container and all data afterwards.

    Raises:
        TargetError: the engine has no such image or does not answer, the image is of another
            major version, or the server does not start.
    """
    password = secrets.token_urlsafe(24)
    with scratch_folder("container", _remove) as home:
        name = home.name
        try:
            _start(image, name, password)
            found = int(_docker("exec", name, "sh", "-c", "echo $PG_MAJOR"))
            if found != major:
                raise _failed(f"image {image} has PostgreSQL {found}; the dump is of {major}")
            _write_clients(home, name)
            host, _, port = _docker("port", name, "5432/tcp").splitlines()[0].rpartition(":")
            running = Scratch(home, host, int(port), password)
            _wait(running, name)
            yield running
        finally:
            with suppress(TargetError):  # what went wrong before is the error
                _remove(home)


def _remove(home: Path) -> None:
    """Remove the container of a folder, whose name it has, if there is one.

    Raises:
        TargetError: the engine does not.
    """
    if _docker("ps", "--all", "--quiet", "--filter", f"name=^{home.name}$"):
        _docker("rm", "--force", "--volumes", home.name)


def _start(image: str, name: str, password: str) -> None:
    settings = {**UNSAFE, **NEEDED, "listen_addresses": "*"}
    given = {
        "POSTGRES_USER": SUPERUSER,
        "POSTGRES_DB": "postgres",
        "POSTGRES_PASSWORD": password,
        "POSTGRES_INITDB_ARGS": "--encoding=UTF8 --locale=C.UTF-8 --no-sync",
    }
    # Named alone, so that the password is in no command line.
    environment = [word for variable in given for word in ("--env", variable)]
    options = [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]
    place = ["--name", name, "--publish", "127.0.0.1::5432", "--pull", "never"]
    _docker("run", "--detach", *place, *environment, image, *options, env=given)


def _wait(running: Scratch, name: str) -> None:
    """Wait until the server answers on its port; while it is made, it does so on its socket."""
    started = time.monotonic()
    while True:
        try:
            psycopg2.connect(running.url("postgres"), connect_timeout=5).close()
            return
        except psycopg2.OperationalError as failure:
            if _docker("inspect", "--format", "{{.State.Running}}", name) != "true":
                lines = _docker("logs", "--tail", "1", name, errors=True).splitlines()
                raise _failed(lines[-1] if lines else "it ended") from None
            if time.monotonic() - started > PATIENCE:
                raise _failed(str(failure).splitlines()[0]) from None
        time.sleep(POLL)


def _write_clients(home: Path, name: str) -> None:
    program = home / "client"
    program.write_text(CLIENT.format(name=name))
    program.chmod(0o700)
    for client in CLIENTS:
        (home / client).symlink_to(program)


def _docker(*arguments: str, env: Mapping[str, str] | None = None, errors: bool = False) -> str:
    try:
        ended = subprocess.run(  # noqa: S603  # arguments of our own; the image is the user's choice
            ["docker", *arguments],  # noqa: S607  # the user's own docker
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT if errors else subprocess.PIPE,
            env={**os.environ, **(env or {})},
            text=True,
            check=True,
        )
    except OSError:
        raise _failed("there is no program docker") from None
    except subprocess.CalledProcessError as failure:
        lines = (failure.stderr or failure.stdout or "").strip().splitlines()
        raise _failed(lines[-1] if lines else f"docker {arguments[0]} failed") from None
    return ended.stdout.strip()


def _failed(cause: str) -> TargetError:
    return TargetError(
        "scratch-server-failed",
        "the container of the scratch server failed",
        cause=cause,
        help="does `docker version` answer, and is the image of DB_SCRATCH_IMAGE there? "
        "nothing was proven",
    )
