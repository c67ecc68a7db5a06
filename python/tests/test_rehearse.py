"""A rehearsal tries revisions on a copy, says what each held up, and never writes to the target."""

import json
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import Ended, configuration
from fix_backup import make
from fix_schema import HEAD, NEXT, REVISIONS, add_revision, catalog, execute, version
from sqlalchemy import URL

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]

pytestmark = pytest.mark.usefixtures("client_fits")


@pytest.fixture
def env(at_head: URL, checkout: Path) -> dict[str, str]:
    return configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))


def steps(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(step["revision"], step["way"]) for step in result["steps"]]


def locks(result: dict[str, Any], way: str) -> dict[str, str]:
    (step,) = [step for step in result["steps"] if step["way"] == way]
    return {lock["table"]: lock["mode"] for lock in step["locks"]}


@pytest.fixture
def temporary(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files, which the server's user may enter; nobody else's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


def test_pending_revision_is_tried_up_down_and_up(
    at_head: URL, checkout: Path, env: dict[str, str], done: Json, temporary: Path
) -> None:
    add_revision(
        checkout,
        "ALTER TABLE projects ADD COLUMN more int; UPDATE tasks SET title = title; "
        "CREATE TABLE fresh (); LOCK TABLE agents IN SHARE MODE; SELECT pg_sleep(0.2)",
        "DROP TABLE fresh; ALTER TABLE projects DROP COLUMN more",
    )
    execute(at_head, f'ALTER DATABASE "{at_head.database}" SET default_transaction_read_only = on')
    before = catalog(at_head)
    result = done("schema", "rehearse", env=env)
    assert (result["changed"], result["pending"], result["at"]) == (False, True, HEAD)
    assert result["revisions"] == [NEXT]
    assert steps(result) == [(NEXT, "up"), (NEXT, "down"), (NEXT, "up again")]
    assert result["source"] == "the schema, without rows"
    wanted = {
        "public.agents": "ShareLock",
        "public.projects": "AccessExclusiveLock",
        "public.tasks": "RowExclusiveLock",
    }
    assert locks(result, "up") == wanted
    assert locks(result, "up again") == wanted
    assert locks(result, "down") == {
        "public.fresh": "AccessExclusiveLock",
        "public.projects": "AccessExclusiveLock",
    }
    first, down, _ = (step["seconds"] for step in result["steps"])
    assert 0.2 <= first < 2 and down < 0.2
    assert (result["differences"], result["lost"]) == ([], [])
    assert (catalog(at_head), version(at_head), list(temporary.iterdir())) == (before, HEAD, [])


def test_with_nothing_pending_the_newest_is_tried(
    at_head: URL, env: dict[str, str], run: Run
) -> None:
    ended = run("schema", "rehearse", env=env)
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert lines[0] == f"revisions  {HEAD} (applied before; at {HEAD})"
    assert [line.split()[:2] for line in lines[3:6]] == [
        [HEAD, "up"], [HEAD, "down"], [HEAD, "up"]
    ]  # fmt: skip
    assert lines[-1].endswith("tables that no step locked for writing hold the same rows")


def test_all_revisions_can_be_rehearsed(env: dict[str, str], done: Json, run: Run) -> None:
    number = str(len(REVISIONS))
    result = done("schema", "rehearse", "--last", number, env=env)
    assert result["revisions"] == REVISIONS
    assert steps(result)[:2] == [(REVISIONS[0], "up"), (REVISIONS[1], "up")]
    assert len(result["steps"]) == 3 * len(REVISIONS)
    ended = run("schema", "rehearse", "--last", "99", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (2, "error[too-few-revisions]")


def test_backup_is_restored_where_there_is_one(
    filled: URL, checkout: Path, tmp_path: Path, run: Run, done: Json
) -> None:
    dump = make(run, filled, tmp_path)
    add_revision(
        checkout,
        "ALTER TABLE users ADD COLUMN more text; UPDATE projects SET name = name || '!'",
        "ALTER TABLE users DROP COLUMN more",
    )
    env = configuration(filled, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    result = done("schema", "rehearse", env=env)
    assert (result["backup"], result["source"]) == (dump.name, f"backup {dump.name}")
    (first, *_) = result["steps"]
    assert {lock["table"]: lock["rows"] for lock in first["locks"]} == {
        "public.projects": 40,
        "public.users": 5,
    }
    assert result["lost"] == ["public.projects"]  # going down does not take the "!" away
    assert result["differences"] == []
    assert result["untouched"] > 15


def test_backup_of_an_older_revision_is_brought_forward(
    filled: URL, checkout: Path, tmp_path: Path, run: Run, done: Json
) -> None:
    dump = make(run, filled, tmp_path)
    add_revision(checkout, "CREATE TABLE first ()", "DROP TABLE first")
    env = configuration(filled, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    done("schema", "upgrade", env=env)
    result = done("schema", "rehearse", env=env)
    assert (result["backup"], result["revisions"], result["at"]) == (dump.name, [NEXT], NEXT)
    assert done("schema", "rehearse", "--schema-only", env=env)["backup"] is None


def test_backup_of_a_newer_checkout_is_not_taken(
    filled: URL, checkout: Path, tmp_path: Path, run: Run, done: Json
) -> None:
    add_revision(checkout, "CREATE TABLE first ()", "DROP TABLE first")
    env = configuration(filled, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    done("schema", "upgrade", env=env)
    make(run, filled, tmp_path)
    done("schema", "downgrade", HEAD, env=env)
    assert done("schema", "rehearse", env=configuration(filled))["backup"] is None


def test_backup_of_another_database_is_not_taken(
    filled: URL, tmp_path: Path, run: Run, done: Json
) -> None:
    make(run, filled, tmp_path)
    execute(filled, "UPDATE dhafnck.identity SET reference = 'another'")
    assert done("schema", "rehearse", env=configuration(filled))["backup"] is None


def test_damaged_backup_is_a_failure(filled: URL, tmp_path: Path, run: Run) -> None:
    dump = tmp_path / make(run, filled, tmp_path)
    dump.write_bytes(dump.read_bytes()[:-9] + b"otherwise")
    ended = run("schema", "rehearse", env=configuration(filled))
    assert (ended.code, ended.err.split(":")[0]) == (6, "error[backup-damaged]")


@pytest.mark.parametrize(
    ("upgrade", "downgrade", "said"),
    [
        ("CREATE TABLE more ()", "SELECT 1", f"revision {NEXT} failed on the copy, going up again"),
        ("SELECT 1 / 0", "SELECT 1", f"revision {NEXT} failed on the copy, going up\n"),
        ("SELECT 1", "SELECT 1 / 0", f"revision {NEXT} failed on the copy, going down\n"),
        ("CREATE ROLE more", "SELECT 1", "permission denied"),
    ],
)
def test_step_that_fails_is_named(
    at_head: URL,
    checkout: Path,
    env: dict[str, str],
    run: Run,
    temporary: Path,
    upgrade: str,
    downgrade: str,
    said: str,
) -> None:
    add_revision(checkout, upgrade, downgrade)
    before = catalog(at_head)
    ended = run("schema", "rehearse", env=env)
    assert (ended.code, ended.out) == (6, "")
    assert ended.err.startswith("error[rehearsal-failed]: ")
    assert said in ended.err
    assert (catalog(at_head), version(at_head), list(temporary.iterdir())) == (before, HEAD, [])


@pytest.mark.parametrize(
    ("upgrade", "downgrade", "said"),
    [
        (
            "CREATE TABLE IF NOT EXISTS more ()",
            "SELECT 1",
            "going down leaves relation public.more, which was not there",
        ),
        (
            "ALTER TABLE projects ALTER name SET DEFAULT 'x'",
            "ALTER TABLE projects ALTER name SET DEFAULT 'y'",
            "going down leaves another column public.projects.name",
        ),
        (
            "DROP INDEX IF EXISTS idx_task_status",
            "SELECT 1",
            "going down leaves no index public.idx_task_status",
        ),
    ],
)
def test_what_does_not_come_back_is_a_difference(
    checkout: Path, env: dict[str, str], run: Run, upgrade: str, downgrade: str, said: str
) -> None:
    add_revision(checkout, upgrade, downgrade)
    ended = run("schema", "rehearse", "--format", "json", env=env)
    assert (ended.code, ended.err) == (6, "")
    assert said in json.loads(ended.out)["differences"]
    assert f"different: {said}\n" in run("schema", "rehearse", env=env).out


def test_column_that_comes_back_last_is_no_difference(
    checkout: Path, env: dict[str, str], done: Json
) -> None:
    add_revision(
        checkout,
        "ALTER TABLE legacy.rejects DROP COLUMN code",
        "ALTER TABLE legacy.rejects ADD COLUMN code text NOT NULL",
    )
    assert done("schema", "rehearse", env=env)["differences"] == []


def test_locks_outside_a_transaction_are_seen_from_beside(
    filled: URL, checkout: Path, tmp_path: Path, run: Run, done: Json
) -> None:
    execute(
        filled,
        "INSERT INTO projects (id, name, user_id) "
        "SELECT gen_random_uuid(), md5(n::text), 'me' FROM generate_series(1, 60000) AS n",
    )
    make(run, filled, tmp_path)
    (checkout / "alembic" / "versions" / f"{NEXT}_index.py").write_text(f"""
from alembic import op

revision = {NEXT!r}
down_revision = {HEAD!r}

def upgrade():
    with op.get_context().autocommit_block():
        op.create_index("ix_more", "projects", ["name"], postgresql_concurrently=True)

def downgrade():
    with op.get_context().autocommit_block():
        op.drop_index("ix_more", "projects", postgresql_concurrently=True)
""")
    env = configuration(filled, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    result = done("schema", "rehearse", env=env)
    assert locks(result, "up")["public.projects"] == "ShareUpdateExclusiveLock"


def test_rehearsal_without_a_server_is_a_failure(
    env: dict[str, str], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dhafnck_db.scratch.INSTALLED", tmp_path)
    ended = run("schema", "rehearse", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[server-programs-missing]")


def test_sizes_of_the_tables_are_those_of_the_target(
    at_head: URL, checkout: Path, env: dict[str, str], done: Json
) -> None:
    add = "INSERT INTO projects (id, name, user_id) SELECT gen_random_uuid(), n::text, 'me' "
    execute(at_head, add + "FROM generate_series(1, 300) AS n", "ANALYZE projects")
    add_revision(
        checkout,
        "ALTER TABLE projects ADD COLUMN more int",
        "ALTER TABLE projects DROP COLUMN more",
    )
    result = done("schema", "rehearse", env=env)
    assert result["steps"][0]["locks"][0]["rows"] == 300


def test_edited_revision_is_not_rehearsed(checkout: Path, env: dict[str, str], run: Run) -> None:
    (file,) = (checkout / "alembic" / "versions").glob("0002*.py")
    file.write_text(file.read_text() + "# edited\n")
    ended = run("schema", "rehearse", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[edited-revision]")
