"""A database in a scratch server, with what others make around the project's schemas.

It only ever touches a scratch server, where it is the superuser.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection, NullPool, create_engine
from sqlalchemy.engine.interfaces import IsolationLevel

from dhafnck_db import scratch
from dhafnck_db.scratch import Scratch


@contextmanager
def connected(
    server: Scratch, database: str, isolation: IsolationLevel = "AUTOCOMMIT"
) -> Iterator[Connection]:
    """Connect to a database of the server as its superuser."""
    engine = create_engine(
        server.url(database).replace("postgresql:", "postgresql+psycopg2:", 1),
        poolclass=NullPool,
        isolation_level=isolation,
    )
    with engine.connect() as connection:
        yield connection


def execute(connection: Connection, statement: str, *names: str) -> None:
    """Execute a statement with names in the place of its braces."""
    driver = connection.connection.cursor()
    driver.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))
    driver.close()


def make_roles(superuser: Connection, around: Mapping[str, Any]) -> None:
    """Make the roles that `surroundings.read` found, with their memberships and nothing else."""
    roles = [role for role in around["roles"] if role["name"] != scratch.SUPERUSER]
    for role in roles:
        execute(superuser, "CREATE ROLE {}", role["name"])
    for role in roles:
        for above in role["member_of"]:
            execute(superuser, "GRANT {} TO {}", above, role["name"])


def make_surroundings(superuser: Connection, around: Mapping[str, Any], database: str) -> None:
    """Make the extensions and the others' functions that `surroundings.read` found, and the owner.

    An extension that the server lacks is left out: where it is needed, what needs it says so.
    """
    for schema in sorted({one["schema"] for one in (*around["extensions"], *around["functions"])}):
        execute(superuser, "CREATE SCHEMA IF NOT EXISTS {}", schema)
    available = set(superuser.exec_driver_sql("SELECT name FROM pg_available_extensions").scalars())
    for extension in around["extensions"]:
        if extension["name"] in available:
            given = (extension["name"], extension["schema"])
            execute(superuser, "CREATE EXTENSION IF NOT EXISTS {} SCHEMA {}", *given)
    superuser.exec_driver_sql("SET check_function_bodies = off")
    for function in around["functions"]:
        superuser.exec_driver_sql(function["definition"].replace("%", "%%"))
    execute(superuser, "ALTER DATABASE {} OWNER TO {}", database, around["owner"])
