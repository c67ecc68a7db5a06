"""Files of every known generation go in completely: names, ids, owners and what has no place."""

import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, select

from dhafnck_db import legacy
from dhafnck_db.models import Base
from legacy.generations import NEWEST, OLDEST

Import = Callable[..., legacy.ImportResult]
Fetch = Callable[[str | Select[Any]], list[Any]]


def derived(words: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_DNS, words)


@pytest.fixture
def oldest(make_file: Callable[..., Path]) -> Path:
    return make_file(OLDEST)


@pytest.fixture
def newest(make_file: Callable[..., Path]) -> Path:
    return make_file(NEWEST)


def test_oldest_generation_is_verified_whole(oldest: Path, import_: Import) -> None:
    result = import_(oldest)
    assert result.verified
    assert result.plan.source.generation == "2025-07"
    assert result.plan.totals == {"rows": 12, "mapped": 11, "archived": 1, "rejected": 0}
    assert result.plan.warnings == ()


def test_renamed_tables_and_columns_find_their_place(
    oldest: Path, import_: Import, fetch: Fetch
) -> None:
    import_(oldest)
    assert fetch("SELECT id, name FROM labels") == [("621", "Bug")]
    assert fetch("SELECT assignee_id, task_id FROM task_assignees") == [
        ("@coding_agent", derived("task_one"))
    ]
    assert fetch("SELECT label_id FROM task_labels WHERE applied_at = '2025-07-16 07:44:51Z'")
    assert fetch("SELECT title, task_id FROM subtasks") == [("S", derived("task_one"))]
    assert fetch("SELECT name FROM project_git_branchs") == ["main"]


def test_ids_follow_one_rule_through_every_reference(
    oldest: Path, import_: Import, fetch: Fetch
) -> None:
    import_(oldest)
    assert fetch(
        "SELECT p.id FROM projects p JOIN project_git_branchs b ON b.project_id = p.id"
        " JOIN tasks t ON t.git_branch_id = b.id JOIN subtasks s ON s.task_id = t.id"
        " JOIN project_contexts c ON c.project_id = p.id AND c.id = p.id"
        " JOIN global_contexts g ON g.id = c.parent_global_id"
    ) == [derived("default_project")]
    assert fetch("SELECT id FROM task_assignees") == [derived("task_one/@coding_agent")]
    assert set(fetch('SELECT "table", legacy_id, id FROM legacy.id_map')) == {
        (table, legacy_id, derived(legacy_id))
        for table, legacy_id in [
            ("projects", "default_project"),
            ("project_git_branchs", "main_branch"),
            ("project_contexts", "default_project"),
            ("agents", "@coding_agent"),
            ("global_contexts", "global_singleton"),
            ("global_contexts.organization_id", "default_org"),
            ("tasks", "task_one"),
            ("context_inheritance_cache.context_id", "task_one"),
        ]
    } | {("subtasks", "65b1cb5ed58d115fe854bcb513df11d1",
          uuid.UUID("65b1cb5ed58d115fe854bcb513df11d1"))}  # fmt: skip


def test_owner_follows_task_branch_project_and_else_is_the_one_given(
    oldest: Path, import_: Import, fetch: Fetch
) -> None:
    import_(oldest, owner="given")
    for table in ("project_git_branchs", "tasks", "subtasks", "task_assignees", "task_labels",
                  "project_contexts", "agents"):  # fmt: skip
        assert fetch(select(Base.metadata.tables[table].c.user_id)) == ["anna"], table
    for table in ("labels", "global_contexts", "context_inheritance_cache"):
        assert fetch(select(Base.metadata.tables[table].c.user_id)) == ["given"], table


def test_only_rows_that_nobody_owns_ask_for_an_owner(oldest: Path) -> None:
    warnings = legacy.assess(oldest, owner=None).warnings
    assert {warning.table for warning in warnings if warning.code == "owner-required"} == {
        "labels",
        "global_contexts",
        "context_inheritance_cache",
    }


