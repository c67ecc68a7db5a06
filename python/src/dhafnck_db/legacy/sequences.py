"""The numbers that the target gives out by itself, moved above those that are used.

What is done is undone with the transaction, as far as PostgreSQL lets it be.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from psycopg2 import sql
from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Integer,
    Table,
    func,
    literal_column,
    select,
    text,
)

from dhafnck_db.legacy.layout import PUBLIC

LARGEST_INTEGER = 2**31 - 1  # what an identity column of the models holds


def hold_sequence(connection: Connection, target: Table, columns: Sequence[str]) -> None:
    """Let the numbers that the target gives, where it counts the rows, be given back by ROLLBACK.

    That undoes no nextval, but it does undo the new sequence that RESTART begins.
    """
    for column in target.primary_key:
        if column.identity is None or column.name in columns:
            continue
        sequence = text(connection.execute(select(_sequence(target, column))).scalar_one())
        state = select(literal_column("last_value + is_called::integer", Integer)).select_from(
            sequence
        )
        _restart(connection, target, column, connection.execute(state).scalar_one())


def raise_sequence(connection: Connection, target: Table, counter: int) -> None:
    """Let the next value be above what is used, and above what SQLite would not use again."""
    for column in target.primary_key:
        if column.identity is None:
            continue
        largest = max(connection.scalar(select(func.max(column))) or 0, counter)
        largest = min(largest, LARGEST_INTEGER)  # then no value is left, and none is used again
        if largest == 0:
            continue
        if largest < LARGEST_INTEGER:
            _restart(connection, target, column, largest + 1)
        else:
            name = _sequence(target, column)
            connection.execute(select(func.setval(name, literal_column(str(largest)))))


def _restart(connection: Connection, target: Table, column: Column[Any], number: int) -> None:
    """Let the next value be `number`. Unlike setval this is undone with the transaction."""
    statement = sql.SQL("ALTER TABLE {} ALTER COLUMN {} RESTART WITH {}").format(
        sql.Identifier(PUBLIC, target.name), sql.Identifier(column.name), sql.Literal(number)
    )
    with closing(connection.connection.cursor()) as cursor:
        cursor.execute(statement)


def _sequence(target: Table, column: Column[Any]) -> ColumnElement[str]:
    return func.pg_get_serial_sequence(f"{PUBLIC}.{target.name}", column.name)
