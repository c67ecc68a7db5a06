"""Who one gets in as, by each of the paths that a password takes into a database.

It never makes a role and never sets a password.
"""

import os
import subprocess
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import URL, text

import dhafnck_db
from dhafnck_db import clients
from dhafnck_db.target import current_target


def url_of(place: URL, user: str, password: str | None = None) -> str:
    """The URL as the guide tells to write it."""
    secret = "" if password is None else ":" + quote(password, safe="")
    return f"postgresql://{user}{secret}@{place.host}:{place.port}/{place.database}"


def user_of_the_environment() -> str:
    engine = dhafnck_db.create_engine()
    with engine.connect() as connection:
        found = str(connection.scalar(text("SELECT current_user")))
    engine.dispose()
    return found


def user_of_psql() -> str:
    target = current_target()
    psql = clients.program("psql", target.settings)
    ended = subprocess.run(
        [psql, "--no-password", "-AtXc", "SELECT current_user"],
        env=clients.environment(target.admin),
        capture_output=True,
        text=True,
    )
    return ended.stdout.strip() or ended.stderr


def read_by_a_shell(file: Path) -> dict[str, str]:
    """The variables that a shell has once it has read the file."""
    script = 'set -a; . "$1"; exec env -0'
    ended = subprocess.run(
        ["sh", "-euc", script, "sh", file],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in ended.stdout.split("\0") if line)
