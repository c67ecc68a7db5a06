"""Two users of an API with rows in every table, and sessions that speak as one of them.

The rows come from the models, so that a new table is filled too.
"""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID, uuid4

import psycopg2
from conftest import Server
from contract import ALLOWED
from sqlalchemy import Column, Connection, Table, Uuid, insert

from dhafnck_db.models import Base

TABLES = {table.name: table for table in Base.metadata.sorted_tables}
ALICE, BOB = "aaaaaaaa-0000-4000-8000-00000000000a", "bbbbbbbb-0000-4000-8000-00000000000b"
ROWS = 3  # of a user in a table

Row = dict[str, Any]


class Rows(NamedTuple):
    """What one user has, by table."""

    user: str
    of: dict[str, list[Row]]

    def another(self, table: Table, user: str | None = None, **values: Any) -> Row:
        """A row that is not there yet, hanging on this user's own, and owned by this user."""
        return {**_row(table, user or self.user, self.of, None), **values}


def owner_column(table: Table) -> Column[Any]:
    """The column that says whose a row is; a user's own row is its own."""
    return table.columns["user_id" if "user_id" in table.columns else "id"]


def insert_users(connection: Connection) -> dict[str, Rows]:
    """Insert the rows of both users, as the owner of the tables."""
    found = {}
    for user in (ALICE, BOB):
        rows = Rows(user, {})
        for table in Base.metadata.sorted_tables:
            mine = rows.of.setdefault(table.name, [])
            for number in range(1 if owner_column(table).primary_key else ROWS):
                values = _row(table, user, rows.of, number)
                inserted = connection.execute(insert(table).values(values).returning(*table.c))
                mine.append(dict(inserted.mappings().one()))
        found[user] = rows
    return found


@contextmanager
def speaking_as(
    server: Server, database: str, role: str, user: str | None = None
) -> Iterator[psycopg2.extensions.cursor]:
    """A session as PostgREST has one: logged in as authenticator, then the role and the claims."""
    claims = {"role": role} if user is None else {"role": role, "sub": user}
    with closing(server.connect(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SET SESSION AUTHORIZATION authenticator")
        cursor.execute("SELECT set_config('role', %s, false)", (role,))
        cursor.execute("SELECT set_config('request.jwt.claims', %s, false)", (json.dumps(claims),))
        cursor.execute("SELECT session_user, current_user")
        assert cursor.fetchone() == ("authenticator", role)
        yield cursor


def _row(table: Table, user: str, parents: dict[str, list[Row]], number: int | None) -> Row:
    """Return a row; `number` says on which parents it hangs, None on others than every number."""
    row: Row = {}
    references = 0
    for column in table.columns:
        if column is owner_column(table):
            row[column.name] = UUID(user) if isinstance(column.type, Uuid) else user
        elif column.foreign_keys:
            (key,) = column.foreign_keys
            there = parents[key.column.table.name]
            place = 2 * references if number is None else number + references
            row[column.name] = there[place % len(there)]["id"]
            references += 1
        elif not (column.nullable or column.server_default or column.identity):
            row[column.name] = _sample(column)
    return row


def _sample(column: Column[Any]) -> Any:
    kind = column.type.python_type
    values = {
        str: ALLOWED.get(column.name) or f"{column.name} {uuid4()}",
        UUID: uuid4(),
        int: 7,
        datetime: datetime.now(UTC) + timedelta(days=1),
        object: {},  # JSON
    }
    return values[kind]
