"""The revisions: they equal the models, can be undone, and let nobody in by accident.

No test here reads a revision's text; each looks at a database that they were run on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg2
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from contract import CONTRACT, insert_rows
from psycopg2 import sql
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.schema import CreateSchema

from dhafnck_db import bookkeeping
from dhafnck_db.errors import TargetError
from dhafnck_db.models import Base

if TYPE_CHECKING:
    from conftest import Server

Move = Callable[[str], None]

SCHEMAS = ("public", bookkeeping.PROJECT_SCHEMA, bookkeeping.ARCHIVE_SCHEMA)
# Everything that a revision can make, one line each.
CATALOG = text("""
    WITH own AS (
        SELECT oid AS space, nspname, nspacl FROM pg_namespace WHERE nspname = ANY (:schemas)
    ), relation AS (
        SELECT *, c.oid AS id, nspname || '.' || relname AS name
        FROM pg_class c JOIN own ON space = relnamespace
    )
    SELECT concat_ws(' ', 'access', nspname, nspacl) FROM own
    UNION ALL
    SELECT concat_ws(' ', 'access', name, relrowsecurity, relacl) FROM relation
    UNION ALL
    SELECT concat_ws(' ', 'relation', name, relkind, obj_description(id, 'pg_class'),
                     pg_get_indexdef(indexrelid))
    FROM relation LEFT JOIN pg_index ON indexrelid = id
    UNION ALL
    SELECT concat_ws(' ', 'column', name, attnum, attname, format_type(atttypid, atttypmod),
                     attnotnull, attidentity, pg_get_expr(adbin, adrelid),
                     col_description(id, attnum))
    FROM relation JOIN pg_attribute ON attrelid = id
    LEFT JOIN pg_attrdef ON adrelid = id AND adnum = attnum
    WHERE attnum > 0
    UNION ALL
    SELECT concat_ws(' ', 'constraint', name, conname, pg_get_constraintdef(pg_constraint.oid))
    FROM relation JOIN pg_constraint ON conrelid = id
    UNION ALL
    SELECT concat_ws(' ', 'type', nspname, typname, typacl,
                     ARRAY(SELECT enumlabel FROM pg_enum WHERE enumtypid = t.oid
                           ORDER BY enumsortorder))
    FROM pg_type t JOIN own ON space = typnamespace
    UNION ALL
    SELECT concat_ws(' ', 'access', name, attname, attacl)
    FROM relation JOIN pg_attribute ON attrelid = id WHERE attacl IS NOT NULL
    UNION ALL
    SELECT concat_ws(' ', 'access', name, polname, polcmd, polroles::regrole[],
                     pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))
    FROM relation JOIN pg_policy ON polrelid = id
    UNION ALL
    SELECT concat_ws(' ', 'access', nspname, pg_get_functiondef(p.oid), proacl)
    FROM pg_proc p JOIN own ON space = pronamespace
    UNION ALL
    SELECT concat_ws(' ', 'access', name, tgname, tgenabled, pg_get_triggerdef(pg_trigger.oid))
    FROM relation JOIN pg_trigger ON tgrelid = id WHERE NOT tgisinternal
