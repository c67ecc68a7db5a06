"""PostgreSQL's own client programs: where they are, and how they get a password without argv.

It never runs a shell.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from dhafnck_db.endpoints import Endpoint
from dhafnck_db.errors import TargetError
from dhafnck_db.settings import Settings

INSTALLED = Path("/usr/lib/postgresql")


def program(name: str, settings: Settings, major: int | None = None) -> Path:
    """Return the path of psql, pg_dump or pg_restore. Read-only.

    DB_CLIENT_BIN, else version `major` under /usr/lib/postgresql, else the newest there, else PATH.

    Raises:
        TargetError: there is none.
    """
    if settings.db_client_bin is not None:
        candidates = [settings.db_client_bin / name]
    else:
        candidates = [INSTALLED / str(major) / "bin" / name] if major else []
        candidates += sorted(INSTALLED.glob(f"*/bin/{name}"), key=_major, reverse=True)
        found = shutil.which(name)
        candidates += [Path(found)] if found else []
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    raise TargetError(
        "client-missing",
        f"no program {name}",
        help="install the package postgresql-client, or name its directory in DB_CLIENT_BIN",
    )


def version(path: Path) -> int:
    """Return the major version of a client program. Runs it.

    Raises:
        TargetError: it does not run, or says nothing of the kind.
    """
    ended = subprocess.run(  # noqa: S603  # our own choice of program
        [path, "--version"], env=nowhere(), capture_output=True, text=True, check=False
    )
    found = re.search(r"PostgreSQL\) (\d+)", ended.stdout)
    if ended.returncode != 0 or found is None:
        raise TargetError(
            "client-broken",
            f"{path} --version failed",
            cause=next(iter(ended.stderr.splitlines()), None),
            help="check DB_CLIENT_BIN",
        )
    return int(found[1])


def nowhere() -> dict[str, str]:
    """Return the variables of a client program that needs no server.

    A program in a container looks at which server is meant; none is, whatever the shell names.
    """
    return {name: value for name, value in os.environ.items() if name not in ("PGHOST", "PGPORT")}


def environment(endpoint: Endpoint) -> dict[str, str]:
    """Return the variables with which libpq reaches an endpoint, added to the process's own.

    The password is in the environment of the child alone, which only its own user can read.
    """
    url = endpoint.url
    parts = {
        "PGHOST": url.host,
        "PGHOSTADDR": endpoint.address,
        "PGPORT": str(url.port or 5432),
        "PGUSER": url.username,
        "PGPASSWORD": url.password,
        "PGDATABASE": url.database,
        "PGSSLMODE": endpoint.sslmode,
        "PGSSLROOTCERT": endpoint.sslrootcert,
    }
    return {**os.environ, **{name: str(value) for name, value in parts.items() if value}}


def _major(path: Path) -> float:
    name = path.parent.parent.name
    return float(name) if name.replace(".", "", 1).isdigit() else 0
