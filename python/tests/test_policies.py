"""Row level security as an API meets it: each user reaches their own rows, nobody else any.

Every table of the models is tried, so a table without a policy fails here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from conftest import copy_of
from fix_schema import execute
from fix_users import ALICE, BOB, TABLES, Rows, insert_users, owner_column, speaking_as
from psycopg2 import sql
from psycopg2.errors import InsufficientPrivilege
from psycopg2.extras import Json
from sqlalchemy import NullPool, Table, create_engine

from dhafnck_db.models.base import SECRET

if TYPE_CHECKING:
    from conftest import Server
    from sqlalchemy import URL

Cursor = psycopg2.extensions.cursor

# What a user may do where that is not everything: see 0002.
LIMITED = {
    "users": {"SELECT"},
    "user_sessions": {"SELECT", "DELETE"},
    "api_tokens": {"SELECT", "DELETE"},
}
EVERYTHING = {"SELECT", "INSERT", "UPDATE", "DELETE"}
WRITABLE = sorted(set(TABLES) - set(LIMITED))
CHILDREN = [
    (name, column.name)
    for name in WRITABLE
    for column in TABLES[name].columns
    if column.foreign_keys
]
NOTHING = sql.SQL("")
# Nobody but their owner has anything to do with them.
CLOSED = ("alembic_version", "dhafnck.identity", "legacy.imports", "legacy.id_map")


@pytest.fixture(scope="module")
def filled(server: Server, head_template: str) -> Iterator[URL]:
    """A database at head with the rows of two users; what a test changes is rolled back."""
    with copy_of(head_template, server) as url:
        yield url


@pytest.fixture(scope="module")
def users(filled: URL) -> dict[str, Rows]:
    engine = create_engine(filled, poolclass=NullPool)
    with engine.begin() as connection:
        return insert_users(connection)


@pytest.fixture
def alice(server: Server, filled: URL, users: dict[str, Rows]) -> Iterator[Cursor]:
    """Alice's session, in a transaction that is rolled back."""
    with speaking_as(server, str(filled.database), "authenticated", ALICE) as cursor:
        cursor.execute("BEGIN")
        yield cursor


def named(table: Table) -> sql.Identifier:
    return sql.Identifier("public", table.name)


def add(cursor: Cursor, table: Table, row: dict[str, Any], more: sql.Composable = NOTHING) -> None:
    """Insert a row; `more` ends the statement."""
    statement = sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
        named(table),
        sql.SQL(", ").join(map(sql.Identifier, row)),
        sql.SQL(", ").join(sql.Placeholder() * len(row)),
    )
    values = [Json(value) if isinstance(value, dict) else str(value) for value in row.values()]
    cursor.execute(statement + more, values)


def where(table: Table, row: dict[str, Any]) -> tuple[sql.Composable, list[str]]:
    """A condition that finds one row by its key."""
    keys = [column.name for column in table.primary_key]
    parts = [sql.SQL("{}::text = %s").format(sql.Identifier(key)) for key in keys]
    return sql.SQL(" AND ").join(parts), [str(row[key]) for key in keys]


def attempt(cursor: Cursor, table: Table, verb: str, row: dict[str, Any]) -> int:
    """Do something with one row; return how many it met."""
    condition, keys = where(table, row)
    owner = sql.Identifier(owner_column(table).name)
    statements = {
        "SELECT": sql.SQL("SELECT {owner} FROM {table} WHERE {condition}"),
        "UPDATE": sql.SQL("UPDATE {table} SET {owner} = {owner} WHERE {condition}"),
        "DELETE": sql.SQL("DELETE FROM {table} WHERE {condition}"),
    }
    statement = statements[verb].format(owner=owner, table=named(table), condition=condition)
    cursor.execute(statement, keys)
    return cursor.rowcount


def visible(cursor: Cursor, table: Table) -> set[str]:
    """The owners of the rows that are seen."""
    owner = sql.Identifier(owner_column(table).name)
    cursor.execute(sql.SQL("SELECT {}::text FROM {}").format(owner, named(table)))
    return {found for (found,) in cursor.fetchall()}


def allowed(table: str) -> set[str]:
    return LIMITED.get(table, EVERYTHING)


@pytest.mark.parametrize("table", TABLES.values(), ids=str)
def test_user_sees_their_own_rows_and_no_others(alice: Cursor, table: Table) -> None:
    assert visible(alice, table) == {ALICE}


@pytest.mark.parametrize("verb", ["SELECT", "UPDATE", "DELETE"])
@pytest.mark.parametrize("table", TABLES.values(), ids=str)
def test_rows_of_another_user_are_not_met(
    alice: Cursor, users: dict[str, Rows], table: Table, verb: str
) -> None:
    row = users[BOB].of[table.name][0]
    if verb in allowed(table.name):
        assert attempt(alice, table, verb, row) == 0
    else:
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            attempt(alice, table, verb, row)


@pytest.mark.parametrize("name", WRITABLE)
def test_own_rows_are_made_changed_and_deleted(
    alice: Cursor, users: dict[str, Rows], name: str
) -> None:
    table = TABLES[name]
    row = users[ALICE].another(table)
    keys = [column.name for column in table.primary_key]
    made = sql.SQL(" RETURNING {}").format(sql.SQL(", ").join(map(sql.Identifier, keys)))
    add(alice, table, row, made)
    mine = dict(zip(keys, next(alice), strict=True))
    for verb in ("UPDATE", "DELETE"):
        assert attempt(alice, table, verb, mine) == 1


