"""Advice is about what is there: each seeded fault gives exactly its finding, and can be mended."""

import json
from collections.abc import Callable
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from conftest import OWNER, PASSWORD, Ended, Server, configuration
from fix_schema import catalog
from sqlalchemy import URL

from dhafnck_db.advice import RULES, named

Run = Callable[..., Ended]

# What the application's contract leaves: foreign keys without an index, and indexes of columns that
# a unique constraint indexes too.
KNOWN = {
    "public.ix_user_sessions_refresh_token",
    "public.ix_user_sessions_session_token",
    "public.ix_users_email",
    "public.ix_users_password_reset_token",
    "public.ix_users_username",
    "legacy.rejects.fk_rejects_import_id_imports",
    "public.branch_contexts.fk_branch_contexts_branch_id_project_git_branchs",
    "public.branch_contexts.fk_branch_contexts_parent_project_id_project_contexts",
    "public.project_contexts.fk_project_contexts_parent_global_id_global_contexts",
    "public.project_git_branchs.fk_project_git_branchs_project_id_projects",
    "public.task_contexts.fk_task_contexts_parent_branch_context_id_branch_contexts",
    "public.task_contexts.fk_task_contexts_parent_branch_id_project_git_branchs",
    "public.task_contexts.fk_task_contexts_task_id_tasks",
    "public.task_dependencies.fk_task_dependencies_depends_on_task_id_tasks",
}
TABLE = 'CREATE TABLE "Odd ""name" (id {type} PRIMARY KEY{more})'
SECURE = 'ALTER TABLE "Odd ""name" ENABLE ROW LEVEL SECURITY'
ODD = 'public."Odd ""name"'
FUNCTION = 'CREATE FUNCTION "Odd f"(integer) RETURNS integer LANGUAGE sql {} AS $$ SELECT 1 $$'
CLOSE = 'REVOKE ALL ON FUNCTION "Odd f"(integer) FROM PUBLIC'


def table(type: str = "integer", more: str = "") -> tuple[str, str]:
    return TABLE.format(type=type, more=more), SECURE


SEEDS: list[tuple[str, str, tuple[str, ...]]] = [
    ("row_security_off", ODD, (table()[0],)),
    ("public_grant", ODD, (*table(), 'GRANT SELECT (id) ON "Odd ""name" TO anon')),
    ("public_grant", ODD, (*table(), 'GRANT INSERT, SELECT ON "Odd ""name" TO PUBLIC')),
    ("public_grant", 'public."Odd f"(integer)', (FUNCTION.format(""),)),
    ("public_grant", "public.odd_s", ("CREATE SEQUENCE odd_s", "GRANT USAGE ON odd_s TO anon")),
    (
        "definer_without_search_path",
        'public."Odd f"(integer)',
        (FUNCTION.format("SECURITY DEFINER"), CLOSE),
    ),
    ("extension_among_tables", "citext", ("CREATE EXTENSION citext SCHEMA dhafnck",)),
    (
        "sequence_near_end",
        'public."Odd ""name_id_seq"',
        (*table("serial"), "SELECT setval('\"Odd \"\"name_id_seq\"', 2000000000)"),
    ),
    (
        "sequence_near_end",
        'public."Odd ""name_id_seq"',
        (
            *table("integer GENERATED ALWAYS AS IDENTITY"),
            "SELECT setval('\"Odd \"\"name_id_seq\"', 2000000000)",
        ),
    ),
    (
        "sequence_near_end",
        "public.odd_s",
        ("CREATE SEQUENCE odd_s INCREMENT -1 MINVALUE -99", "SELECT setval('odd_s', -90)"),
    ),
    ("no_primary_key", "public.odd_t", ("CREATE TABLE odd_t (id integer)",
        "ALTER TABLE odd_t ENABLE ROW LEVEL SECURITY")),
    (
        "foreign_key_without_index",
        f'{ODD}."a b"',
        table(more=', "x y" integer CONSTRAINT "a b" REFERENCES "Odd ""name"'),
    ),
    (
        "duplicate_index",
        'public."again a"',
        (*table(more=", a integer UNIQUE"), 'CREATE INDEX "again a" ON "Odd ""name" (a)'),
    ),
    (
        "unused_index",
        'public."never r"',
        (
            *table(more=", a text"),
            'CREATE INDEX "never r" ON "Odd ""name" (a)',
            "INSERT INTO \"Odd \"\"name\" SELECT n, repeat(md5(n::text) || md5(n::text || 'a'), 6)"
            " FROM generate_series(1, 6000) n",
            'DO $$ BEGIN FOR n IN 1..1100 LOOP PERFORM FROM "Odd ""name" WHERE id = n;'
            " END LOOP; END $$",
        ),
    ),
    (
        "dead_rows",
        ODD,
        (
            *table(),
            'ALTER TABLE "Odd ""name" SET (autovacuum_enabled = off)',
            'INSERT INTO "Odd ""name" SELECT generate_series(1, 30000)',
            'DELETE FROM "Odd ""name" WHERE id % 2 = 0',
        ),
    ),
    (
        "bloat",
        ODD,
        (
            *table(more=", a text"),
            'ALTER TABLE "Odd ""name" SET (autovacuum_enabled = off)',
            'ALTER TABLE "Odd ""name" ALTER a SET STORAGE PLAIN',
            "INSERT INTO \"Odd \"\"name\" SELECT n, repeat('x', 3000)"
            " FROM generate_series(1, 6000) n",
            'DELETE FROM "Odd ""name" WHERE id % 20 > 0',
            'VACUUM ANALYZE "Odd ""name"',
        ),
    ),
]  # fmt: skip


