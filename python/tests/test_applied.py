"""The record of revisions says what the database has, and health believes no more of it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Ended, configuration
from fix_schema import HEAD, NEXT, REVISIONS, add_revision, execute
from sqlalchemy import URL

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]


@pytest.fixture
def env(at_head: URL, checkout: Path) -> dict[str, str]:
    """The environment of a database at head, with a checkout that a test may change."""
    return configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))


def recorded(url: URL) -> list[str]:
    rows = execute(url, "SELECT revision FROM dhafnck.revisions ORDER BY revision")
    return [str(name) for (name,) in rows]


def finding(run: Run, env: dict[str, str]) -> tuple[str, str]:
    report = json.loads(run("health", "--format", "json", env=env).out)
    (check,) = [check for check in report["checks"] if check["name"] == "schema"]
    return check["status"], check["finding"]


def loads_alembic(env: dict[str, str]) -> bool:
    ended = subprocess.run(
        [sys.executable, "-v", "-c", "from dhafnck_db.cli.main import main; main()", "health"],
        env={**os.environ, **env, "DB_ENV_FILE": os.devnull},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "import 'sqlalchemy'" in ended.stderr
    return "import 'alembic'" in ended.stderr


def test_record_follows_every_migration(
    at_head: URL, env: dict[str, str], checkout: Path, done: Json
) -> None:
    assert recorded(at_head) == REVISIONS
    add_revision(checkout, "SELECT 1")
    done("schema", "upgrade", env=env)
    assert recorded(at_head) == [*REVISIONS, NEXT]
    done("schema", "downgrade", HEAD, env=env)
    assert recorded(at_head) == REVISIONS


def test_revisions_from_before_the_record_are_in_it(
    at_head: URL, env: dict[str, str], done: Json
) -> None:
    done("schema", "downgrade", "0004", env=env)
    done("schema", "upgrade", env=env)
    assert recorded(at_head) == REVISIONS


def test_health_of_unchanged_files_needs_no_alembic(env: dict[str, str], run: Run) -> None:
    assert not loads_alembic(env)
    assert finding(run, env) == ("ok", f"revision {HEAD} (head), 19 tables")


def test_edited_file_makes_health_ask_alembic(
    env: dict[str, str], checkout: Path, run: Run
) -> None:
    (file,) = (checkout / "alembic" / "versions").glob(f"{HEAD}*.py")
    file.write_text(file.read_text() + "# edited\n")
    assert loads_alembic(env)
    said = f"revision {HEAD} (head), 19 tables; {HEAD} was edited after it was applied"
    assert finding(run, env) == ("warning", said)


def test_pending_revision_is_found(env: dict[str, str], checkout: Path, run: Run) -> None:
    add_revision(checkout, "SELECT 1")
    assert finding(run, env) == ("failed", f"revision {HEAD}; head is {NEXT}")


@pytest.mark.parametrize(
    "statement",
    ["DROP TABLE dhafnck.revisions", "TRUNCATE dhafnck.revisions"],
)
def test_lost_record_is_no_fault_of_the_schema(
    at_head: URL, env: dict[str, str], run: Run, statement: str
) -> None:
    execute(at_head, statement)
    assert finding(run, env) == ("ok", f"revision {HEAD} (head), 19 tables")


def test_version_set_by_hand_is_found(at_head: URL, env: dict[str, str], run: Run) -> None:
    execute(at_head, "UPDATE alembic_version SET version_num = '0001'")
    assert finding(run, env) == ("failed", f"revision 0001; head is {HEAD}")


def test_other_places_of_revisions_are_alembics_to_find(
    env: dict[str, str], checkout: Path, run: Run
) -> None:
    ini = checkout / "alembic.ini"
    line = "version_locations = %(here)s/alembic/versions"
    ini.write_text(ini.read_text().replace("path_separator", f"{line}\npath_separator"))
    assert loads_alembic(env)
    assert finding(run, env) == ("ok", f"revision {HEAD} (head), 19 tables")
