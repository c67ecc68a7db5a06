"""The audit trail: what it records, who gets at it, and how it is switched and pruned."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import OWNER, Ended, configuration
from fix_schema import execute, target_of
from fix_users import ALICE, TABLES, speaking_as
from psycopg2.errors import InsufficientPrivilege
from sqlalchemy import URL

from dhafnck_db import legacy
from dhafnck_db.legacy.sample import write_sample
from dhafnck_db.session import open_session

if TYPE_CHECKING:
    from conftest import Server

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]

PROJECT = "11111111-0000-4000-8000-000000000001"
TRAIL = """
    SELECT operation, "schema" || '.' || "table", key, old, new FROM dhafnck.audit ORDER BY id
"""


@pytest.fixture
def audited(at_head: URL, done: Json) -> URL:
    """A database whose table projects is audited."""
    done("audit", "enable", "projects", env=configuration(at_head))
    return at_head


def insert_project(url: URL, user: str = "me") -> None:
    execute(
        url,
        f"INSERT INTO projects (id, name, user_id) VALUES ('{PROJECT}', 'p', '{user}')",  # noqa: S608  # our own words
    )


def trail(url: URL) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in execute(url, TRAIL)]


def test_each_operation_is_recorded_with_what_changed(audited: URL) -> None:
    insert_project(audited)
    execute(audited, "UPDATE projects SET name = 'q', metadata = '{\"a\": 1.0}'")
    execute(audited, "UPDATE projects SET metadata = '{\"a\": 1.00}'")
    execute(audited, "DELETE FROM projects")
    execute(audited, "TRUNCATE projects CASCADE")
    made, changed, finer, gone, emptied = trail(audited)
    key = {"id": PROJECT}
    assert [row[:2] for row in (made, gone)] == [
        ("INSERT", "public.projects"),
        ("DELETE", "public.projects"),
    ]
    assert (made[2], made[3], made[4]["name"]) == (key, None, "p")
    assert set(made[4]) == {column.name for column in TABLES["projects"].columns}
    assert changed == (
        "UPDATE",
        "public.projects",
        key,
        {"name": "p", "metadata": {}},
        {"name": "q", "metadata": {"a": 1.0}},
    )
    assert (finer[0], set(finer[3])) == ("UPDATE", {"metadata"})
    assert (gone[2], gone[3]["name"], gone[4]) == (key, "q", None)
    assert emptied == ("TRUNCATE", "public.projects", None, None, None)


def test_update_that_changes_nothing_is_not_recorded(audited: URL) -> None:
    insert_project(audited)
    execute(audited, "UPDATE projects SET name = name")
    assert [row[0] for row in trail(audited)] == ["INSERT"]


def test_changed_key_is_recorded_under_the_one_before(audited: URL) -> None:
    insert_project(audited)
    other = PROJECT.replace("1", "2")
    execute(audited, f"UPDATE projects SET id = '{other}'")  # noqa: S608  # our own words
    assert trail(audited)[1][2:] == ({"id": PROJECT}, {"id": PROJECT}, {"id": other})


def test_key_of_several_columns_is_recorded_whole(at_head: URL, done: Json) -> None:
    execute(at_head, "CREATE TABLE dhafnck.pairs (b int, a int, n int, PRIMARY KEY (a, b))")
    execute(at_head, "SELECT dhafnck.audit_on('dhafnck.pairs')")
    execute(at_head, "INSERT INTO dhafnck.pairs VALUES (1, 2, 3)")
    assert trail(at_head) == [
        ("INSERT", "dhafnck.pairs", {"a": 2, "b": 1}, None, {"a": 2, "b": 1, "n": 3})
    ]


def test_what_was_rolled_back_leaves_no_trace(server: Server, audited: URL) -> None:
    with closing(server.connect(str(audited.database))) as connection, connection.cursor() as c:
        c.execute("BEGIN; DELETE FROM projects; TRUNCATE projects CASCADE; ROLLBACK")
    assert trail(audited) == []


def test_actor_is_who_logged_in_as_whom_and_whose_token_it_was(
    server: Server, audited: URL
) -> None:
    insert = "INSERT INTO projects (id, name, user_id) VALUES (gen_random_uuid(), 'p', %s)"
    with speaking_as(server, str(audited.database), "authenticated", ALICE) as cursor:
        cursor.execute(insert, (ALICE,))
    insert_project(audited)
    query = (
        "SELECT session_role, role, subject, now() - at < '1 min' FROM dhafnck.audit ORDER BY id"
    )
    assert [tuple(row) for row in execute(audited, query)] == [
        ("authenticator", "authenticated", ALICE, True),
        (OWNER, OWNER, None, True),
    ]


@pytest.mark.parametrize("role", ["anon", "authenticated", "service_role"])
def test_nobody_reads_or_writes_the_trail_or_switches_it(
    server: Server, audited: URL, role: str
) -> None:
    insert_project(audited)
    with speaking_as(server, str(audited.database), role, ALICE) as cursor:
        for statement in (
            "SELECT FROM dhafnck.audit",
            "INSERT INTO dhafnck.audit DEFAULT VALUES",
            "UPDATE dhafnck.audit SET role = 'x'",
            "DELETE FROM dhafnck.audit",
            "TRUNCATE dhafnck.audit",
            "SELECT dhafnck.audit_off('projects')",
            "SELECT dhafnck.audit_on('labels')",
        ):
            with pytest.raises(InsufficientPrivilege):
                cursor.execute(statement)
    assert len(trail(audited)) == 1


def test_role_with_the_schema_opened_by_mistake_still_meets_no_row(
    server: Server, audited: URL
) -> None:
    insert_project(audited)
    execute(
        audited,
        "GRANT USAGE ON SCHEMA dhafnck TO authenticated",
        "GRANT SELECT, INSERT ON dhafnck.audit TO authenticated",
    )
    with speaking_as(server, str(audited.database), "authenticated", ALICE) as cursor:
        cursor.execute("SELECT count(*) FROM dhafnck.audit")
        assert cursor.fetchone() == (0,)
        columns = '(session_role, role, "schema", "table", operation)'
        for statement, refused in (
            (
                f"INSERT INTO dhafnck.audit {columns} VALUES ('', '', '', '', 'INSERT')",
                "row-level security",
            ),
            ("SELECT dhafnck.audit_off('projects')", "for function audit_off"),
            ("SELECT dhafnck.audit_on('labels')", "for function audit_on"),
        ):
            with pytest.raises(InsufficientPrivilege, match=refused):
                cursor.execute(statement)


def test_type_that_the_writer_makes_is_not_taken_for_another(server: Server, audited: URL) -> None:
    with closing(server.connect(str(audited.database))) as connection, connection.cursor() as c:
        c.execute(
            "SET ROLE service_role; CREATE TEMP TABLE jsonb (x int); CREATE TEMP TABLE audit ()"
        )
        c.execute("INSERT INTO projects (id, name, user_id) VALUES (%s, 'p', 'me')", (PROJECT,))
    assert [row[0] for row in trail(audited)] == ["INSERT"]


def test_secrets_stay_out_of_the_trail(at_head: URL, done: Json) -> None:
    done("audit", "enable", "users", "api_tokens", env=configuration(at_head))
    execute(
        at_head,
        "INSERT INTO users (id, email, username, password_hash)"
        " VALUES (gen_random_uuid(), 'a@b', 'alice', 'canary-1')",
        "UPDATE users SET password_hash = 'canary-2', full_name = 'Alice'",
        "INSERT INTO api_tokens (id, user_id, name, token_hash, expires_at)"
        " VALUES ('t', 'me', 'n', 'canary-3', now())",
        "DELETE FROM api_tokens",
        "DELETE FROM users",
    )
    found = trail(at_head)
    assert "canary" not in json.dumps(found)
    assert found[1][3:] == (
        {"password_hash": "(hidden)", "full_name": None},
        {"password_hash": "(hidden)", "full_name": "Alice"},
    )
    assert found[2][4]["token_hash"] == "(hidden)"


def test_trail_does_not_record_itself(at_head: URL) -> None:
    with pytest.raises(Exception, match="does not record itself"):
        execute(at_head, "SELECT dhafnck.audit_on('dhafnck.audit')")


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


@pytest.mark.parametrize("rows", [False, True], ids=["few rows", "tables emptied first"])
def test_import_is_recorded_and_still_verifies(
    audited: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: bool
) -> None:
    if rows:  # as for a big file: constraints set aside, TRUNCATE before the first row
        monkeypatch.setattr("dhafnck_db.legacy.aside.WORTHWHILE", 1)
    file = tmp_path / "old.db"
    write_sample(file)
    with open_session(target_of(audited)) as connection:
        assert legacy.import_file(connection, file, owner="me").verified
        compared = legacy.verify_file(connection, file).comparison  # raises on a difference
        assert (compared.updated, compared.added) == (0, 0)
    ((imported,),) = execute(audited, "SELECT count(*) FROM projects")
    operations = [row[0] for row in trail(audited)]
    assert operations == ["TRUNCATE"] * rows + ["INSERT"] * imported
    assert imported > 0


def test_import_that_fails_leaves_no_trace(
    audited: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "old.db"
    write_sample(file)
    execute(audited, "ALTER TABLE tasks ADD CONSTRAINT never CHECK (false)")
    with open_session(target_of(audited)) as connection, pytest.raises(Exception, match="never"):
        legacy.import_file(connection, file, owner="me")
    assert trail(audited) == []


def test_downgrade_takes_the_triggers_along(audited: URL, done: Json) -> None:
    env = configuration(audited)
    done("schema", "downgrade", "0002", env=env)
    insert_project(audited)
    assert execute(audited, "SELECT FROM pg_trigger WHERE tgname ~ 'audit'") == []
    done("schema", "upgrade", env=env)
    assert trail(audited) == []
