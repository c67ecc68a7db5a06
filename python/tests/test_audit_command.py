"""The audit trail is switched on and off by table, and pruned, and says so."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import Ended, configuration
from fix_audit import insert_project, trail
from fix_schema import execute
from fix_users import TABLES
from sqlalchemy import URL

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]


def test_it_is_off_until_a_table_asks_for_it(at_head: URL, done: Json) -> None:
    insert_project(at_head)
    found = done("audit", "status", env=configuration(at_head))["tables"]
    assert found == {f"public.{name}": False for name in TABLES}
    assert trail(at_head) == []


def test_switching_is_predicted_done_once_and_done_with(at_head: URL, done: Json) -> None:
    env = configuration(at_head)

    def on() -> list[str]:
        tables = done("audit", "status", env=env)["tables"]
        return [name for name, is_on in tables.items() if is_on]

    names = ("tasks", "public.labels")
    expected = {"changed": True, "enabled": ["public.labels", "public.tasks"], "disabled": []}
    assert done("audit", "enable", *names, "--dry-run", env=env) == expected
    assert on() == []
    assert done("audit", "enable", *names, env=env) == expected
    assert on() == expected["enabled"]
    nothing = {"changed": False, "enabled": [], "disabled": []}
    assert done("audit", "enable", *names, env=env) == nothing

    expected = {"changed": True, "enabled": ["public.agents"], "disabled": ["public.labels"]}
    assert done("audit", "enable", "agents", "tasks", "--only", "--dry-run", env=env) == expected
    assert done("audit", "enable", "agents", "tasks", "--only", env=env) == expected
    assert on() == ["public.agents", "public.tasks"]

    expected = {"changed": True, "enabled": [], "disabled": ["public.agents"]}
    assert done("audit", "disable", "agents", "labels", "--dry-run", env=env) == expected
    assert done("audit", "disable", "agents", "labels", env=env) == expected
    assert done("audit", "disable", "agents", env=env) == nothing
    assert done("audit", "enable", "--only", env=env)["disabled"] == ["public.tasks"]
    assert on() == []


@pytest.mark.parametrize(
    "broken",
    [
        "ALTER TABLE projects DISABLE TRIGGER dhafnck_audit_rows",
        "DROP TRIGGER dhafnck_audit_truncate ON projects",
    ],
)
def test_half_of_a_trail_is_none_and_is_made_whole(audited: URL, done: Json, broken: str) -> None:
    execute(audited, broken)
    env = configuration(audited)
    assert done("audit", "status", env=env)["tables"]["public.projects"] is False
    assert done("audit", "enable", "projects", env=env)["enabled"] == ["public.projects"]
    insert_project(audited)
    execute(audited, "TRUNCATE projects CASCADE")
    assert [row[0] for row in trail(audited)] == ["INSERT", "TRUNCATE"]


@pytest.mark.parametrize("name", ["nothing", "auth.users", "alembic_version", "dhafnck.identity"])
def test_only_tables_of_the_application_are_switched(at_head: URL, run: Run, name: str) -> None:
    for verb in ("enable", "disable"):
        ended = run("audit", verb, "tasks", name, env=configuration(at_head))
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"error[table-unknown]: {name} is no table")
    query = "SELECT FROM pg_trigger WHERE tgname ~ 'audit'"
    assert execute(at_head, query) == []


def test_database_that_is_behind_is_refused(database: URL, run: Run) -> None:
    for command in (("enable", "tasks"), ("status",), ("prune", "--older-than", "1d")):
        ended = run("audit", *command, env=configuration(database))
        assert (ended.code, ended.err.split(":")[0]) == (5, "error[schema-behind]")


def test_prune_deletes_what_is_older_and_nothing_else(audited: URL, done: Json) -> None:
    env = configuration(audited)
    insert_project(audited)
    execute(audited, "UPDATE projects SET name = 'q'", "DELETE FROM projects")
    execute(audited, "UPDATE dhafnck.audit SET at = now() - interval '91 days' WHERE old IS NULL")
    execute(audited, "UPDATE dhafnck.audit SET at = now() - interval '89 days' WHERE new IS NULL")
    prune = ("audit", "prune", "--older-than", "90d")
    assert done(*prune, "--dry-run", env=env) == {"changed": True, "rows": 1}
    assert len(trail(audited)) == 3
    assert done(*prune, env=env) == {"changed": True, "rows": 1}
    assert done(*prune, env=env) == {"changed": False, "rows": 0}
    assert [row[0] for row in trail(audited)] == ["UPDATE", "DELETE"]
    assert done("audit", "prune", "--older-than", "12w", env=env)["rows"] == 1
    assert done("audit", "prune", "--older-than", "1h", env=env)["rows"] == 0


@pytest.mark.parametrize("age", ["", "90", "d", "-1d", "1.5d", "90 days", "9999999d"])
def test_age_that_is_none_is_refused(audited: URL, run: Run, age: str) -> None:
    ended = run("audit", "prune", "--older-than", age, env=configuration(audited))
    assert (ended.code, ended.out) == (2, "")
    assert "is no age such as 90d" in ended.err


def test_text_says_what_was_switched(at_head: URL, run: Run) -> None:
    env = configuration(at_head)
    for command, said in (
        (("enable", "tasks", "--dry-run"), "public.tasks would be audited"),
        (("enable", "tasks"), "public.tasks audited"),
        (("enable", "tasks"), "nothing to change"),
        (("disable", "tasks"), "public.tasks audited no longer"),
        (("prune", "--older-than", "1d", "--dry-run"), "would delete 0 rows"),
    ):
        assert run("audit", *command, env=env) == (0, f"{said}\n", "")
    assert run("audit", "enable", env=env).code == 2
    lines = run("audit", "status", env=env).out.splitlines()
    assert lines[1].split() == ["public.agents", "off"]
