"""Which revisions a database has, and the hash of the file that each came from.

It is written in the transaction of each migration. Where the files are still the same, the database
itself says whether it is at head, and Alembic and the models need not be loaded for that.
"""

from __future__ import annotations

import configparser
import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, Connection, inspect, select, text
from sqlalchemy.dialects.postgresql import insert

from dhafnck_db import metadata, revision, waivers
from dhafnck_db.bookkeeping import revisions
from dhafnck_db.settings import Settings, alembic_ini
from dhafnck_db.target import Target

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

TABLES = text("""
    SELECT name FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace,
    LATERAL concat(nspname, '.', relname) AS name
    WHERE relkind IN ('r', 'p') AND name = ANY (:names)
""")


@dataclass(frozen=True)
class Applied:
    """One revision of a database."""

    revision: str
    after: list[str]  # the revisions that it builds on
    sha256: str  # of its file, when it was applied
    tables: list[str]  # of the models, as they stood after it; with their schema


def record(
    connection: Connection, script: ScriptDirectory, heads: set[str], settings: Settings
) -> None:
    """Make the record say what the database has now; does nothing where there is no such table.

    Part of the caller's transaction.

    Args:
        connection: to the database, after a revision was applied or undone.
        script: the revisions.
        heads: the newest of those that the database has.
        settings: name the models.
    """
    if not inspect(connection).has_table(revisions.name, schema=revisions.schema):
        return
    steps = {step.revision: step for step in script.iterate_revisions(tuple(heads), "base")}
    history, marks = _history(settings), [_mark(settings) + name for name in steps]
    gone = revisions.delete().where(history, revisions.c.revision.not_in(marks))
    connection.execute(gone)
    models = metadata.table_names(settings.db_metadata, connection)
    tables = sorted(existing(connection, models))
    for name, step in steps.items():
        row = insert(revisions).values(
            revision=_mark(settings) + name,
            after=list(step._all_down_revisions),
            sha256=_hash(Path(step.path)),
            tables=tables,
        )
        connection.execute(row.on_conflict_do_nothing())


def read(connection: Connection, settings: Settings) -> list[Applied]:
    """Return what the database has of the history that the settings name. Read-only.

    Empty where it was not recorded.
    """
    if not inspect(connection).has_table(revisions.name, schema=revisions.schema):
        return []
    c = revisions.c
    rows = connection.execute(
        select(c.revision, c.after, c.sha256, c.tables).where(_history(settings))
    )
    mark = _mark(settings)
    return [Applied(name.removeprefix(mark), *row) for name, *row in rows]


def existing(connection: Connection, names: Collection[str]) -> set[str]:
    """Return those of the named tables that the database has. Read-only."""
    return set(connection.scalars(TABLES, {"names": list(names)}))


def newest(recorded: list[Applied], settings: Settings) -> Applied | None:
    """Return the recorded revision that is the head of this checkout.

    None where the record cannot say that: nothing was recorded, a revision is pending, or a file is
    another than when it was applied. Read-only; nothing is connected.
    """
    files = _files(settings)
    if files is None or files != {step.sha256 for step in recorded}:
        return None
    below = {name for step in recorded for name in step.after}
    heads = [step for step in recorded if step.revision not in below]
    return heads[0] if len(heads) == 1 else None


def head(connection: Connection, settings: Settings) -> str | None:
    """Return the revision of a database whose record proves that it is at head, else None.

    Read-only. Raises what `revision.current` raises.
    """
    found = newest(read(connection, settings), settings)
    at_head = (
        found is not None
        and revision.current(connection, settings.db_version_table) == found.revision
    )
    return found.revision if found is not None and at_head else None


def require_head(connection: Connection, target: Target) -> None:
    """Refuse a database that is not at the newest revision. Read-only.

    Alembic takes as much memory as an import, and is only loaded where the record proves nothing.

    Raises:
        TargetError: it is at another revision, at several, or at none.
        ConfigurationError: the environment does not say where the migrations are.
    """
    with connection.begin():
        at_head = head(connection, target.settings)
    if at_head is None:
        from dhafnck_db import schema

        revision.require(connection, target, schema.head(target.settings))


def edited(connection: Connection, script: ScriptDirectory, settings: Settings) -> list[str]:
    """Return the revisions whose file is another than when it was applied, oldest first.

    Read-only. A revision that the database has no record of is not among them.

    Args:
        connection: to the database.
        script: the revisions.
        settings: name the history that they are of.
    """
    then = {step.revision: step.sha256 for step in read(connection, settings)}
    now = {step.revision: _hash(Path(step.path)) for step in script.walk_revisions()}
    changed = {name for name, sha256 in then.items() if now.get(name, sha256) != sha256}
    return [name for name in reversed(now) if name in changed]


def _files(settings: Settings) -> set[str] | None:
    """Return the hashes of the revision files, or None where Alembic has to say where they are."""
    ini = alembic_ini(settings)
    parser = configparser.ConfigParser({"here": str(ini.parent)})
    parser.read(ini, encoding="utf-8")
    if not parser.has_option("alembic", "script_location") or parser.has_option(
        "alembic", "version_locations"
    ):
        return None
    folder = Path(parser.get("alembic", "script_location")) / "versions"
    return {_hash(path) for path in folder.glob("*.py")}


def _mark(settings: Settings) -> str:
    """Return what the names in the record begin with: an application's own history has a mark."""
    name = settings.db_version_table
    return "" if name == revision.VERSION_TABLE else f"{name}:"


def _history(settings: Settings) -> ColumnElement[bool]:
    """Return the condition that a row of the record is of the history that the settings name."""
    mark = _mark(settings)
    own = revisions.c.revision.startswith(mark, autoescape=True)
    return own if mark else revisions.c.revision.not_like("%:%")


def _hash(path: Path) -> str:
    """Return the hash of a revision file, in which waivers for the lint do not count."""
    return hashlib.sha256(waivers.without(path.read_bytes())).hexdigest()
