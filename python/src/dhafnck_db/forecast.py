"""What the pending revisions would execute, which tables that locks, and about how long it takes.

It reads the catalog alone: it applies nothing, and waits for no lock.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from alembic.config import Config
from sqlalchemy import Connection, Row, TextClause, text

from dhafnck_db import locks, offline, revision
from dhafnck_db.locks import Lock, Work
from dhafnck_db.settings import Settings

# Bytes in a second, assumed of a small server with its data in memory or on an SSD.
READ = 200e6
WRITTEN = 30e6
AT_LEAST = 0.01  # seconds of a statement that changes the catalog alone
SPEED: dict[Work, float] = {"scan": READ, "build": WRITTEN, "rewrite": WRITTEN}
BASIS = (
    f"sizes as of the last ANALYZE; {READ / 1e6:.0f} MB/s assumed to read a table, "
    f"{WRITTEN / 1e6:.0f} MB/s to write it or an index of it; waiting for locks comes on top"
)

# pg_class alone: the functions that measure a table would wait for its lock.
TABLES = text("""
    SELECT nspname || '.' || relname AS name, reltuples::bigint AS rows,
           relpages * current_setting('block_size')::bigint AS bytes
    FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname || '.' || relname = ANY (:names)
""")
OF_INDEX = text("""
    SELECT n.nspname || '.' || i.relname, t.nspname || '.' || c.relname
    FROM pg_index
    JOIN pg_class i ON i.oid = indexrelid JOIN pg_namespace n ON n.oid = i.relnamespace
    JOIN pg_class c ON c.oid = indrelid JOIN pg_namespace t ON t.oid = c.relnamespace
    WHERE n.nspname || '.' || i.relname = ANY (:names)
""")
FOREIGN_KEYS = text("""
    SELECT n.nspname || '.' || c.relname AS table_of, conname,
           m.nspname || '.' || d.relname AS to_table
    FROM pg_constraint
    JOIN pg_class c ON c.oid = conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_class d ON d.oid = confrelid JOIN pg_namespace m ON m.oid = d.relnamespace
    WHERE contype = 'f' AND n.nspname || '.' || c.relname = ANY (:names)
""")
VOLATILE = text("SELECT DISTINCT proname FROM pg_proc WHERE provolatile = 'v'")


@dataclass(frozen=True)
class Held:
    """A lock on a table that is in use."""

    table: str
    mode: str
    blocks: str  # what others cannot do with the table until it is given back
    rows: int | None  # as the statistics know it; None where they do not
    bytes: int | None


@dataclass(frozen=True)
class Outlook:
    """One statement, with what it would lock and take."""

    line: int  # of the revision file
    sql: str
    in_transaction: bool
    locks: list[Held]
    work: Work
    seconds: float | None  # None where nobody can tell


@dataclass(frozen=True)
class Pending:
    """One pending revision."""

    revision: str
    file: Path
    statements: list[Outlook]
    fault: str | None  # why its statements could not be told whole


@dataclass(frozen=True)
class Forecast:
    """All pending revisions, oldest first."""

    before: str | None
    pending: list[Pending]

    @property
    def held(self) -> list[Held]:
        """The strongest lock on each table; those of a transaction are held until it ends."""
        found = [lock for step in self.pending for one in step.statements for lock in one.locks]
        found.sort(key=lambda lock: locks.STRENGTH.index(lock.mode))
        return list({lock.table: lock for lock in found}.values())

    @property
    def seconds(self) -> float:
        """About how long all statements take that can be told."""
        return sum(one.seconds or 0 for step in self.pending for one in step.statements)

    @property
    def untold(self) -> int:
        """How many statements have no estimate."""
        return sum(one.seconds is None for step in self.pending for one in step.statements)

    def to_dict(self) -> dict[str, Any]:
        return {
            "changed": False,
            "before": self.before,
            "pending": [asdict(step) for step in self.pending],
            "locks": [asdict(lock) for lock in self.held],
            "estimate": {"seconds": self.seconds, "untold": self.untold, "basis": BASIS},
        }


def read(connection: Connection, config: Config, settings: Settings, to: str = "head") -> Forecast:
    """Return what an upgrade would execute, lock and take. Read-only.

    Args:
        connection: to the database.
        config: Alembic's configuration.
        settings: name the models.
        to: the revision to upgrade to, in Alembic's words.

    Raises what `offline.between` and `revision.current` raise.
    """
    before = revision.current(connection, settings.db_version_table)
    steps = offline.read(offline.between(config, f"{before or 'base'}:{to}"), config, settings)
    every = [statement.sql for step in steps for statement in step.up.statements]
    with connection.begin() if not connection.in_transaction() else connection.begin_nested():
        facts = _Facts(connection, [lock for sql in every for lock in locks.taken(sql)])
    pending = []
    for step in steps:
        told = [_outlook(statement, facts) for statement in step.up.statements]
        pending.append(Pending(step.revision, step.file, told, step.up.fault))
    return Forecast(before, pending)


class _Facts:
    """What the catalog knows of the tables that the statements lock."""

    def __init__(self, connection: Connection, wanted: list[Lock]) -> None:
        def rows(query: TextClause, names: Iterable[str]) -> Sequence[Row[*tuple[Any, ...]]]:
            return connection.execute(query, {"names": list(names)}).all()

        indexes = (lock.relation for lock in wanted if lock.of_index)
        self.table_of: dict[str, str] = {row[0]: row[1] for row in rows(OF_INDEX, indexes)}
        untied = (lock.relation for lock in wanted if lock.unties)
        self.foreign_keys = rows(FOREIGN_KEYS, untied)
        named = {lock.relation for one in wanted for lock in self.on_tables(one)}
        self.tables = {row.name: row for row in rows(TABLES, named)}
        self.volatile = set(connection.scalars(VOLATILE))

    def on_tables(self, lock: Lock) -> list[Lock]:
        """Return a lock as those on tables that it is."""
        found = [Lock(self.table_of.get(lock.relation, lock.relation), lock.mode)]
        found += [
            Lock(key.to_table, lock.mode)
            for key in self.foreign_keys
            if key.table_of == lock.relation and lock.unties in (locks.ALL, key.conname)
        ]
        return found

    def held(self, wanted: Iterable[Lock]) -> list[Held]:
        """Return locks as others feel them: those on tables that are there."""
        found = locks.strongest(lock for one in wanted for lock in self.on_tables(one))
        held = []
        for lock in found:
            if table := self.tables.get(lock.relation):
                known = table.rows >= 0  # else nobody has analyzed it yet
                rows, size = (table.rows, table.bytes) if known else (None, None)
                held.append(Held(table.name, lock.mode, locks.BLOCKS[lock.mode], rows, size))
        return held


def _outlook(statement: offline.Statement, facts: _Facts) -> Outlook:
    held = facts.held(locks.taken(statement.sql))
    work = locks.work(statement.sql, facts.volatile)
    return Outlook(
        statement.line, statement.sql, statement.in_transaction, held, work, _seconds(work, held)
    )


def _seconds(work: Work, held: list[Held]) -> float | None:
    if work == "catalog" or (work in SPEED and not held):  # a new table has nothing to go through
        return AT_LEAST
    if work not in SPEED:
        return None
    sizes = [lock.bytes for lock in held]
    known = [size for size in sizes if size is not None]
    return None if len(known) < len(sizes) else AT_LEAST + max(known) / SPEED[work]
