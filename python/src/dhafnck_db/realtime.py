"""The publication that Supabase Realtime streams from: which of the application's tables are in it.

It never touches a table of another schema than the models', and never makes a publication of all
tables, which needs a superuser.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection, func, select, text

from dhafnck_db.errors import TargetError
from dhafnck_db.relations import Relation, application_tables, resolve
from dhafnck_db.target import Target

PUBLICATION = "supabase_realtime"  # the name that Supabase Realtime looks for
FOUND = text("SELECT puballtables FROM pg_publication WHERE pubname = :name")
PUBLISHED = text("""
    SELECT nspname, relname FROM pg_publication_rel
    JOIN pg_publication p ON p.oid = prpubid AND pubname = :name
    JOIN pg_class c ON c.oid = prrelid JOIN pg_namespace n ON n.oid = relnamespace
""")
# Once published, UPDATE and DELETE are refused on a table whose rows nothing identifies.
NAMELESS = text("""
    SELECT nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relreplident = 'n' OR relreplident = 'd' AND NOT EXISTS (
        SELECT FROM pg_index WHERE indrelid = c.oid AND indisprimary)
""")


@dataclass(frozen=True)
class Published:
    """What the publication holds now, or would hold, and what was changed for that."""

    changed: bool
    created: bool
    added: list[str]
    removed: list[str]
    tables: list[str]
    elsewhere: list[str]  # tables of other schemas, left alone
    wal_level: str  # nothing is streamed unless it is logical

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def publish(
    connection: Connection, target: Target, names: Sequence[str], *, dry_run: bool = False
) -> Published:
    """Let the publication hold these of the application's tables and no others, in one transaction.

    Args:
        names: tables of the application, with or without their schema; none empties it.
        dry_run: only say what would be done.

    Raises:
        UsageError: a name is no table of the application.
        TargetError: the publication cannot hold a chosen list, belongs to another role, or a table
            has no primary key.
    """
    with connection.begin():
        everything = connection.scalar(FOUND, {"name": PUBLICATION})
        if everything:
            raise TargetError(
                "publication-of-all-tables",
                f"publication {PUBLICATION} is of all tables, now and later",
                help=f"DROP PUBLICATION {PUBLICATION}, and run this again",
            )
        tables = application_tables(connection, target.settings.db_metadata)
        wanted, own = resolve(tables, names), set(tables.values())
        _require_identity(connection, wanted)
        there = {Relation(*row) for row in connection.execute(PUBLISHED, {"name": PUBLICATION})}
        added = [table for table in wanted if table not in there]
        removed = sorted((there & own) - set(wanted))
        created = everything is None
        if not dry_run:
            _apply(connection, created, added, removed)
        level = connection.scalar(select(func.current_setting("wal_level")))
    return Published(
        changed=bool(created or added or removed),
        created=created,
        added=[str(table) for table in added],
        removed=[str(table) for table in removed],
        tables=[str(table) for table in wanted],
        elsewhere=[str(table) for table in sorted(there - own)],
        wal_level=str(level),
    )


def _require_identity(connection: Connection, wanted: Sequence[Relation]) -> None:
    nameless = {Relation(*row) for row in connection.execute(NAMELESS)}
    refused = [str(table) for table in wanted if table in nameless]
    if refused:
        raise TargetError(
            "no-replica-identity",
            f"{', '.join(refused)} has no primary key, so UPDATE and DELETE on it would fail once "
            "it is published",
            help="give it a primary key, or ALTER TABLE … REPLICA IDENTITY FULL",
        )


def _apply(
    connection: Connection, created: bool, added: Sequence[Relation], removed: Sequence[Relation]
) -> None:
    name = sql.Identifier(PUBLICATION)
    statements = [sql.SQL("CREATE PUBLICATION {}").format(name)] if created else []
    for verb, tables in (("ADD", added), ("DROP", removed)):
        if tables:
            listed = sql.SQL(", ").join(table.quoted for table in tables)
            statement = sql.SQL("ALTER PUBLICATION {} " + verb + " TABLE {}")
            statements.append(statement.format(name, listed))
    try:
        with closing(connection.connection.cursor()) as cursor:
            for composed in statements:
                cursor.execute(composed)
    except connection.dialect.loaded_dbapi.Error as failure:
        raise TargetError(
            "publication-refused",
            f"the server does not let publication {PUBLICATION} be changed; it is as it was",
            cause=str(failure).strip().splitlines()[0],
            help="connect as the owner of the publication and of the tables",
        ) from None
