"""A migration is whole or leaves nothing, waits for locks within bounds, and has a way back."""

import json
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from conftest import Ended, Server, configuration
from fix_prod import REF, no_schema_dump, production
from fix_schema import DROPPED, HEAD, NEXT, add_revision, execute, target_of, version
from sqlalchemy import URL, NullPool, create_engine

from dhafnck_db import catalog, clients, migration

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]

SCHEMAS = ("public", "dhafnck", "legacy")


def read(url: URL) -> catalog.Catalog:
    with create_engine(url, poolclass=NullPool).connect() as connection:
        return catalog.read(connection, SCHEMAS)


def second(url: URL, checkout: Path, statement: str, **more: str) -> dict[str, str]:
    """The configuration of a checkout whose revision 0002 executes a statement."""
    add_revision(checkout, statement)
    return configuration(url, DB_ALEMBIC_INI=str(checkout / "alembic.ini"), **more)


@pytest.mark.parametrize(
    ("statement", "entry"),
    [
        ("ALTER TABLE projects ADD more int", "column public.projects.more"),
        ("ALTER TABLE projects ALTER name DROP NOT NULL", "column public.projects.name"),
        ("ALTER TABLE projects ALTER name SET DEFAULT 'x'", "column public.projects.name"),
        ("ALTER TABLE projects ADD CHECK (name <> '')", "constraint public.projects.projects_name"),
        ("CREATE INDEX more ON projects (name)", "index public.more"),
        ("ALTER TABLE projects DISABLE ROW LEVEL SECURITY", "relation public.projects"),
        ("CREATE POLICY more ON projects USING (true)", "policy public.projects.more"),
        ("GRANT SELECT ON projects TO anon", "relation public.projects"),
        ("GRANT SELECT (name) ON projects TO anon", "column public.projects.name"),
        ("GRANT USAGE ON SCHEMA dhafnck TO anon", "schema dhafnck"),
        ("CREATE FUNCTION more() RETURNS int LANGUAGE sql AS 'SELECT 1'", "function more()"),
        ("ALTER TYPE progressstate ADD VALUE 'MORE'", "type progressstate"),
        ("ALTER SEQUENCE task_dependencies_id_seq CYCLE", "sequence public.task_dependencies"),
        ("COMMENT ON TABLE projects IS 'more'", "relation public.projects"),
        (
            "CREATE TRIGGER more BEFORE UPDATE ON projects FOR EACH ROW "
            "EXECUTE FUNCTION suppress_redundant_updates_trigger()",
            "trigger public.projects.more",
        ),
        (
            "ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO anon",
            "default grants public.r",
        ),
        ("CREATE PUBLICATION more FOR TABLE projects", "publication more.public.projects"),
        ("CREATE VIEW more AS SELECT 1 AS one", "relation public.more"),
    ],
)
def test_every_change_of_the_catalog_is_seen(at_head: URL, statement: str, entry: str) -> None:
    before = read(at_head)
    assert read(at_head).sha256 == before.sha256
    execute(at_head, statement)
    after = read(at_head)
    assert after.sha256 != before.sha256
    assert [name for name in before.changed(after) if name.startswith(entry)]


def test_table_that_is_made_anew_is_another_one(at_head: URL) -> None:
    execute(at_head, "CREATE TABLE more ()")
    before = read(at_head)
    execute(at_head, "DROP TABLE more", "CREATE TABLE more ()")
    assert before.changed(read(at_head)) == ["relation public.more"]


def test_failure_says_that_the_catalog_is_as_before(at_head: URL, checkout: Path, run: Run) -> None:
    before = read(at_head)
    env = second(at_head, checkout, "CREATE TABLE half (); SELECT 1 / 0")
    ended = run("schema", "upgrade", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-failed]")
    assert f"the catalog is {before.sha256[:12]} as before" in ended.err
    assert read(at_head) == before


def test_revision_that_commits_on_its_own_is_told(at_head: URL, checkout: Path, run: Run) -> None:
    env = second(at_head, checkout, "CREATE TABLE half (); COMMIT; SELECT 1 / 0")
    ended = run("schema", "upgrade", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-half-done]")
    assert "cause: division by zero; changed: relation public.half\n" in ended.err
    assert "nothing was changed" not in ended.err


def test_connection_that_is_lost_leaves_nothing(at_head: URL, checkout: Path, run: Run) -> None:
    before = read(at_head)
    lost = "CREATE TABLE half (); SELECT pg_terminate_backend(pg_backend_pid())"
    ended = run("schema", "upgrade", env=second(at_head, checkout, lost))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-failed]")
    assert read(at_head) == before


def test_server_that_is_gone_afterwards_is_told(at_head: URL, checkout: Path, run: Run) -> None:
    gone = (
        f'ALTER DATABASE "{at_head.database}" CONNECTION LIMIT 0; COMMIT; '
        "SELECT pg_terminate_backend(pg_backend_pid())"
    )
    ended = run("schema", "upgrade", env=second(at_head, checkout, gone))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-unknown]")
    assert "nothing was changed" not in ended.err