def test_columns_without_a_place_are_archived_beside_their_keys_and_folded(
    oldest: Path, import_: Import, fetch: Fetch
) -> None:
    import_(oldest)
    assert fetch("SELECT id, details FROM legacy.tasks") == [("task_one", "more")]
    assert fetch("SELECT id, normalized, usage_count, is_common FROM legacy.labels") == [
        (621, "bug", 0, 1)
    ]
    assert fetch("SELECT id, project_id, success_rate FROM legacy.project_agents") == [
        ("@coding_agent", "default_project", 99.5)
    ]
    assert fetch("SELECT unified_context_data::text FROM global_contexts") == [
        '{"last_propagated": null, "autonomous_rules": {"n": 1.10, "ai": true}}'
    ]
    assert fetch("SELECT data FROM project_contexts") == [{"last_inherited": "2025-07-16 07:44:52"}]
    assert fetch("SELECT * FROM legacy.checklists") == [(1, "feature_checklist", "Feature", 80)]
    assert fetch("SELECT count(*) FROM legacy.work_handoffs") == [0]


def test_what_holds_no_rows_is_named(oldest: Path) -> None:
    plan = legacy.assess(oldest, owner="x")
    assert {(entry.type, entry.name) for entry in plan.unplaced} == {
        ("view", "open_tasks"),
        ("trigger", "touch"),
        ("index", "common_labels"),
        ("index", "lower_labels"),
        ("check", "context_inheritance_cache"),
        ("unique", "labels.normalized"),
        ("default", "project_agents.success_rate"),
    }


def test_newest_generation_keeps_its_own_owners_and_columns(
    newest: Path, import_: Import, fetch: Fetch
) -> None:
    result = import_(newest, owner=None)
    assert result.verified
    assert result.plan.source.generation == "newest"
    assert [w.code for w in result.plan.warnings] == ["points-nowhere"]
    assert fetch("SELECT user_id FROM subtasks") == ["dora"]
    assert fetch("SELECT progress_state FROM tasks") == ["IN_PROGRESS"]
    assert fetch("SELECT metadata FROM projects") == [{"a": 1}]
    assert fetch("SELECT model_metadata FROM legacy.projects") == ['{"old": 1}']
    assert fetch("SELECT data, id::text FROM project_contexts") == [
        ({"kept": True}, "531e6d70-7ddc-4864-9040-dd70fb4cb7ed")
    ]
    assert fetch("SELECT extra FROM legacy.project_contexts") == ['{"x": 1}']


def test_sample_imports_without_rejects(sample: Path, import_: Import, fetch: Fetch) -> None:
    result = import_(sample)
    assert result.verified
    assert (result.plan.rejects, result.plan.source.generation) == ((), "2025-08")
    assert fetch("SELECT user_id FROM tasks ORDER BY title") == ["user-1", "user-1", "user-2"]
    assert fetch("SELECT data FROM branch_contexts") == [
        {
            "parent_project_context_id": "default_project",
            "branch_standards": {"reviews": 1},
            "agent_assignments": {"@coding_agent": "lead"},
            "force_local_only": 1,
        }
    ]


def test_integer_ids_go_on_above_the_largest_and_the_counter(
    make_file: Callable[..., Path], sample: Path, import_: Import, fetch: Fetch
) -> None:
    file = make_file(
        "CREATE TABLE task_dependencies (id INTEGER PRIMARY KEY AUTOINCREMENT, task_id TEXT,"
        " depends_on_task_id TEXT);"
        "INSERT INTO task_dependencies VALUES (10, 'a', 'b'); DELETE FROM task_dependencies;"
    )
    assert import_(file).plan.tables[0].autoincrement == 10
    assert fetch("SELECT nextval(pg_get_serial_sequence('task_dependencies', 'id'))") == [11]


def test_integer_ids_go_on_above_the_largest(sample: Path, import_: Import, fetch: Fetch) -> None:
    import_(sample)
    assert fetch("SELECT nextval(pg_get_serial_sequence('task_dependencies', 'id'))") == [6]


def test_plan_comes_back_from_json_as_it_was(oldest: Path) -> None:
    plan = legacy.assess(oldest, owner="x")
    assert legacy.Plan.from_dict(plan.to_dict()) == plan
