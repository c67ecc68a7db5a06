"""Everyday rows are taken in batches; one that is not is looked at, with its neighbours."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from dhafnck_db.legacy.assessment import Assessment, assess_snapshot
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.mapping import load_mapping
from dhafnck_db.legacy.snapshot import open_snapshot
from dhafnck_db.models import Base

MakeFile = Callable[..., Path]
PROJECT, BRANCH = UUID(int=1), UUID(int=2)
TABLES = """
    CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT, user_id TEXT, model_metadata JSON);
    CREATE TABLE project_git_branchs (id TEXT PRIMARY KEY, project_id TEXT, name TEXT);
    CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT, description TEXT, git_branch_id TEXT,
        details TEXT, created_at DATETIME);
    CREATE TABLE task_assignees (id INTEGER PRIMARY KEY, task_id TEXT, assignee_id TEXT,
        UNIQUE (task_id, assignee_id));
    CREATE TABLE notes (n INTEGER PRIMARY KEY, body TEXT, weight REAL, raw BLOB);
"""
ROWS = 5_000


@pytest.fixture
def everyday(make_file: MakeFile) -> Path:
    """A file of which every row is spelled as PostgreSQL spells it."""
    tasks = [
        (str(UUID(int=n)), f"T {n}", "é\n", str(BRANCH), "", "2025-01-31 10:00:00.500000")
        for n in range(100, 100 + ROWS)
    ]
    return make_file(
        TABLES,
        ("INSERT INTO projects VALUES (?, 'P', 'me', '{\"a\": [1, 2.5]}')", [(str(PROJECT),)]),
        ("INSERT INTO project_git_branchs VALUES (?, ?, 'B')", [(str(BRANCH), str(PROJECT))]),
        ("INSERT INTO tasks VALUES (?, ?, ?, ?, ?, ?)", tasks),
        ("INSERT INTO task_assignees VALUES (NULL, ?, '@a')", [(row[0],) for row in tasks]),
        ("INSERT INTO notes VALUES (?, 'x', 0.1, x'00')", [(n,) for n in range(ROWS)]),
    )


def assessed(file: Path) -> Assessment:
    with open_snapshot(file) as snapshot:
        keys = Keys(snapshot.connection)
        mapping = load_mapping()
        return assess_snapshot(snapshot, keys, models=Base.metadata, mapping=mapping, owner=None)


def looked_at(file: Path) -> dict[str, int]:
    """How many rows of each table are not taken as they are."""
    return {
        laid.plan.name: sum(batch.rows for batch in laid.batches if not batch.plain)
        if laid.batches
        else laid.source.rows
        for laid in assessed(file).tables
    }


def test_no_everyday_row_is_looked_at(everyday: Path) -> None:
    assert set(looked_at(everyday).values()) == {0}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE tasks SET id = upper(id) WHERE rowid = 1000",
        "UPDATE tasks SET id = 'word' WHERE rowid = 1000",
        "UPDATE tasks SET title = x'00' WHERE rowid = 1000",
        "UPDATE tasks SET title = CAST(x'ff' AS TEXT) WHERE rowid = 1000",
        "UPDATE tasks SET title = NULL WHERE rowid = 1000",
        "UPDATE tasks SET title = char(31) WHERE rowid = 1000",
        "UPDATE tasks SET created_at = 0 WHERE rowid = 1000",
        "UPDATE tasks SET created_at = '2025-02-30 00:00:00' WHERE rowid = 1000",
        "UPDATE tasks SET git_branch_id = '00000000-0000-0000-0000-000000000009'"
        " WHERE rowid = 1000",
        "UPDATE tasks SET git_branch_id = upper(git_branch_id) || ' ' WHERE rowid = 1000",
    ],
)
def test_one_odd_value_costs_a_look_at_its_neighbours_only(everyday: Path, change: str) -> None:
    with sqlite3.connect(everyday) as connection:
        connection.execute(change)
    connection.close()
    assert 0 < looked_at(everyday)["tasks"] <= 1000


def test_a_row_that_only_a_rejected_one_has_led_to_is_rejected(everyday: Path) -> None:
    with sqlite3.connect(everyday) as connection:
        connection.execute("UPDATE tasks SET title = NULL WHERE rowid = 1000")
    connection.close()
    rejects = assessed(everyday).plan.rejects
    assert [(reject.table, reject.code) for reject in rejects] == [
        ("tasks", "null-in-required"),
        ("task_assignees", "parent-rejected"),
    ]


def test_an_id_that_becomes_that_of_a_row_nobody_looks_at_collides(everyday: Path) -> None:
    twin = str(UUID(int=100))
    with sqlite3.connect(everyday) as connection:
        connection.execute("UPDATE tasks SET id = ? WHERE rowid = 4000", (f"{{{twin}}}",))
    connection.close()
    rejects = [reject for reject in assessed(everyday).plan.rejects if reject.table == "tasks"]
    assert [(reject.column, reject.code) for reject in rejects] == [("id", "id-collision")]


def test_rows_looked_at_and_rows_taken_are_all_verified(
    everyday: Path, import_: Callable[..., Any], fetch: Callable[[str], list[Any]]
) -> None:
    with sqlite3.connect(everyday) as connection:
        connection.execute("UPDATE tasks SET id = 'word' WHERE rowid = 1000")
        connection.execute("UPDATE task_assignees SET task_id = 'word' WHERE rowid = 1000")
    connection.close()
    result = import_(everyday)
    assert result.verified
    assert fetch("SELECT count(*), count(DISTINCT user_id), min(user_id) FROM tasks") == [
        (ROWS, 1, "me")
    ]
    owners = "SELECT count(*) FROM task_assignees a JOIN tasks t ON t.id = a.task_id"
    assert fetch(owners) == [ROWS]


def test_a_rule_is_asked_byte_for_byte_whatever_the_collation_of_the_file(
    make_file: MakeFile,
) -> None:
    delegation = (str(UUID(int=3)), "TASK", str(PROJECT), "global", str(PROJECT), "{}")
    file = make_file(
        "CREATE TABLE context_delegations (id TEXT PRIMARY KEY, source_level TEXT COLLATE NOCASE,"
        " source_id TEXT, target_level TEXT, target_id TEXT, delegated_data JSON,"
        " delegation_reason TEXT, trigger_type TEXT, user_id TEXT)",
        (
            "INSERT INTO context_delegations VALUES (?, ?, ?, ?, ?, ?, '', 'manual', 'me')",
            [delegation],
        ),
    )
    assert [reject.code for reject in assessed(file).plan.rejects] == ["check"]


def test_a_key_that_is_kept_in_the_archive_too_is_still_required(make_file: MakeFile) -> None:
    file = make_file(
        "CREATE TABLE labels (id TEXT PRIMARY KEY, name TEXT UNIQUE, user_id TEXT, extra TEXT);"
        "INSERT INTO labels VALUES (NULL, 'n', 'me', 'e');"
    )
    rejects = assessed(file).plan.rejects
    assert [(reject.column, reject.code) for reject in rejects] == [("id", "null-in-required")]


def test_a_file_without_a_required_column_is_rejected_row_by_row(make_file: MakeFile) -> None:
    file = make_file(
        "CREATE TABLE projects (id TEXT PRIMARY KEY, user_id TEXT)",
        ("INSERT INTO projects VALUES (?, 'me')", [(str(PROJECT),)]),
    )
    assert [reject.code for reject in assessed(file).plan.rejects] == ["column-absent"]
