"""What the plan of an upgrade says is what the server does: locks, tables, and nothing applied."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Ended, Server, configuration, copy_of
from fix_prod import production
from fix_schema import HEAD, NEXT, add_revision, catalog, execute, version
from sqlalchemy import URL, NullPool, create_engine, text

from dhafnck_db import locks

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]

MADE = (
    "CREATE TABLE parted (id int, at date NOT NULL) PARTITION BY RANGE (at)",
    "CREATE TABLE part (id int, at date NOT NULL)",
    "CREATE INDEX by_name ON projects (name)",
    "ALTER TABLE projects ADD CONSTRAINT loose CHECK (name <> '') NOT VALID",
    "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
    "CREATE TRIGGER there AFTER INSERT ON projects FOR EACH ROW EXECUTE FUNCTION noted()",
    "CREATE POLICY mine ON projects USING (true)",
)
STATEMENTS = (
    "ALTER TABLE projects ADD COLUMN extra text",
    "ALTER TABLE projects ADD COLUMN task uuid REFERENCES tasks (id)",
    "ALTER TABLE projects ADD COLUMN a text, ALTER COLUMN name SET STATISTICS 10",
    "ALTER TABLE projects DROP COLUMN description",
    "ALTER TABLE projects ALTER COLUMN name SET STATISTICS 10",
    "ALTER TABLE projects ALTER COLUMN name SET (n_distinct = 10)",
    "ALTER TABLE projects SET (fillfactor = 80)",
    "ALTER TABLE projects RESET (fillfactor)",
    "ALTER TABLE projects ALTER COLUMN name SET DEFAULT 'x'",
    "ALTER TABLE projects ALTER COLUMN name TYPE varchar(300)",
    "ALTER TABLE projects ALTER COLUMN name DROP NOT NULL",
    "ALTER TABLE projects ADD CHECK (name <> '')",
    "ALTER TABLE projects ADD CHECK (name <> '') NOT VALID",
    "ALTER TABLE projects VALIDATE CONSTRAINT loose",
    "ALTER TABLE projects DROP CONSTRAINT uq_project_user",
    "ALTER TABLE projects ADD UNIQUE (name)",
    "ALTER TABLE projects CLUSTER ON by_name",
    "ALTER TABLE projects SET WITHOUT CLUSTER",
    "ALTER TABLE projects DISABLE TRIGGER there",
    "ALTER TABLE projects ENABLE ALWAYS TRIGGER there",
    "ALTER TABLE projects DISABLE TRIGGER USER",
    "ALTER TABLE projects DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE projects RENAME COLUMN name TO title",
    "ALTER TABLE projects RENAME CONSTRAINT loose TO tight",
    "ALTER TABLE projects RENAME TO plans",
    "ALTER TABLE projects SET SCHEMA legacy",
    "ALTER TABLE subtasks DROP CONSTRAINT fk_subtasks_task_id_tasks",
    "ALTER TABLE subtasks ADD FOREIGN KEY (task_id) REFERENCES tasks (id) NOT VALID",
    "ALTER TABLE parted ATTACH PARTITION part FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')",
    "ALTER INDEX by_name RENAME TO other",
    "CREATE INDEX more ON projects (status)",
    "DROP INDEX by_name",
    "CREATE TABLE notes (id int, project uuid REFERENCES projects (id))",
    "CREATE TABLE notes (id int, p uuid, FOREIGN KEY (p) REFERENCES projects (id))",
    "CREATE TABLE notes PARTITION OF parted FOR VALUES FROM ('2028-01-01') TO ('2029-01-01')",
    "CREATE TABLE notes (more int) INHERITS (projects)",
    "CREATE TRIGGER more AFTER INSERT ON projects FOR EACH ROW EXECUTE FUNCTION noted()",
    "CREATE POLICY more ON projects USING (true)",
    "ALTER POLICY mine ON projects USING (false)",
    "DROP POLICY mine ON projects",
    "DROP TRIGGER there ON projects",
    "CREATE STATISTICS more ON name, status FROM projects",
    "COMMENT ON TABLE projects IS 'x'",
    "COMMENT ON COLUMN public.projects.name IS 'x'",
    "GRANT SELECT ON projects TO anon",
    "REVOKE ALL ON TABLE projects FROM anon",
    "CREATE TYPE mood AS ENUM ('good')",
    "CREATE SCHEMA more",
    "TRUNCATE task_labels",
    "DROP TABLE task_labels",
    "DROP TABLE task_labels, task_assignees",
    "INSERT INTO labels (id, name, user_id) VALUES ('a', 'b', 'c')",
    "UPDATE labels SET name = 'x'",
    "DELETE FROM task_labels",
)
# What only reads is nothing to plan for.
SEEN = text("""
    SELECT relation, regexp_replace(
        regexp_replace(mode, 'Lock$', ''), '(?<!^)([A-Z])', ' \\1', 'g')
    FROM pg_locks WHERE pid = pg_backend_pid() AND mode NOT IN ('AccessShareLock', 'RowShareLock')
""")
TABLES = text("""
    SELECT c.oid, nspname || '.' || relname AS name
    FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND nspname IN ('public', 'dhafnck', 'legacy')