def advised(run: Run, url: URL) -> list[dict[str, Any]]:
    ended = run("advise", "--format", "json", env=configuration(url))
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert set(found) == {"changed", "findings", "unchecked"}
    assert (found["changed"], found["unchecked"]) == (False, [])
    return [finding for finding in found["findings"] if finding["object"] not in KNOWN]


def as_owner(url: URL, *statements: str) -> list[Any]:
    """Execute each as a person would type it, without a transaction; return the last one's rows."""
    with closing(
        psycopg2.connect(
            host=url.host, port=url.port, user=OWNER, password=PASSWORD, dbname=url.database
        )
    ) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            for statement in (*statements, "SELECT pg_stat_force_next_flush()"):
                cursor.execute(statement)
                if statement == statements[-1]:
                    rows = cursor.fetchall() if cursor.description else []
            cursor.execute("SELECT 1")
        return rows


def test_fresh_database_needs_no_more_than_is_known(shared: URL, run: Run) -> None:
    before = catalog(shared)
    assert advised(run, shared) == []
    ended = run("advise", "--format", "json", env=configuration(shared))
    assert {finding["object"] for finding in json.loads(ended.out)["findings"]} == KNOWN
    assert catalog(shared) == before


@pytest.mark.parametrize(("rule", "object_", "seed"), SEEDS)
def test_fault_gives_exactly_its_finding_until_it_is_mended(
    server: Server, at_head: URL, run: Run, rule: str, object_: str, seed: tuple[str, ...]
) -> None:
    as_owner(at_head, *seed)
    (found,) = advised(run, at_head)
    assert (found["rule"], found["object"]) == (named(rule), object_)
    assert found["finding"]
    assert as_owner(at_head, found["confirm"])
    if rule == "extension_among_tables":  # what it holds belongs to the superuser
        with closing(server.connect(str(at_head.database))) as superuser:
            superuser.cursor().execute(found["mend"])
    else:
        as_owner(at_head, found["mend"])
    assert advised(run, at_head) == []
    assert not as_owner(at_head, found["confirm"])


def test_every_rule_is_seeded() -> None:
    assert {rule for rule, _, _ in SEEDS} == set(RULES)


def test_vendors_schemas_are_not_looked_at(server: Server, at_head: URL, run: Run) -> None:
    with closing(server.connect(str(at_head.database))) as superuser, superuser.cursor() as cursor:
        cursor.execute("CREATE TABLE auth.odd (id integer)")
        cursor.execute("GRANT SELECT ON auth.odd TO anon")
    assert advised(run, at_head) == []


def test_text_has_the_statements_to_copy(at_head: URL, run: Run) -> None:
    as_owner(at_head, *SEEDS[0][2])
    ended = run("advise", env=configuration(at_head))
    assert (ended.code, ended.err) == (0, "")
    assert f"row-security-off: {ODD}\n" in ended.out
    assert f"  mend:    ALTER TABLE {ODD} ENABLE ROW LEVEL SECURITY\n" in ended.out
    assert ended.out.endswith(f"{len(KNOWN) + 1} findings by {len(RULES)} rules\n")
