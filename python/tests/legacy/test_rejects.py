"""A value that cannot be carried exactly stops the run, or goes whole to legacy.rejects."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError

Import = Callable[..., legacy.ImportResult]
Fetch = Callable[[str], list[Any]]
MakeFile = Callable[..., Path]

PROJECT = "e9fb3fc9-fec0-4209-a232-909c4cc043a4"
SCHEMA = """
CREATE TABLE projects (id TEXT, name TEXT, user_id TEXT,
    metadata DEFAULT '{}', created_at DEFAULT '2025-07-16 07:44:51');
CREATE TABLE project_git_branchs (id TEXT PRIMARY KEY, project_id TEXT, name TEXT,
    task_count DEFAULT 0, extra);
CREATE TABLE tasks (id TEXT, title TEXT, description TEXT, git_branch_id TEXT);
CREATE TABLE labels (id INTEGER PRIMARY KEY, label TEXT);
CREATE TABLE task_dependencies (id INTEGER PRIMARY KEY, task_id TEXT, depends_on_task_id TEXT);
CREATE TABLE users (id TEXT, email TEXT, username TEXT, password_hash TEXT);
CREATE TABLE templates (id TEXT, name TEXT, type TEXT, content JSON);
CREATE TABLE notes (n);
INSERT INTO projects (id, name, user_id) VALUES ('p1', 'P', 'anna');
INSERT INTO project_git_branchs (id, project_id, name) VALUES ('b1', 'p1', 'main');
INSERT INTO tasks VALUES ('t1', 'T', '', 'b1'), ('t2', 'T', '', 'b1');
INSERT INTO notes VALUES (1);
"""

# What is added, and the rejects it makes: table, key, column, code.
REFUSED = [
    ("INSERT INTO projects (id, name, user_id, metadata)"
     " VALUES ('p2', 'x', 'u', '{\"a\":1,\"a\":2}')",
     [("projects", "p2", "metadata", "json-duplicate-key")]),
    ("INSERT INTO projects (id, name, user_id, created_at) VALUES ('p2', 'x', 'u', 'now')",
     [("projects", "p2", "created_at", "time-shape")]),
    ("INSERT INTO projects (id, name) VALUES ('p2', 'x')",
     [("projects", "rowid 2", "user_id", "null-in-required")]),
    ("INSERT INTO projects (id, name, user_id) VALUES ('p1', 'again', 'u')",
     [("projects", "rowid 2", "id", "duplicate-key")]),
    ("INSERT INTO projects (id, name, user_id) VALUES (' p1', 'other', 'u')",
     [("projects", "rowid 2", "id", "id-collision")]),
    ("INSERT INTO tasks VALUES ('t3', 'T', '', 'nowhere')",
     [("tasks", "rowid 3", "git_branch_id", "dangling-reference")]),
    ("INSERT INTO project_git_branchs (id, project_id, name, task_count)"
     " VALUES ('b2', 'p1', 'x', 1.5); INSERT INTO tasks VALUES ('t3', 'T', '', 'b2');"
     "INSERT INTO task_dependencies VALUES (1, 't1', 't3')",
     [("project_git_branchs", "b2", "task_count", "type-mismatch"),
      ("tasks", "rowid 3", "git_branch_id", "parent-rejected"),
      ("task_dependencies", "1", "depends_on_task_id", "parent-rejected")]),
    ("INSERT INTO task_dependencies VALUES (1, 't1', 't1')",
     [("task_dependencies", "1", None, "check")]),
    ("INSERT INTO task_dependencies VALUES (1, 't1', 't2'), (2, 't1', 't2')",
     [("task_dependencies", "2", "task_id", "duplicate-key")]),
    ("INSERT INTO labels VALUES (1, 'bug'), (2, 'bug')",
     [("labels", "2", "label", "duplicate-key")]),
    ("INSERT INTO users VALUES ('u', '', 'name', 'hash')", [("users", "rowid 1", None, "check")]),
    ("INSERT INTO users VALUES ('u', 'e', printf('%.151c', 'x'), 'hash')",
     [("users", "rowid 1", "username", "text-length")]),
    ("INSERT INTO templates VALUES ('x', 'n', 't', '{}')",
     [("templates", "rowid 1", None, "column-absent")]),
    ("INSERT INTO project_git_branchs (id, project_id, name) VALUES (NULL, 'p1', X'ff')",
     [("project_git_branchs", "rowid 2", "id", "null-in-required"),
      ("project_git_branchs", "rowid 2", "name", "type-mismatch")]),
]  # fmt: skip


def found(plan: legacy.Plan) -> list[tuple[str, str, str | None, str]]:
    return [(r.table, r.key, r.column, r.code) for r in plan.rejects]


@pytest.mark.parametrize(("added", "expected"), REFUSED, ids=lambda part: str(part)[:60])
def test_reject_is_predicted_with_table_key_column_and_code(
    make_file: MakeFile, added: str, expected: list[Any]
) -> None:
    file = make_file(SCHEMA, added)
    expected = [(t, k.replace("p2", "rowid 2"), c, code) for t, k, c, code in expected]
    assert sorted(found(legacy.assess(file, owner="o")), key=str) == sorted(expected, key=str)


def test_any_reject_stops_the_run_before_anything_is_written(
    make_file: MakeFile, import_: Import, contents: Callable[[], dict[str, int]]
) -> None:
    file = make_file(SCHEMA, *(added for added, _ in REFUSED[:1]))
    with pytest.raises(legacy.RejectsFoundError) as refusal:
        import_(file)
    assert refusal.value.exit_code == 4
    assert "projects[rowid 2].metadata" in str(refusal.value)
    assert found(refusal.value.plan) == [("projects", "rowid 2", "metadata", "json-duplicate-key")]
    assert contents() == {}


@pytest.mark.parametrize(("added", "expected"), REFUSED, ids=lambda part: str(part)[:60])
def test_the_load_meets_no_surprise_and_the_row_goes_whole_to_quarantine(
    make_file: MakeFile,
    import_: Import,
    verify: Callable[[Path], Any],
    fetch: Fetch,
    added: str,
    expected: list[Any],
) -> None:
    file = make_file(SCHEMA, added)
    result = import_(file, quarantine=True)
    assert result.verified
    assert result.plan.totals["rejected"] == len({(table, key) for table, key, _, _ in expected})
    stored = fetch('SELECT "table", code FROM legacy.rejects ORDER BY id')
    assert {table for table, _ in stored} == {table for table, _, _, _ in expected}
    assert fetch("SELECT count(*) FROM tasks") == [2]
    assert verify(file).comparison.rows == result.plan.totals["rows"]


def test_quarantine_keeps_every_value_as_a_literal(
    make_file: MakeFile, import_: Import, fetch: Fetch
) -> None:
    file = make_file(
        SCHEMA,
        "INSERT INTO project_git_branchs VALUES"
        " (CAST(X'ff00' AS TEXT), 'p1', 'it''s', 9e999, X'00ff'), ('b3', NULL, 'x', 0.1, NULL)",
    )
    import_(file, quarantine=True)
    assert fetch('SELECT row, "column", reason FROM legacy.rejects ORDER BY id') == [
        (
            {
                "id": "CAST(X'ff00' AS TEXT)", "project_id": "'p1'", "name": "'it''s'",
                "task_count": "9e999", "extra": "X'00ff'",
            },
            "id",
            "id: holds a NUL character; task_count: is a real, not an integer",
        ),
        (
            {"id": "'b3'", "project_id": None, "name": "'x'", "task_count": "0.1", "extra": None},
            "project_id",
            "project_id: is NULL, which may not be; task_count: is a real, not an integer",
        ),
    ]  # fmt: skip


def test_rows_without_an_owner_are_told_and_refused(make_file: MakeFile, import_: Import) -> None:
    file = make_file(SCHEMA, "INSERT INTO labels VALUES (1, 'bug')")
    (warning,) = legacy.assess(file, owner=None).warnings
    assert (warning.table, warning.code, warning.rows) == ("labels", "owner-required", 1)
    with pytest.raises(SourceError, match="labels have no owner"):
        import_(file, owner=None)
    assert import_(file, owner="someone").verified


def test_id_map_lacks_the_ids_of_rejected_rows(
    make_file: MakeFile, import_: Import, fetch: Fetch
) -> None:
    file = make_file(SCHEMA, "INSERT INTO tasks VALUES ('t3', NULL, '', 'b1')")
    import_(file, quarantine=True)
    assert "t3" not in fetch("SELECT legacy_id FROM legacy.id_map")
