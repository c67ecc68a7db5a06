"""Constraints and indexes set aside while empty tables are filled, and put back as they were.

It touches no table that holds rows, and neither begins nor ends the transaction it runs in. To make
an index of all rows at once costs half of what it costs to keep it row by row, and a table that
begins with a new file keeps its rows in the order in which they came.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import count
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection, Table

from dhafnck_db.legacy.judge import REMADE, Progress

WORTHWHILE = 10_000  # rows; below, setting aside costs more than it saves

# What hangs on the tables: foreign keys first, since they need the keys that they refer to. What
# something else depends on (a view, a publication) or somebody set apart stays where it is.
_CONSTRAINTS = """
    SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid), obj_description(oid)
    FROM pg_constraint
    WHERE conrelid = ANY(%(tables)s::regclass[]) AND contype = ANY(%(kinds)s) AND convalidated
      AND NOT EXISTS (
        SELECT FROM pg_index WHERE indexrelid = conindid AND contype IN ('p', 'u')
          AND (indisreplident OR indisclustered OR EXISTS (
            SELECT FROM pg_class WHERE oid = indexrelid AND reltablespace <> 0)))
      AND NOT EXISTS (
        SELECT FROM pg_constraint other WHERE other.confrelid = pg_constraint.conrelid
          AND other.contype = 'f' AND pg_constraint.contype IN ('p', 'u')
          AND other.conrelid <> ALL(%(tables)s::regclass[]))
      AND NOT EXISTS (
        SELECT FROM pg_depend WHERE refclassid = 'pg_constraint'::regclass
          AND refobjid = pg_constraint.oid AND deptype = 'n' AND classid = 'pg_rewrite'::regclass)
    ORDER BY 1, 2
"""
_INDEXES = """
    SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid), obj_description(indexrelid)
    FROM pg_index
    WHERE indrelid = ANY(%(tables)s::regclass[]) AND indisvalid
      AND NOT indisreplident AND NOT indisclustered
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)
      AND NOT EXISTS (SELECT FROM pg_class WHERE oid = indexrelid AND reltablespace <> 0)
      AND NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = indexrelid AND attstattarget > 0)
    ORDER BY 1
"""


# A table that others still refer to cannot begin anew.
_UNREFERRED = """
    SELECT tables.name FROM unnest(%(tables)s::text[]) AS tables (name)
    WHERE NOT EXISTS (
        SELECT FROM pg_constraint WHERE contype = 'f' AND confrelid = tables.name::regclass)
"""


@contextmanager
def set_aside(
    connection: Connection,
    tables: Sequence[Table],
    *,
    rows: int,
    progress: Progress | None = None,
) -> Iterator[None]:
    """Fill the tables within; afterwards their constraints and indexes are as they were.

    Args:
        connection: in the transaction of the load, which holds the tables locked.
        tables: the tables to fill; they are empty.
        rows: how many rows will come; for a few nothing is set aside.
        progress: is told how many constraints and indexes are there again, of REMADE.

    Raises:
        psycopg2.Error: the rows break a constraint.
    """
    if rows < WORTHWHILE or not tables:
        yield
        return
    names = [f'"{table.schema or "public"}"."{table.name}"' for table in tables]
    with closing(connection.connection.cursor()) as cursor:

        def found(statement: str, kinds: str = "") -> list[tuple[Any, ...]]:
            cursor.execute(statement, {"tables": names, "kinds": list(kinds)})
            return list(cursor.fetchall())

        foreign, keys, indexes = (
            found(_CONSTRAINTS, "f"),
            found(_CONSTRAINTS, "pu"),
            found(_INDEXES),
        )
        for table, name, *_ in foreign + keys:
            cursor.execute(
                _alter(table) + sql.SQL("DROP CONSTRAINT {}").format(sql.Identifier(name))
            )
        for name, *_ in indexes:
            cursor.execute(sql.SQL("DROP INDEX " + name))
        for (name,) in found(_UNREFERRED):
            # Empty, as the caller has seen under the lock that it still holds.
            cursor.execute(sql.SQL("TRUNCATE TABLE ONLY " + name))
        yield
        made, total = count(), len(keys) + len(indexes) + len(foreign)

        def tell() -> None:
            if progress:
                progress(REMADE, next(made), total, 0)

        tell()
        for table, name, definition, comment in keys:
            _put_back(cursor, table, name, definition, comment)
            tell()
        for name, definition, comment in indexes:
            cursor.execute(definition)
            if comment is not None:
                cursor.execute(sql.SQL("COMMENT ON INDEX " + name + " IS %s"), (comment,))
            tell()
        for table, name, definition, comment in foreign:
            _put_back(cursor, table, name, definition, comment)
            tell()


def _put_back(cursor: Any, table: str, name: str, definition: str, comment: str | None) -> None:
    constraint = sql.Identifier(name)
    cursor.execute(
        _alter(table) + sql.SQL("ADD CONSTRAINT {} ").format(constraint) + sql.SQL(definition)
    )
    if comment is not None:
        on = sql.SQL("COMMENT ON CONSTRAINT {} ON " + table + " IS {}")
        cursor.execute(on.format(constraint, sql.Literal(comment)))


def _alter(table: str) -> sql.Composable:
    return sql.SQL("ALTER TABLE " + table + " ")  # as PostgreSQL itself quoted the name
