"""Ids that are words, where the target counts its rows: the rows go in, the words are kept."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Engine, ForeignKey, Identity, Integer, MetaData, Table

from dhafnck_db import legacy
from dhafnck_db.errors import VerificationError
from dhafnck_db.legacy.mapping import LegacyMapping, OwnerPath
from dhafnck_db.legacy.rules import counted_column
from legacy.test_corpus import compared

Import = Callable[..., legacy.ImportResult]
Verify = Callable[[Path], legacy.VerifyResult]
Fetch = Callable[[str], list[Any]]
MakeFile = Callable[..., Path]

TASKS = """
CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT, user_id TEXT);
CREATE TABLE project_task_trees (id TEXT PRIMARY KEY, project_id TEXT, name TEXT);
CREATE TABLE tasks (id TEXT PRIMARY KEY, title TEXT, description TEXT,
    git_branch_id TEXT DEFAULT '78125f26-85f2-4f81-b148-43d082283d85');
INSERT INTO projects VALUES ('default_project', 'P', 'anna');
INSERT INTO project_task_trees
    VALUES ('78125f26-85f2-4f81-b148-43d082283d85', 'default_project', 'main');
INSERT INTO tasks (id, title, description)
    VALUES ('one', 'T', ''), ('two', 'T', ''), ('three', 'T', '');
"""
# As the oldest generation has it; one id is missing, which SQLite allows in a key of text.
DEPENDENCIES = """
CREATE TABLE task_dependencies (id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))),
    task_id TEXT NOT NULL, depends_on_task_id TEXT NOT NULL,
    dependency_type TEXT DEFAULT 'blocks', created_at DATETIME DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (task_id, depends_on_task_id));
INSERT INTO task_dependencies VALUES
    ('f00dfeedf00dfeedf00dfeedf00dfeed', 'one', 'two', 'blocks', '2025-07-16 07:44:51'),
    ('dep-2', 'two', 'three', 'relates', '2025-07-16 07:44:52'),
    (NULL, 'one', 'three', 'blocks', '2025-07-16 07:44:53');
