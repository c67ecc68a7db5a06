"""The audit trail: what it records, of whom, and who gets at it."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conftest import OWNER, Ended, configuration
from fix_audit import PROJECT, insert_project, trail
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
        for statement, refused in (
            (
                'INSERT INTO dhafnck.audit (session_role, role, "schema", "table", operation)'
                " VALUES ('', '', '', '', 'INSERT')",
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
