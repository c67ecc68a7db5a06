"""What `--from` and `--to` name: an environment, its env file, or a snapshot that was kept.

A database is only read, and one that knows itself as another environment is refused.
"""

from __future__ import annotations

from pathlib import Path

from dhafnck_db import identity
from dhafnck_db.errors import UsageError
from dhafnck_db.parity import snapshot
from dhafnck_db.parity.observe import observe
from dhafnck_db.parity.snapshot import Snapshot
from dhafnck_db.settings import settings_of
from dhafnck_db.target import Target, connect_admin, resolve


def look(name: str) -> tuple[Snapshot, bool]:
    """Return the snapshot of a side, and whether it was kept in a file. Read-only.

    Args:
        name: an environment, which has its variables in `.env.<name>` and nowhere else; or the path
            of an env file, or of a snapshot.

    An env file is read without this process's own variables: two environments in one process would
    have the same ones. Raises what `settings.settings_of`, `snapshot.load`, `target.connect_admin`
    and `identity.require` raise, and UsageError where there is nothing of that name.
    """
    for path in (Path(f".env.{name}"), Path(name)):
        if path.is_file():
            return (snapshot.load(path), True) if _is_snapshot(path) else (_live(path), False)
    raise UsageError(
        "side-unknown",
        f"there is neither an environment {name} (a file .env.{name}) nor a file {name}",
        help="name dev or prod, an env file, or a file made by `dhafnck-db snapshot`",
    )


def look_at(target: Target) -> Snapshot:
    """Return a snapshot of a target. Read-only; raises what `look` raises of one."""
    with connect_admin(target) as connection:
        identity.require(connection, target)
        connection.rollback()
        return observe(connection, target.settings, target.environment)


def _live(path: Path) -> Snapshot:
    return look_at(resolve(settings_of(path)))


def _is_snapshot(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(1) == b"{"
