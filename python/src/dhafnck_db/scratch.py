"""A server of one's own for as long as it takes to try something: made, used, stopped and removed.

Where DB_SCRATCH_IMAGE names an image it is a container; else it listens on a socket in a folder
that nobody else enters, and on no port.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from dhafnck_db.clients import INSTALLED
from dhafnck_db.errors import TargetError
from dhafnck_db.scratch_folder import scratch_folder
from dhafnck_db.settings import Settings

SUPERUSER = "dhafnck_drill"  # a name that no dump's role has
SERVER_USER = "postgres"  # who runs the server where root calls: it refuses root
PORT = 5432  # part of the socket's name alone
HOME, DATA = "server", "data"  # folders: the server's, and its data within
UNSAFE = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}  # it is thrown away
NEEDED = {
    "autovacuum": "off",
    "listen_addresses": "",
    "max_wal_senders": "0",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "wal_level": "minimal",
}


@dataclass(frozen=True)
class Scratch:
    """A running server without a database of ours."""

    programs: Path  # folder of pg_dump, pg_restore and psql that reach it
    host: str  # or the folder of its socket
    port: int
    password: str | None = field(default=None, repr=False)

    def environment(self, database: str) -> dict[str, str]:
        """Return the variables with which libpq reaches a database of it, and nothing else."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        place = {"PGHOST": self.host, "PGPORT": str(self.port)}
        secret = {"PGPASSWORD": self.password} if self.password else {}
        return {**kept, **place, **secret, "PGUSER": SUPERUSER, "PGDATABASE": database}

    def url(self, database: str) -> str:
        """Return the URL of a database of it, with its password where it has one."""
        login = f"{SUPERUSER}:{self.password}" if self.password else SUPERUSER
        return f"postgresql://{login}@/{database}?host={self.host}&port={self.port}"


@contextmanager
def server(settings: Settings, major: int) -> Iterator[Scratch]:
    """Start a server of this major version; stop it and remove it with all data afterwards.

    Natively its data is in a new folder below TMPDIR, which needs room for the database.

    Raises:
        TargetError: there are no server programs of that version, or it does not start.
    """
    if settings.db_scratch_image is not None:
        from dhafnck_db import scratch_docker

        with scratch_docker.server(settings.db_scratch_image, major) as running:
            yield running
    else:
        with _native(settings, major) as running:
            yield running


@contextmanager
def _native(settings: Settings, major: int) -> Iterator[Scratch]:
    programs = _programs(settings, major)
    with scratch_folder("drill", lambda left: _stop_if_left(programs, left)) as folder:
        home = folder / HOME
        home.mkdir(mode=0o700)
        if os.getuid() == 0:
            folder.chmod(0o711)  # to go through
            shutil.chown(home, SERVER_USER, SERVER_USER)
        data = home / DATA
        _run([programs / "initdb", f"--pgdata={data}", f"--username={SUPERUSER}", "--auth=trust",
              "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions"])  # fmt: skip
        options = {**UNSAFE, **NEEDED, "unix_socket_directories": str(home), "port": str(PORT)}
        with (data / "postgresql.conf").open("a") as file:
            file.writelines(f"{name} = '{value}'\n" for name, value in options.items())
        control, log = programs / "pg_ctl", home / "log"
        _run([control, f"--pgdata={data}", f"--log={log}", "start", "--wait"])
        try:
            yield Scratch(programs, str(home), PORT)
        finally:
            _run(_stopping(programs, data))


def _stop_if_left(programs: Path, folder: Path) -> None:
    """Stop the server of a folder that was left, if it still runs.

    Raises:
        TargetError: it does not stop.
    """
    # The number of its process may be another's by now: only one that answers is stopped.
    with socket.socket(socket.AF_UNIX) as asking:
        if asking.connect_ex(str(folder / HOME / f".s.PGSQL.{PORT}")) == 0:
            _run(_stopping(programs, folder / HOME / DATA))


def _stopping(programs: Path, data: Path) -> Sequence[str | Path]:
    return [programs / "pg_ctl", f"--pgdata={data}", "stop", "--mode=immediate", "--wait"]


def installed(settings: Settings) -> dict[int, Path]:
    """Return the folders of the server programs on this machine by major version. Runs them."""
    named = [settings.db_client_bin] if settings.db_client_bin else []
    folders = [*named, *(path.parent for path in sorted(INSTALLED.glob("*/bin/initdb")))]
    found: dict[int, Path] = {}
    for folder in folders:
        if (folder / "initdb").is_file():
            found.setdefault(_version(folder / "initdb"), folder)
    return found


def _programs(settings: Settings, major: int) -> Path:
    found = installed(settings).get(major)
    if found is not None:
        return found
    raise TargetError(
        "server-programs-missing",
        f"there are no server programs of PostgreSQL {major} on this machine",
        help=f"install postgresql-{major}, name the folder of its initdb in DB_CLIENT_BIN, or "
        "an image of it in DB_SCRATCH_IMAGE; nothing was proven",
    )


def _version(initdb: Path) -> int:
    ended = subprocess.run([initdb, "--version"], capture_output=True, text=True, check=False)  # noqa: S603  # our own choice of program
    words = ended.stdout.split()
    number = words[2].split(".")[0] if len(words) > 2 else ""
    return int(number) if number.isdigit() else 0


def _run(command: Sequence[str | Path]) -> None:
    """Run a program of the server, as a user whom it takes."""
    as_user = (
        ["setpriv", f"--reuid={SERVER_USER}", f"--regid={SERVER_USER}", "--init-groups", "--"]
        if os.getuid() == 0
        else []
    )
    # Not a pipe: the server that pg_ctl starts would hold it open.
    with tempfile.TemporaryFile() as said:
        ended = subprocess.run(  # noqa: S603  # our own choice of program; nothing of a user's
            [*as_user, *command], cwd="/", stdin=subprocess.DEVNULL, stdout=said, stderr=said,
            check=False,
        )  # fmt: skip
        said.seek(0)
        lines = said.read().decode(errors="replace").strip().splitlines()
    if ended.returncode != 0:
        raise TargetError(
            "scratch-server-failed",
            f"the scratch server failed at {Path(command[0]).name}",
            cause=lines[-1] if lines else None,
            help="is there room below TMPDIR? nothing was proven",
        )
