"""Models, migrations and database held against each other: what was changed by hand is found."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended, Server, configuration
from fix_prod import REF, production
from fix_schema import HEAD, NEXT, REVISIONS, add_revision, execute
from sqlalchemy import URL

Run = Callable[..., Ended]


@pytest.fixture
def env(server: Server, at_head: URL) -> dict[str, str]:
    """The environment of a database at head; migrations are applied in a server like its own."""
    return configuration(at_head, DB_CLIENT_BIN=str(server.bin))


def test_database_as_migrated_has_no_drift(run: Run, env: dict[str, str]) -> None:
    assert run("schema", "drift", env=env) == (0, f"at revision {HEAD}\n\nno difference\n", "")


@pytest.mark.parametrize(
    ("change", "kind", "name", "verdict"),
    [
        ("CREATE TABLE public.stray (id int)", "table", "public.stray", "breaks"),
        ("ALTER TABLE tasks ALTER title SET DEFAULT 'x'", "column", "public.tasks.title", "breaks"),
        ("DROP INDEX idx_task_status", "index", "public.idx_task_status", "drift"),
        ("ALTER TABLE tasks DISABLE ROW LEVEL SECURITY", "table", "public.tasks", "breaks"),
        ("GRANT SELECT ON tasks TO anon", "grant", "TABLE public.tasks TO anon", "breaks"),
    ],
)
def test_change_by_hand_is_drift(
    at_head: URL, run: Run, env: dict[str, str], change: str, kind: str, name: str, verdict: str
) -> None:
    execute(at_head, change)
    ended = run("schema", "drift", "--format", "json", env=env)
    assert (ended.code, ended.err) == (6, "")
    result = json.loads(ended.out)
    assert (result["changed"], result["clean"], result["models"]) == (False, False, [])
    (found,) = result["differences"]
    assert (found["kind"], found["name"], found["class"]) == (kind, name, verdict)
    execute(at_head, *found["close"].splitlines())
    assert run("schema", "drift", env=env).code == 0


def test_pending_revision_is_no_drift(
    server: Server, at_head: URL, checkout: Path, run: Run, env: dict[str, str]
) -> None:
    add_revision(checkout, "CREATE VIEW later AS SELECT 1 AS one")
    more = {**env, "DB_ALEMBIC_INI": str(checkout / "alembic.ini")}
    ended = run("schema", "drift", env=more)
    assert ended.code == 0, ended
    assert f"pending, and no drift: {NEXT}\n" in ended.out


def test_migrations_that_are_not_the_models_are_said(
    at_head: URL, checkout: Path, run: Run, env: dict[str, str]
) -> None:
    add_revision(checkout, "ALTER TABLE tasks DROP COLUMN title")
    more = {**env, "DB_ALEMBIC_INI": str(checkout / "alembic.ini")}
    ended = run("schema", "drift", env=more)
    assert ended.code == 6
    assert "models and migrations: add_column tasks.title\n" in ended.out


def test_what_the_inventory_declares_is_expected(
    at_head: URL, run: Run, env: dict[str, str]
) -> None:
    assert run("audit", "enable", "tasks", env=env).code == 0
    assert run("realtime", "publish", "tasks", env=env).code == 0
    result = json.loads(run("schema", "drift", "--format", "json", env=env).out)
    assert result["counts"] == {"breaks": 0, "drift": 0, "expected": 2}


def test_tables_of_the_archive_are_no_drift(at_head: URL, run: Run, env: dict[str, str]) -> None:
    assert run("sqlite", "sample", "old.db", env=env).code == 0
    assert run("sqlite", "import", "old.db", "--owner", "me", env=env).code == 0
    ended = run("schema", "drift", env=env)
    assert ended == (0, f"at revision {HEAD}\n\nno difference\n", "")


def test_empty_database_has_no_drift(
    server: Server, database: URL, run: Run, env: dict[str, str]
) -> None:
    empty = configuration(database, DB_CLIENT_BIN=str(server.bin))
    ended = run("schema", "drift", env=empty)
    assert ended.code == 0, ended
    assert f"pending, and no drift: {', '.join(REVISIONS)}\n" in ended.out


def test_production_is_only_read(server: Server, prod: URL, run: Run) -> None:
    execute(prod, f"ALTER DATABASE {prod.database} SET default_transaction_read_only = on")
    env = production(prod, DB_CLIENT_BIN=str(server.bin))
    ended = run("schema", "drift", env=env)
    assert (ended.code, ended.err) == (0, ""), REF


def test_machine_without_server_programs_is_told(
    at_head: URL, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dhafnck_db.scratch.INSTALLED", tmp_path)
    ended = run("schema", "drift", env=configuration(at_head))
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("error[server-programs-missing]: ")
