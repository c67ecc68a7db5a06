"""The migrated schema against the contract: names, types, keys, defaults, and the server's own SQL.

The contract never comes from the models: data/contract.json was written from the server's tables.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
from contract import CONTRACT, PROGRESS_STATES, insert_rows, tables
from sqlalchemy import CheckConstraint, Connection, Engine, Row, TextClause, func, select, text
from sqlalchemy.orm import Session
from sqlalchemy.schema import AddConstraint

from dhafnck_db.models import Base, ProgressState, Project, ProjectGitBranch, Task

DATABASE_TYPES = {
    "BOOLEAN": "boolean",
    "FLOAT": "double precision",
    "INTEGER": "integer",
    "JSON": "jsonb",
    "TEXT": "text",
    "TIMESTAMP WITHOUT TIME ZONE": "timestamp with time zone",
    "UUID": "uuid",
}
COLUMNS = text("""
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) AS type,
           NOT a.attnotnull AS "null", pg_get_expr(d.adbin, d.adrelid) AS "default"
    FROM pg_attribute a
    JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
      AND c.relname <> 'alembic_version' AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY c.relname, a.attnum
""")
CONSTRAINTS = text("""
    SELECT conrelid::regclass::text AS "table", conname AS name, contype AS kind,
           pg_get_constraintdef(oid) AS definition
    FROM pg_constraint
    WHERE conrelid IN (SELECT oid FROM pg_class WHERE relnamespace = 'public'::regnamespace)
      AND conrelid <> 'alembic_version'::regclass
""")
INDEXES = text("""
    SELECT i.indrelid::regclass::text AS "table", c.relname AS name, i.indisunique AS "unique",
           ARRAY(SELECT pg_get_indexdef(c.oid, n, true) FROM generate_series(1, i.indnatts) n)
               AS columns
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    WHERE c.relnamespace = 'public'::regnamespace
      AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = c.oid AND contype IN ('p', 'u'))
""")


@pytest.fixture
def connection(migrated: Engine) -> Iterator[Connection]:
    with migrated.connect() as connection:
        yield connection


def rows(connection: Connection, query: TextClause, **equal: Any) -> list[Row[Any]]:
    found = connection.execute(query).all()
    return [row for row in found if all(row._mapping[k] == v for k, v in equal.items())]


def database_type(kind: str) -> str:
    return DATABASE_TYPES.get(kind) or kind.replace("VARCHAR", "character varying")


def database_default(kind: str, default: str | None) -> str | None:
    """The contract's default as PostgreSQL prints it."""
    if default is None or not default.startswith("'"):
        words = {"dict": "'{}'::jsonb", "list": "'[]'::jsonb", "utcnow": "now()"}
        words |= {"<lambda>": "gen_random_uuid()", "True": "true", "False": "false"}
        return words.get(default or "", default)
    return f"{default}::{database_type(kind).split('(')[0]}"


def without_zone(value: Any) -> Any:
    """The server writes times without a zone and means UTC."""
    return value.replace(tzinfo=None) if isinstance(value, datetime) else value


def test_columns_have_the_contracts_names_order_types_nullability_and_defaults(
    connection: Connection,
) -> None:
    found: dict[str, list[tuple[Any, ...]]] = {}
    for row in rows(connection, COLUMNS):
        found.setdefault(row.relname, []).append(tuple(row[1:]))
    assert found == {
        table: [
            (
                name,
                database_type(facts["type"]),
                facts["null"],
                database_default(facts["type"], facts.get("default")),
            )
            for name, facts in CONTRACT[table]["columns"].items()
        ]
        for table in CONTRACT
    }


def test_keys_refer_and_cascade_as_the_contract_says(connection: Connection) -> None:
    expected = set()
    for table, facts in CONTRACT.items():
        keys = [name for name, column in facts["columns"].items() if "pk" in column]
        expected.add((table, f"PRIMARY KEY ({', '.join(keys)})"))
        for name, column in facts["columns"].items():
            if "fk" in column:
                target, _, rule = column["fk"].partition(".id")
                definition = f"FOREIGN KEY ({name}) REFERENCES {target}(id){rule.upper()}"
                expected.add((table, definition))
    keys_found = rows(connection, CONSTRAINTS, kind="p") + rows(connection, CONSTRAINTS, kind="f")
    assert {(row.table, row.definition) for row in keys_found} == expected