"""
PAIRS = (
    "SELECT (SELECT legacy_id FROM legacy.id_map WHERE id = task_id),"
    " (SELECT legacy_id FROM legacy.id_map WHERE id = depends_on_task_id),"
    " dependency_type, user_id FROM task_dependencies ORDER BY created_at"
)
NOTHING = LegacyMapping({}, {}, {}, {}, {}, {}, ())
NEXT = "SELECT nextval(pg_get_serial_sequence('task_dependencies', 'id'))"
ARCHIVED = "SELECT id, task_id, depends_on_task_id FROM legacy.task_dependencies ORDER BY rowid"


@pytest.fixture
def file(make_file: MakeFile) -> Path:
    return make_file(TASKS, DEPENDENCIES)


def place_of(plan: legacy.Plan, name: str) -> Any:
    (table,) = (table for table in plan.to_dict()["tables"] if table["name"] == "task_dependencies")
    (place,) = (column["to"] for column in table["columns"] if column["name"] == name)
    return place


def test_assessment_says_that_the_words_are_archived(file: Path) -> None:
    plan = legacy.assess(file, owner="x")
    assert plan.rejects == ()
    assert place_of(plan, "id") == "legacy.task_dependencies.id"
    assert place_of(plan, "task_id") == "public.task_dependencies.task_id"
    assert legacy.Plan.from_dict(plan.to_dict()) == plan


def test_rows_are_counted_by_the_target_and_their_words_kept_beside_what_they_join(
    file: Path, target: Engine, import_: Import, verify: Verify, fetch: Fetch
) -> None:
    result = import_(file)
    assert result.verified
    assert result.plan == legacy.assess(file, owner=result.plan.owner)
    assert fetch("SELECT id FROM task_dependencies ORDER BY created_at") == [1, 2, 3]
    assert fetch(PAIRS) == [
        ("one", "two", "blocks", "anna"),
        ("two", "three", "relates", "anna"),
        ("one", "three", "blocks", "anna"),
    ]
    assert fetch(ARCHIVED) == [
        ("f00dfeedf00dfeedf00dfeedf00dfeed", "one", "two"),
        ("dep-2", "two", "three"),
        (None, "one", "three"),
    ]
    assert compared(file, target, result.plan) == []
    assert verify(file).comparison.count == 0
    assert not import_(file).changed
    assert fetch(NEXT) == [4]


@pytest.mark.parametrize(
    ("tampering", "named"),
    [
        ("UPDATE task_dependencies SET dependency_type = 'blocks'",
         "task_dependencies[dep-2].dependency_type"),
        ("UPDATE task_dependencies SET created_at = created_at + interval '1 microsecond'"
         " WHERE dependency_type = 'relates'", "task_dependencies[dep-2].created_at"),
        ("UPDATE task_dependencies SET task_id = depends_on_task_id, depends_on_task_id = task_id"
         " WHERE dependency_type = 'relates'", "task_dependencies[dep-2] is missing"),
        ("DELETE FROM task_dependencies WHERE dependency_type = 'relates'",
         "task_dependencies[dep-2] is missing"),
        ("INSERT INTO task_dependencies (task_id, depends_on_task_id, user_id, created_at)"
         " SELECT depends_on_task_id, task_id, 'u', '2025-01-01' FROM task_dependencies"
         " WHERE dependency_type = 'relates'", "is not in the file"),
        ("UPDATE legacy.task_dependencies SET id = 'dep-3' WHERE id = 'dep-2'",
         "legacy.task_dependencies[dep-2].id"),
        ("UPDATE legacy.task_dependencies SET id = '' WHERE id IS NULL",
         "legacy.task_dependencies[rowid 3].id"),
        ("UPDATE legacy.task_dependencies SET task_id = 'one' WHERE id = 'dep-2'",
         "legacy.task_dependencies[dep-2].task_id"),
        ("DELETE FROM legacy.task_dependencies WHERE id = 'dep-2'",
         "legacy.task_dependencies[dep-2] is missing"),
    ],
)  # fmt: skip
def test_tampering_is_found_by_the_key_of_the_file(
    file: Path, import_: Import, verify: Verify, fetch: Fetch, tampering: str, named: str
) -> None:
    import_(file)
    fetch(tampering)
    with pytest.raises(VerificationError) as failure:
        verify(file)
    assert named in str(failure.value.cause)


def test_rows_that_join_the_same_are_listed(
    make_file: MakeFile, import_: Import, verify: Verify, fetch: Fetch
) -> None:
    file = make_file(
        TASKS,
        "CREATE TABLE task_dependencies (id TEXT PRIMARY KEY, task_id TEXT,"
        " depends_on_task_id TEXT);"
        "INSERT INTO task_dependencies VALUES ('a', 'one', 'two'),"
        " ('b', 'one', 'two'), ('c', 'two', 'one'), ('d', 'two', NULL),"
        " ('e', ' one', 'two')",
    )
    plan = legacy.assess(file, owner="x")
    assert [(reject.key, reject.column, reject.code) for reject in plan.rejects] == [
        ("b", "task_id", "duplicate-key"),
        ("d", "depends_on_task_id", "null-in-required"),
        ("e", "task_id", "id-collision"),
    ]
    with pytest.raises(legacy.RejectsFoundError):
        import_(file)
    import_(file, quarantine=True)
    assert fetch("SELECT id FROM legacy.task_dependencies ORDER BY rowid") == ["a", "c"]
    assert fetch("""SELECT "row" ->> 'id' FROM legacy.rejects ORDER BY id""") == [
        "'b'", "'d'", "'e'",
    ]  # fmt: skip
    assert fetch(NEXT) == [3]
    assert verify(file).comparison.count == 0


@pytest.mark.parametrize(
    ("declared", "id_", "place"),
    [
        ("id INTEGER PRIMARY KEY", 7, "public"),
        ("id INT PRIMARY KEY", 7, "public"),
        ("id INT PRIMARY KEY", "7", "public"),  # SQLite makes a number of it
        ("id INT PRIMARY KEY", "seven", "legacy"),
        ("id PRIMARY KEY", "7", "legacy"),
        ("id VARCHAR(36) PRIMARY KEY", 7, "legacy"),
    ],
)
def test_ids_are_kept_unless_the_column_is_one_of_words(
    make_file: MakeFile, import_: Import, fetch: Fetch, declared: str, id_: int | str, place: str
) -> None:
    file = make_file(
        TASKS,
        f"CREATE TABLE task_dependencies ({declared}, task_id TEXT, depends_on_task_id TEXT)",
        ("INSERT INTO task_dependencies VALUES (?, 'one', 'two')", [(id_,)]),
    )
    result = import_(file)
    assert place_of(result.plan, "id") == f"{place}.task_dependencies.id"
    assert fetch("SELECT id FROM task_dependencies") == [7 if place == "public" else 1]


def test_rows_without_any_id_are_counted_by_the_target(
    make_file: MakeFile, target: Engine, import_: Import, verify: Verify, fetch: Fetch
) -> None:
    file = make_file(
        TASKS,
        "CREATE TABLE task_dependencies (task_id TEXT, depends_on_task_id TEXT);"
        "INSERT INTO task_dependencies VALUES ('one', 'two'), ('two', 'one')",
    )
    plan = import_(file).plan
    assert compared(file, target, plan) == []
    assert verify(file).comparison.count == 0
    fetch("DELETE FROM task_dependencies WHERE id = 2")
    with pytest.raises(VerificationError, match="1 values or rows"):
        verify(file)


def test_column_of_words_without_rows_has_no_place(
    make_file: MakeFile, import_: Import, verify: Verify
) -> None:
    file = make_file(TASKS, DEPENDENCIES, "DELETE FROM task_dependencies")
    assert place_of(import_(file).plan, "id") is None
    assert verify(file).comparison.count == 0


def test_many_rows_go_in_as_batches(
    make_file: MakeFile, target: Engine, import_: Import, verify: Verify, fetch: Fetch
) -> None:
    names = [str(uuid.UUID(int=number)) for number in range(1, 121)]
    pairs = [(f"dep-{a}-{b}", a, b) for a in names for b in names[:100] if a != b]
    file = make_file(
        TASKS,
        DEPENDENCIES,
        "DELETE FROM task_dependencies",
        ("INSERT INTO tasks (id, title, description) VALUES (?, 'T', '')", [(n,) for n in names]),
        ("INSERT INTO task_dependencies (id, task_id, depends_on_task_id) VALUES (?, ?, ?)", pairs),
    )  # fmt: skip
    result = import_(file)
    assert fetch("SELECT min(id), max(id), count(*) FROM task_dependencies") == [
        (1, len(pairs), len(pairs))
    ]
    assert compared(file, target, result.plan) == []
    assert verify(file).comparison.count == 0
    assert fetch(NEXT) == [len(pairs) + 1]


def test_numbers_given_by_an_import_that_fails_are_given_again(
    file: Path, import_: Import, fetch: Fetch
) -> None:
    fetch("ALTER TABLE task_dependencies ALTER COLUMN id RESTART WITH 41")
    fetch(NEXT)
    fetch(
        "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.dependency_type = upper(NEW.dependency_type); RETURN NEW; END'"
    )
    fetch(
        "CREATE TRIGGER shout BEFORE INSERT ON task_dependencies FOR EACH ROW"
        " EXECUTE FUNCTION shout()"
    )
    state = "SELECT last_value, is_called FROM task_dependencies_id_seq"
    before = fetch(state)
    with pytest.raises(VerificationError):
        import_(file)
    assert fetch(state) == before
    fetch("DROP TRIGGER shout ON task_dependencies")
    import_(file)
    assert fetch("SELECT id FROM task_dependencies ORDER BY id") == [42, 43, 44]
    assert fetch(NEXT) == [45]


@pytest.mark.parametrize(
    ("referring", "mapping", "counted"),
    [
        (None, {}, "id"),
        (ForeignKey("counted.id"), {}, None),
        (None, {"references": {"other": {"to": "counted"}}}, None),
        (None, {"owners": {"other": OwnerPath("to", "counted")}}, None),
    ],
)
def test_numbers_that_a_reference_leads_to_are_not_given_up(
    referring: ForeignKey | None, mapping: dict[str, Any], counted: str | None
) -> None:
    models = MetaData()
    target = Table("counted", models, Column("id", Integer, Identity(), primary_key=True))
    Table("other", models, Column("to", Integer, *([] if referring is None else [referring])))
    assert counted_column(target, replace(NOTHING, **mapping)) == counted