""")


@pytest.fixture(scope="module")
def made(server: Server, head_template: str) -> Any:
    """A database at head with a bit more, that each test changes and rolls back."""
    with copy_of(head_template, server) as url:
        execute(url, *MADE)
        yield url


@pytest.mark.parametrize("statement", STATEMENTS)
def test_locks_are_those_that_the_server_takes(
    made: URL, checkout: Path, done: Json, statement: str
) -> None:
    add_revision(checkout, statement)
    env = configuration(made, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    (step,) = done("schema", "plan", env=env)["pending"]
    (planned,) = step["statements"]
    with create_engine(made, poolclass=NullPool).connect() as connection:
        before = {row.oid: str(row.name) for row in connection.execute(TABLES)}
        connection.execute(text(statement))
        seen: dict[str, str] = {}
        for number, mode in connection.execute(SEEN):
            if name := before.get(number):
                given = (mode.upper(), seen.get(name, locks.ACCESS_SHARE))
                seen[name] = max(given, key=locks.STRENGTH.index)
        connection.rollback()
    assert {lock["table"]: lock["mode"] for lock in planned["locks"]} == seen
    assert {lock["blocks"] for lock in planned["locks"]} == {locks.BLOCKS[m] for m in seen.values()}


@pytest.mark.parametrize(
    ("statement", "work"),
    [
        ("ALTER TABLE projects ADD COLUMN extra text DEFAULT 'x'", "catalog"),
        ("ALTER TABLE projects ADD COLUMN extra timestamptz DEFAULT now()", "catalog"),
        ("ALTER TABLE projects ADD COLUMN extra uuid DEFAULT gen_random_uuid()", "rewrite"),
        ("ALTER TABLE projects ADD COLUMN extra serial", "rewrite"),
        ("ALTER TABLE projects ADD COLUMN extra bigint GENERATED ALWAYS AS IDENTITY", "rewrite"),
        ("ALTER TABLE projects ALTER COLUMN name TYPE text", "rewrite"),
        ("ALTER TABLE projects ALTER COLUMN name SET NOT NULL", "scan"),
        ("ALTER TABLE projects ADD CHECK (name <> '')", "scan"),
        ("ALTER TABLE projects ADD CHECK (name <> '') NOT VALID", "catalog"),
        ("ALTER TABLE projects ADD UNIQUE (name)", "build"),
        ("CREATE INDEX more ON projects (name)", "build"),
        ("DROP TABLE projects CASCADE", "catalog"),
        ("UPDATE projects SET name = 'x'", "rows"),
        ("DO 'BEGIN NULL; END'", "unknown"),
        ("SELECT pg_sleep(1)", "unknown"),
    ],
)
def test_work_is_told_apart(statement: str, work: str) -> None:
    assert locks.work(statement, {"gen_random_uuid"}) == work


def test_estimate_follows_the_size_of_the_table(
    at_head: URL, checkout: Path, done: Json, run: Run
) -> None:
    add_revision(checkout, "CREATE INDEX more ON labels (name); SELECT 1")
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    before = done("schema", "plan", env=env)
    assert before["pending"][0]["statements"][0]["locks"][0]["rows"] is None
    assert before["estimate"]["untold"] == 2
    assert "unknown rows" in run("schema", "plan", env=env).out

    execute(
        at_head,
        "INSERT INTO labels (id, name, user_id) SELECT i, 'label ' || i, 'me' "
        "FROM generate_series(1, 20000) i",
        "ANALYZE labels",
    )
    after = done("schema", "plan", env=env)
    ((rows, size),) = execute(
        at_head, "SELECT reltuples, relpages * 8192 FROM pg_class WHERE oid = 'labels'::regclass"
    )
    (index, other) = after["pending"][0]["statements"]
    (lock,) = index["locks"]
    assert (lock["table"], lock["mode"], lock["rows"]) == ("public.labels", "SHARE", int(rows))
    assert index["seconds"] == pytest.approx(0.01 + size / 30e6)
    assert (other["seconds"], after["estimate"]["untold"]) == (None, 1)
    assert "MB/s assumed" in after["estimate"]["basis"]


def test_plan_applies_nothing_and_waits_for_nobody(
    server: Server, at_head: URL, checkout: Path, run: Run
) -> None:
    add_revision(checkout, "ALTER TABLE tasks ADD COLUMN extra text")
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    before = catalog(at_head)
    with closing(server.connect(str(at_head.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        ended = run("schema", "plan", env={**env, "DB_LOCK_TIMEOUT": "1s"})
    assert (ended.code, ended.err) == (0, "")
    assert f"{NEXT} ({NEXT}_next.py)\n  8: ALTER TABLE tasks ADD COLUMN extra text\n" in ended.out
    assert "ACCESS EXCLUSIVE on public.tasks (unknown rows) blocks reads and writes" in ended.out
    assert ended.out.splitlines()[-1].startswith("nothing was applied to ")
    assert (catalog(at_head), version(at_head)) == (before, HEAD)


def test_first_plan_of_an_empty_database_locks_nothing(database: URL, done: Json) -> None:
    found = done("schema", "plan", env=configuration(database))
    assert found["locks"] == []
    assert len(found["pending"][0]["statements"]) > 100


def test_plan_at_head_is_empty(shared: URL, run: Run, done: Json) -> None:
    assert done("schema", "plan", env=configuration(shared))["pending"] == []
    assert "nothing is pending" in run("schema", "plan", env=configuration(shared)).out


def test_environment_is_the_one_that_is_named(
    prod: URL, tmp_path: Path, run: Run, done: Json
) -> None:
    lines = [f"{name}='{value}'\n" for name, value in production(prod).items()]
    (tmp_path / ".env.prod").write_text("".join(lines))
    (tmp_path / ".env.prod").chmod(0o600)
    assert done("schema", "plan", "--env", "prod", env={})["environment"] == "prod"
    assert run("schema", "plan", "--env", "dev", env={}).code == 3
    assert run("schema", "plan", env={}).code == 3


def test_hazard_of_production_is_planned_and_not_refused(
    prod: URL, checkout: Path, done: Json
) -> None:
    add_revision(checkout, "TRUNCATE task_labels")
    env = production(prod, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    (lock,) = done("schema", "plan", env=env)["locks"]
    assert (lock["table"], lock["mode"]) == ("public.task_labels", "ACCESS EXCLUSIVE")