def test_unique_constraints_are_the_contracts_under_its_names(connection: Connection) -> None:
    expected = {
        (table, name, f"UNIQUE ({', '.join(columns)})")
        for table, facts in CONTRACT.items()
        for name, columns in facts["uniques"].items()
    } | {
        (table, f"uq_{table}_{name}", f"UNIQUE ({name})")
        for table, facts in CONTRACT.items()
        for name, column in facts["columns"].items()
        if "unique" in column
    }
    found = rows(connection, CONSTRAINTS, kind="u")
    assert {(row.table, row.name, row.definition) for row in found} == expected


def test_checks_are_the_contracts_under_its_names(connection: Connection) -> None:
    # PostgreSQL rewrites a check when it stores it, so it is given the contract's to rewrite too.
    for table in tables():
        for name, check in CONTRACT[table.name]["checks"].items():
            probe = CheckConstraint(check, name=f"probe:{name}", table=table)
            connection.execute(AddConstraint(probe))
    checks = rows(connection, CONSTRAINTS, kind="c")
    expected = {(row.table, row.name, row.definition) for row in checks if "probe:" in row.name}
    assert expected
    assert {
        (row.table, f"probe:{row.name}", row.definition)
        for row in checks
        if "probe:" not in row.name
    } == expected


def test_indexes_are_the_contracts_under_its_names_and_those_of_policies(
    connection: Connection,
) -> None:
    # Row level security filters by the owner; the contract knows none.
    owned = {
        (table, f"ix_{table}_user_id", ("user_id",), False)
        for table, facts in CONTRACT.items()
        if "user_id" in facts["columns"]
    }
    assert {
        (row.table, row.name, tuple(row.columns), row.unique) for row in rows(connection, INDEXES)
    } == {
        (table, name, tuple(columns), False)
        for table, facts in CONTRACT.items()
        for name, columns in facts["indexes"].items()
    } | owned


def test_progress_states_are_an_enum_with_the_contracts_labels(connection: Connection) -> None:
    labels = text("SELECT unnest(enum_range(NULL::progressstate))::text")
    assert connection.scalars(labels).all() == PROGRESS_STATES


def test_a_row_with_the_required_columns_only_gets_the_contracts_defaults(
    connection: Connection,
) -> None:
    now = connection.scalar(select(func.now()))
    values: dict[str | None, Any] = {None: None}
    values |= {"dict": {}, "list": [], "now()": now, "utcnow": now, "True": True, "False": False}
    for table, given, held in insert_rows(connection, complete=False):
        for name, facts in CONTRACT[table]["columns"].items():
            default = facts.get("default")
            if name in given:
                assert without_zone(held[name]) == given[name], (table, name)
            elif default == "<lambda>":
                assert isinstance(held[name], UUID), (table, name)
            elif default is None and "pk" in facts:
                assert held[name] in (1, 2), (table, name)  # the identity of task_dependencies
            elif default in values:
                assert held[name] == values[default], (table, name)
            elif default.startswith("'"):
                assert held[name] == default.strip("'"), (table, name)
            else:
                assert held[name] == float(default), (table, name)


def test_the_server_reads_back_every_value_that_it_wrote(connection: Connection) -> None:
    for table, given, held in insert_rows(connection, complete=True):
        assert {name: without_zone(value) for name, value in held.items()} == given, table


def test_every_table_of_the_contract_has_a_model() -> None:
    assert set(Base.metadata.tables) == set(CONTRACT)
    assert {mapper.local_table for mapper in Base.registry.mappers} == set(
        Base.metadata.tables.values()
    )


def test_models_fetch_the_defaults_of_the_database(migrated: Engine) -> None:
    project = Project(id=uuid4(), name="p", user_id="u", metadata_={"a": 1})
    branch = ProjectGitBranch(id=uuid4(), project_id=project.id, name="b", user_id="u")
    task = Task(id=uuid4(), git_branch_id=branch.id, title="t", description="d", user_id="u")
    with Session(migrated) as session:
        for row in (project, branch, task):
            session.add(row)
            session.flush()
        session.commit()
        assert (project.metadata_, branch.metadata_) == ({"a": 1}, {})
        assert task.progress_state is ProgressState.INITIAL
        assert (task.status, task.estimated_effort, task.due_date) == ("todo", "2 hours", None)
        assert task.created_at.utcoffset() is not None


def test_models_never_store_the_json_value_null_for_none(migrated: Engine) -> None:
    with Session(migrated) as session:
        project = Project(id=uuid4(), name="p", user_id="u", metadata_=None)
        session.add(project)
        session.commit()
        assert project.metadata_ == {}