def test_lock_that_is_let_go_lets_the_migration_through(
    server: Server, at_head: URL, checkout: Path, run: Run
) -> None:
    limits = {"DB_LOCK_TIMEOUT": "200ms", "DB_LOCK_RETRIES": "3"}
    statement = "CREATE TABLE first (); ALTER TABLE projects ADD COLUMN more int"
    env = second(at_head, checkout, statement, **limits)
    with closing(server.connect(str(at_head.database))) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM projects")
        threading.Timer(1.0, reader.close).start()
        ended = run("schema", "upgrade", env=env)
    assert (ended.code, version(at_head)) == (0, NEXT), ended.err


@pytest.mark.parametrize("retries", [0, 2])
def test_migration_gives_up_after_its_retries(
    server: Server,
    at_head: URL,
    checkout: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    retries: int,
) -> None:
    monkeypatch.setattr(migration, "FIRST_WAIT", 0.05)
    limits = {"DB_LOCK_TIMEOUT": "100ms", "DB_LOCK_RETRIES": str(retries)}
    env = second(at_head, checkout, "ALTER TABLE projects ADD COLUMN more int", **limits)
    before = read(at_head)
    with closing(server.connect(str(at_head.database))) as reader, reader.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("SELECT FROM projects")
        started = time.monotonic()
        ended = run("schema", "upgrade", env=env)
        waited = 0.05 * (2**retries - 1) + 0.1 * (retries + 1)
        assert waited < time.monotonic() - started < 1.5 * waited + 2
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-blocked]")
    assert read(at_head) == before
    assert len([said for said in caplog.messages if "starts again" in said]) == retries


def test_failure_that_is_no_lock_is_not_tried_again(at_head: URL, checkout: Path, run: Run) -> None:
    started = time.monotonic()
    env = second(at_head, checkout, "SELECT 1 / 0", DB_LOCK_RETRIES="5")
    assert run("schema", "upgrade", env=env).code == 5
    assert time.monotonic() - started < 5


def test_schema_of_production_is_put_aside_first(
    server: Server, prod: URL, checkout: Path, tmp_path: Path, run: Run
) -> None:
    add_revision(checkout, "DROP TABLE task_labels", waivers=DROPPED)
    execute(prod, "CREATE TABLE of_another (id int)", "INSERT INTO of_another VALUES (1)")
    env = production(prod, DB_ALEMBIC_INI=str(checkout / "alembic.ini"), DB_BACKUP_DIR="put/aside")
    ended = run("schema", "upgrade", "--confirm", REF, env=env)
    if no_schema_dump(server, prod, ended):
        return
    assert ended.code == 0, ended.err
    dump, record = sorted((tmp_path / "put" / "aside").iterdir())
    assert dump.name.startswith(f"{REF}-") and dump.name.endswith("-schema.dump")
    assert record.name == f"{dump.name}.json"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (dump, record)] == [0o600, 0o600]
    assert stat.S_IMODE(dump.parent.stat().st_mode) == 0o700

    said = json.loads(record.read_text())
    assert (said["kind"], said["reference"], said["revision"]) == ("schema", REF, HEAD)
    age = datetime.now(UTC) - datetime.fromisoformat(said["created_at"])
    assert timedelta() <= age < timedelta(minutes=1)
    ((reached,),) = execute(prod, f"SELECT pg_current_wal_lsn() >= '{said['lsn']}'::pg_lsn")
    assert reached is True

    program = clients.program("pg_restore", target_of(prod).settings)
    listed = subprocess.run([program, "--list", dump], capture_output=True, text=True, check=True)
    for wanted in ("TABLE public task_labels", "TABLE dhafnck identity", "TABLE legacy imports"):
        assert f" {wanted} " in listed.stdout
    assert "TABLE DATA" not in listed.stdout
    assert " SCHEMA - auth " not in listed.stdout


def test_nothing_is_put_aside_where_nothing_would_change(
    prod: URL, tmp_path: Path, run: Run
) -> None:
    assert run("schema", "upgrade", "--confirm", REF, env=production(prod)).code == 0
    assert list(tmp_path.iterdir()) == []


def test_migration_does_not_begin_without_its_restore_point(
    prod: URL, checkout: Path, tmp_path: Path, run: Run
) -> None:
    add_revision(checkout, "DROP TABLE task_labels", waivers=DROPPED)
    (tmp_path / "file").write_text("")
    ini = str(checkout / "alembic.ini")
    before = read(prod)
    env = production(prod, DB_ALEMBIC_INI=ini, DB_BACKUP_DIR="file/in")
    ended = run("schema", "upgrade", "--confirm", REF, env=env)
    assert (ended.code, ended.out) == (2, "")
    assert "error[file-unwritable]: cannot create the folder file/in\n" in ended.err
    assert read(prod) == before
