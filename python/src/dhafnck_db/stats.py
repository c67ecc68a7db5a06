"""The figures of a database: size, connections, cache, dead rows, oldest transaction, statements.

It never writes, and it needs no privilege: what a role may not see is left out.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, func, select, text

from dhafnck_db.errors import UsageError
from dhafnck_db.health.strain import BEHIND, CONNECTIONS, OLDEST_TRANSACTION, REPLICAS

TOP = 10  # statements that are shown
KEPT = 100  # that are read, so that a later look finds them again
LONGEST_TEXT = 200  # characters of a statement
COMMENT = re.compile(r"\s*(/\*.*?\*/|--[^\n]*(\n|$))", re.DOTALL)

DATABASE = text("""
    SELECT pg_database_size(current_database()), numbackends, blks_hit, blks_read,
           xact_commit, xact_rollback, deadlocks, temp_bytes
    FROM pg_stat_database WHERE datname = current_database()
""")
DEAD = text("""
    SELECT schemaname || '.' || relname, n_live_tup, n_dead_tup FROM pg_stat_user_tables
    ORDER BY n_dead_tup DESC, 1
""")
STATEMENTS_SCHEMA = text("""
    SELECT nspname FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace
    WHERE extname = 'pg_stat_statements'
      AND has_schema_privilege(nspname, 'USAGE')
      -- Its settings are there where the library is loaded; who may read which are, not all know.
      AND EXISTS (SELECT FROM pg_settings WHERE name = 'pg_stat_statements.max')
""")


@dataclass(frozen=True)
class Table:
    """A table's rows as the server estimates them."""

    name: str
    live: int
    dead: int


@dataclass(frozen=True)
class Statement:
    """A kind of statement, without its values."""

    id: str
    text: str
    calls: int
    seconds: float
    rows: int


@dataclass(frozen=True)
class Stats:
    """What a database has and does; sizes in bytes, times in seconds."""

    at: str  # ISO 8601, UTC
    size: int
    connections: int  # of all databases, as max_connections counts them
    connections_limit: int
    backends: int  # of this database
    cache_hits: int
    cache_reads: int
    commits: int
    rollbacks: int
    deadlocks: int
    temporary: int
    oldest_transaction: float
    replicas: int
    replication_lag: float | None  # None where the role may not see it
    tables: list[Table] = field(default_factory=list)
    statements_schema: str | None = None  # of pg_stat_statements, quoted; None where it is not
    statements: list[Statement] = field(default_factory=list)  # those that took most time

    @property
    def cache_hit_ratio(self) -> float | None:
        """Blocks found in the server's memory, of all that were asked for; None before any was."""
        every = self.cache_hits + self.cache_reads
        return self.cache_hits / every if every else None

    @property
    def dead(self) -> int:
        return sum(table.dead for table in self.tables)

    def to_dict(self) -> dict[str, Any]:
        return {"changed": False, **asdict(self), "cache_hit_ratio": self.cache_hit_ratio}


def load(path: Path) -> Stats:
    """Return the figures that `dhafnck-db stats --format json` printed into a file. Read-only.

    Raises:
        UsageError: they are not there.
    """
    try:
        found = json.loads(path.read_text())
        for printed in ("changed", "cache_hit_ratio"):
            del found[printed]
        tables = [Table(**table) for table in found.pop("tables")]
        statements = [Statement(**statement) for statement in found.pop("statements")]
        return Stats(**found, tables=tables, statements=statements)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as failure:
        raise UsageError(
            "figures-unreadable",
            f"{path} has no figures of a database",
            cause=failure.strerror if isinstance(failure, OSError) else None,
            help="write them with: dhafnck-db stats --format json >FILE",
        ) from None


def read(connection: Connection) -> Stats:
    """Return the figures of a connection's database. Read-only."""
    size, backends, hits, reads, commits, rollbacks, deadlocks, temporary = connection.execute(
        DATABASE
    ).one()
    used, limit = connection.execute(CONNECTIONS).one()
    oldest = connection.execute(OLDEST_TRANSACTION).one_or_none()
    replicas: int = 0
    lag: float | None
    if connection.scalar(select(func.pg_is_in_recovery())):
        lag = float(str(connection.scalar(BEHIND)))
    else:
        replicas, lag = connection.execute(REPLICAS).one()
    schema = _statements_schema(connection)
    return Stats(
        datetime.now(UTC).isoformat(timespec="seconds"),
        size, used, limit, backends, hits, reads, commits, rollbacks, deadlocks, temporary,
        oldest[0] if oldest else 0.0, replicas, lag,
        [Table(*row) for row in connection.execute(DEAD)],
        schema,
        _statements(connection, schema) if schema else [],
    )  # fmt: skip


def _statements_schema(connection: Connection) -> str | None:
    schema = connection.scalar(STATEMENTS_SCHEMA)
    if schema is None:
        return None
    return connection.dialect.identifier_preparer.quote_schema(str(schema))


def _statements(connection: Connection, schema: str) -> list[Statement]:
    """Return the statements that took most time, most first."""
    # Others' statements have no text for a role without pg_read_all_stats.
    query = text(f"""
        SELECT queryid::text, query, sum(calls)::bigint, sum(total_exec_time) / 1000,
               sum(rows)::bigint
        FROM {schema}.pg_stat_statements
        WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
          AND queryid IS NOT NULL
        GROUP BY queryid, query ORDER BY 4 DESC LIMIT {KEPT}
    """)  # noqa: S608  # a quoted identifier and a number of our own
    return [
        Statement(number, _legible(said), calls, seconds, rows)
        for number, said, calls, seconds, rows in connection.execute(query)
    ]


def _legible(statement: str) -> str:
    """Return a statement on one line, cut, without the comments that it begins with."""
    while comment := COMMENT.match(statement):
        statement = statement[comment.end() :]
    return " ".join(statement.split())[:LONGEST_TEXT]