@pytest.mark.parametrize("name", TABLES)
def test_rows_are_not_made_for_another_user(
    alice: Cursor, users: dict[str, Rows], name: str
) -> None:
    # Hanging on rows of one's own: it is the owner that is refused.
    row = users[ALICE].another(TABLES[name], BOB)
    with pytest.raises(InsufficientPrivilege, match=r"security policy|permission denied"):
        add(alice, TABLES[name], row)


@pytest.mark.parametrize("name", WRITABLE)
def test_own_rows_are_not_given_away(alice: Cursor, users: dict[str, Rows], name: str) -> None:
    condition, keys = where(TABLES[name], users[ALICE].of[name][0])
    statement = sql.SQL("UPDATE {} SET user_id = %s WHERE {}").format(
        named(TABLES[name]), condition
    )
    with pytest.raises(InsufficientPrivilege, match="security policy"):
        alice.execute(statement, [BOB, *keys])


@pytest.mark.parametrize(("name", "column"), CHILDREN)
@pytest.mark.parametrize("way", ["made", "moved"])
def test_rows_are_not_hung_on_another_users(
    alice: Cursor, users: dict[str, Rows], name: str, column: str, way: str
) -> None:
    table = TABLES[name]
    (key,) = table.columns[column].foreign_keys
    theirs = users[BOB].of[key.column.table.name][0]["id"]
    with pytest.raises(InsufficientPrivilege, match="security policy"):
        if way == "made":
            add(alice, table, users[ALICE].another(table, **{column: theirs}))
        else:
            condition, keys = where(table, users[ALICE].of[name][0])
            statement = sql.SQL("UPDATE {} SET {} = %s WHERE {}").format(
                named(table), sql.Identifier(column), condition
            )
            alice.execute(statement, [str(theirs), *keys])


@pytest.mark.parametrize("name", LIMITED)
def test_what_lets_somebody_in_is_not_read_even_by_its_user(
    server: Server, filled: URL, users: dict[str, Rows], name: str
) -> None:
    secrets = [column.name for column in TABLES[name].columns if column.info == SECRET]
    assert secrets
    with speaking_as(server, str(filled.database), "authenticated", ALICE) as cursor:
        for column in secrets:
            with pytest.raises(InsufficientPrivilege, match="permission denied"):
                cursor.execute(
                    sql.SQL("SELECT {} FROM {}").format(
                        sql.Identifier(column), sql.Identifier(name)
                    )
                )


def test_no_other_table_holds_a_secret() -> None:
    holding = {name for name, table in TABLES.items() for c in table.columns if c.info == SECRET}
    assert holding == set(LIMITED)


@pytest.mark.parametrize("user", [None, "", "system", "carla"])
def test_subject_that_owns_nothing_sees_nothing(
    server: Server, filled: URL, users: dict[str, Rows], user: str | None
) -> None:
    with speaking_as(server, str(filled.database), "authenticated", user) as cursor:
        for name in WRITABLE:
            assert visible(cursor, TABLES[name]) == set()


def test_owner_that_is_no_uuid_is_one_too(server: Server, at_head: URL) -> None:
    execute(
        at_head,
        "INSERT INTO projects (id, name, user_id) VALUES (gen_random_uuid(), 'p', 'carla')",
        "INSERT INTO templates (id, name, type, content, created_by)"
        " VALUES (gen_random_uuid(), 'nobody''s', 't', '{}', 'carla')",
    )
    with speaking_as(server, str(at_head.database), "authenticated", "carla") as cursor:
        assert visible(cursor, TABLES["projects"]) == {"carla"}
        assert visible(cursor, TABLES["templates"]) == set()


@pytest.mark.parametrize("table", TABLES.values(), ids=str)
def test_anon_does_nothing_whatever_it_claims(
    server: Server, filled: URL, users: dict[str, Rows], table: Table
) -> None:
    with speaking_as(server, str(filled.database), "anon", ALICE) as cursor:
        for verb in ("SELECT", "UPDATE", "DELETE"):
            with pytest.raises(InsufficientPrivilege, match="permission denied"):
                attempt(cursor, table, verb, users[ALICE].of[table.name][0])
        with pytest.raises(InsufficientPrivilege, match="permission denied"):
            add(cursor, table, users[ALICE].another(table))


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_what_is_not_the_applications_stays_closed(server: Server, filled: URL, role: str) -> None:
    with speaking_as(server, str(filled.database), role, ALICE) as cursor:
        for name in CLOSED:
            with pytest.raises(InsufficientPrivilege, match="permission denied"):
                cursor.execute(sql.SQL("SELECT FROM {}").format(sql.Identifier(*name.split("."))))


def test_service_role_meets_the_rows_of_everybody(
    server: Server, filled: URL, users: dict[str, Rows]
) -> None:
    with speaking_as(server, str(filled.database), "service_role") as cursor:
        for table in TABLES.values():
            assert visible(cursor, table) == {ALICE, BOB}


def indexed(url: URL) -> set[tuple[str, str]]:
    """The tables with the first column of each index."""
    found: Sequence[Any] = execute(
        url,
        "SELECT indrelid::regclass::text, attname FROM pg_index"
        " JOIN pg_attribute ON attrelid = indrelid AND attnum = indkey[0]",
    )
    return {tuple(row) for row in found}


def test_what_a_policy_filters_by_is_indexed(filled: URL) -> None:
    found = indexed(filled)
    assert {(name, owner_column(t).name) for name, t in TABLES.items()} <= found


def test_policies_find_the_subject_once_for_a_statement(filled: URL) -> None:
    found = execute(
        filled, "SELECT coalesce(qual, '') || coalesce(with_check, '') FROM pg_policies"
    )
    assert found
    for (text,) in found:
        # PostgreSQL writes a sub-select as SELECT …; a bare call would run once for each row.
        assert text.count("auth.") == text.count("( SELECT auth.") + text.count("( SELECT (auth.")