""")


def catalog(url: URL) -> set[str]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = connection.execute(CATALOG, {"schemas": list(SCHEMAS)})
        lines = {str(line) for (line,) in found}
    engine.dispose()
    return lines


def without(lines: set[str], words: str) -> set[str]:
    return {line for line in lines if words not in line}


@contextmanager
def acting_as(role: str, server: Server, migrated: Engine) -> Iterator[Any]:
    """A cursor of that role; a statement that fails leaves it usable."""
    connection = server.connect(str(migrated.url.database))
    with connection.cursor() as cursor:
        cursor.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(role)))
        yield cursor
    connection.close()


def relations(migrated: Engine, kind: str) -> list[tuple[sql.Identifier, sql.Identifier]]:
    """The names of all tables or sequences, and of the first column of each."""
    names = text("""
        SELECT nspname, relname, attname FROM pg_class
        JOIN pg_namespace n ON n.oid = relnamespace
        JOIN pg_attribute ON attrelid = pg_class.oid AND attnum = 1
        WHERE nspname = ANY (:schemas) AND relkind = :kind
    """)
    with migrated.connect() as connection:
        found = connection.execute(names, {"schemas": list(SCHEMAS), "kind": kind}).all()
    assert found
    return [(sql.Identifier(schema, name), sql.Identifier(first)) for schema, name, first in found]


def test_models_and_migrated_database_do_not_differ(migrated: Engine) -> None:
    def include(name: str | None, kind: str, _: Any) -> bool:
        return kind != "schema" or name is None or name in SCHEMAS

    options = {"include_schemas": True, "include_name": include, "compare_server_default": True}
    metadata: Any = [Base.metadata, bookkeeping.metadata]
    with migrated.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={**options, "target_metadata": metadata}
        )
        assert compare_metadata(context, metadata) == []


def test_the_revisions_make_exactly_what_the_models_say(
    database: URL, migrated: Engine, move: Move
) -> None:
    made = without(catalog(database), "access ")
    move("base")
    with migrated.begin() as connection:
        for schema in (bookkeeping.PROJECT_SCHEMA, bookkeeping.ARCHIVE_SCHEMA):
            connection.execute(CreateSchema(schema))
        for metadata in (Base.metadata, bookkeeping.metadata):
            metadata.create_all(connection)
    assert made == without(catalog(database), "access ")


def test_downgrade_leaves_nothing_and_a_second_upgrade_makes_the_same(
    database: URL, move: Move
) -> None:
    before = catalog(database)
    move("head")
    upgraded = catalog(database)
    move("base")
    assert without(catalog(database), "alembic_version") == before
    move("head")
    assert catalog(database) == upgraded


def test_downgrade_stops_before_an_archive_of_legacy_rows(
    database: URL, migrated: Engine, move: Move
) -> None:
    with migrated.begin() as connection:
        connection.execute(text("CREATE TABLE legacy.old_rows ()"))
    upgraded = catalog(database)
    with pytest.raises(TargetError, match="migration-failed"):
        move("base")
    assert catalog(database) == upgraded


def test_every_table_has_row_level_security(migrated: Engine) -> None:
    unprotected = text("""
        SELECT oid::regclass::text FROM pg_class WHERE relkind IN ('r', 'p') AND NOT relrowsecurity
        AND relnamespace::regnamespace::text = ANY (:schemas)
    """)
    with migrated.connect() as connection:
        assert connection.execute(unprotected, {"schemas": list(SCHEMAS)}).all() == []


@pytest.mark.parametrize("role", ["anon", "authenticated"])
def test_api_roles_empty_no_table_and_read_no_sequence(
    server: Server, migrated: Engine, role: str
) -> None:
    attempts = [sql.SQL("TRUNCATE {}").format(table) for table, _ in relations(migrated, "r")]
    attempts += [sql.SQL("SELECT {1} FROM {0}").format(*n) for n in relations(migrated, "S")]
    with acting_as(role, server, migrated) as cursor:
        for attempt in attempts:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(attempt)


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_api_roles_do_nothing_with_the_projects_own_tables(
    server: Server, migrated: Engine, role: str
) -> None:
    own = [sql.Identifier("public", name) for name in Base.metadata.tables]
    attempts = [
        sql.SQL(statement).format(table, first)
        for table, first in relations(migrated, "r")
        if table not in own
        for statement in (
            "SELECT FROM {}",
            "INSERT INTO {} DEFAULT VALUES",
            "UPDATE {} SET {} = DEFAULT",
            "DELETE FROM {}",
        )
    ]
    assert len(attempts) >= 4 * (1 + len(bookkeeping.metadata.tables))
    with acting_as(role, server, migrated) as cursor:
        for attempt in attempts:
            with pytest.raises(psycopg2.errors.InsufficientPrivilege):
                cursor.execute(attempt)


def test_service_role_reads_and_writes_the_applications_tables(
    server: Server, migrated: Engine
) -> None:
    engine = create_engine(server.url(str(migrated.url.database), "postgres"))
    with engine.begin() as connection:
        connection.execute(text("SET LOCAL ROLE service_role"))
        assert len(insert_rows(connection, complete=True)) == 2 * len(CONTRACT)
        for table in reversed(Base.metadata.sorted_tables):
            assert connection.execute(table.select()).all() != []
            column = next(iter(table.columns))
            connection.execute(table.update().values({column: column}))
            assert connection.execute(table.delete()).rowcount in (0, 2)  # 0: gone by cascade
    engine.dispose()


def test_privileges_do_not_depend_on_default_privileges(
    database: URL, migrated: Engine, move: Move
) -> None:
    made = catalog(database)
    move("base")
    with migrated.begin() as connection:
        connection.execute(text("DROP TABLE alembic_version"))
        for kind in (
            "TABLES",
            "SEQUENCES",
            "FUNCTIONS",
            "SCHEMAS",
        ):  # as older Supabase projects grant them
            connection.execute(
                text(
                    f"ALTER DEFAULT PRIVILEGES GRANT ALL ON {kind} "
                    "TO PUBLIC, anon, authenticated, service_role"
                )
            )
    move("head")
    assert catalog(database) == made


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"environment": "test"}, "pk_identity"),
        ({"environment": "test", "singleton": False}, "ck_identity_singleton"),
        ({"environment": "staging"}, "ck_identity_environment"),
    ],
)
def test_identity_is_one_row_of_a_known_environment(
    migrated: Engine, values: dict[str, Any], constraint: str
) -> None:
    row = bookkeeping.identity.insert().values(reference="another", **values)
    with migrated.begin() as connection, pytest.raises(IntegrityError, match=constraint):
        connection.execute(row)
