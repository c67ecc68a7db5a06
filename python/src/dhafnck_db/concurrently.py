"""What a revision does CONCURRENTLY, outside a transaction, made fit to be run again.

Where building an index CONCURRENTLY breaks off, PostgreSQL leaves it invalid: it is written to and
never read, and it stands in the way of the next attempt. It never touches an index that is valid,
nor one that another session is building.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import psycopg2
from psycopg2 import sql
from sqlalchemy import Connection, event

COMMENTS = r"(?:\s|--[^\n]*\n|/\*.*?\*/)*"
NAME = r'(?:"(?:[^"]|"")+"|[\w$]+)'
CONCURRENTLY = re.compile(
    rf"{COMMENTS}(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX|REINDEX\b[^;]*?)\s+CONCURRENTLY\b",
    re.IGNORECASE | re.DOTALL,
)
BUILD = re.compile(
    rf"{COMMENTS}CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY\s+(?:IF\s+NOT\s+EXISTS\s+)?"
    rf"(?P<index>{NAME})\s+ON\s+(?:ONLY\s+)?(?P<table>{NAME}(?:\.{NAME})?)",
    re.IGNORECASE | re.DOTALL,
)
INVALID = """
    SELECT n.nspname, c.relname FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND c.relkind = 'i' AND i.indrelid = to_regclass(%(table)s)
    AND c.relname = (parse_ident(%(index)s))[1]
    AND i.indexrelid NOT IN (
        SELECT index_relid FROM pg_stat_progress_create_index WHERE index_relid IS NOT NULL)
"""


@dataclass
class Builds:
    """The indexes that a run began to build CONCURRENTLY."""

    limit: str  # lock_timeout of everything else
    begun: list[tuple[str, str]] = field(default_factory=list)  # index and table, as spelled

    def before(self, cursor: Any, statement: str) -> None:
        """Prepare the session for a statement that is about to be executed."""
        if not cursor.connection.autocommit or not CONCURRENTLY.match(statement):
            return
        # It waits for every transaction that is older than itself, and nobody queues behind it:
        # DB_STATEMENT_TIMEOUT bounds it, and `lock_watch` the waits that others could feel.
        self._set_limit(cursor, "0")
        build = BUILD.match(statement)
        if build:
            self.begun.append((build["index"], build["table"]))
            remove_invalid(cursor.connection, build["index"], build["table"])

    def after(self, cursor: Any, statement: str) -> None:
        """Bring the session back to what it was before such a statement."""
        if cursor.connection.autocommit and CONCURRENTLY.match(statement):
            self._set_limit(cursor, self.limit)

    def broke_off(self, connection: Connection) -> None:
        """Remove what a statement that failed left invalid, and set the limit again.

        Outside a transaction; the caller has none open. What cannot be removed now is removed
        before the next attempt.
        """
        session: Any = connection.connection.driver_connection
        session.autocommit = True
        try:
            with session.cursor() as cursor:
                self._set_limit(cursor, self.limit)
            for index, table in self.begun:
                with suppress(psycopg2.Error):
                    remove_invalid(session, index, table)
        finally:
            session.autocommit = False

    def _set_limit(self, cursor: Any, limit: str) -> None:
        with cursor.connection.cursor() as own:
            own.execute("SELECT set_config('lock_timeout', %s, false)", (limit,))


@contextmanager
def prepared(connection: Connection, limit: str) -> Iterator[Builds]:
    """See to every statement of the block that is executed CONCURRENTLY over the connection.

    An invalid index of the name that a statement is about to build is dropped first. `limit` is the
    lock_timeout that holds for everything else.
    """
    builds = Builds(limit)

    def before(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
        builds.before(cursor, statement)

    def after(_c: Any, cursor: Any, statement: str, *_: Any) -> None:
        builds.after(cursor, statement)

    event.listen(connection, "before_cursor_execute", before)
    event.listen(connection, "after_cursor_execute", after)
    try:
        yield builds
    finally:
        event.remove(connection, "before_cursor_execute", before)
        event.remove(connection, "after_cursor_execute", after)


def remove_invalid(session: Any, index: str, table: str) -> None:
    """Drop an index if it is invalid; does nothing to a valid one or where there is none.

    Args:
        session: psycopg2's connection, in autocommit mode.
        index: its name, as SQL spells it, without a schema.
        table: of the index, as SQL spells it.
    """
    with session.cursor() as cursor:
        cursor.execute(INVALID, {"index": index, "table": table})
        for schema, name in cursor.fetchall():
            drop = sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(schema, name))
            cursor.execute(drop)
