"""A database whose history is another than the checkout's is not moved, and it is said why."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended, configuration
from fix_schema import HEAD, NEXT, add_revision, catalog, execute, version
from sqlalchemy import URL

from dhafnck_db.legacy.sample import write_sample

Run = Callable[..., Ended]


@pytest.fixture
def env(at_head: URL, checkout: Path) -> dict[str, str]:
    return configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))


def edit(checkout: Path, revision: str) -> tuple[Path, str]:
    (file,) = (checkout / "alembic" / "versions").glob(f"{revision}*.py")
    before = file.read_text()
    file.write_text(before + "# edited\n")
    return file, before


def code(ended: Ended) -> tuple[int, str]:
    return ended.code, ended.err.split("]")[0].removeprefix("error[")


@pytest.mark.parametrize("option", [(), ("--dry-run",)])
@pytest.mark.parametrize("revision", ["0002", HEAD])
def test_edited_revision_stops_an_upgrade(
    at_head: URL,
    checkout: Path,
    env: dict[str, str],
    run: Run,
    revision: str,
    option: tuple[str, ...],
) -> None:
    add_revision(checkout, "CREATE TABLE more ()")
    file, content = edit(checkout, revision)
    before = catalog(at_head)
    ended = run("schema", "upgrade", *option, env=env)
    assert (code(ended), ended.out) == ((5, "edited-revision"), "")
    assert f"the file of revision {revision} is another than when " in ended.err
    assert "put the file back as it was" in ended.err
    assert (catalog(at_head), version(at_head)) == (before, HEAD)

    file.write_text(content)
    assert run("schema", "upgrade", env=env).code == 0
    assert version(at_head) == NEXT


def test_edited_revision_is_refused_with_nothing_pending(
    checkout: Path, env: dict[str, str], run: Run
) -> None:
    edit(checkout, "0003")
    assert code(run("schema", "upgrade", env=env)) == (5, "edited-revision")


def test_edited_revision_can_be_undone(
    at_head: URL, env: dict[str, str], checkout: Path, run: Run
) -> None:
    edit(checkout, HEAD)
    below = f"{int(HEAD) - 1:04}"
    assert run("schema", "downgrade", below, env=env).code == 0
    assert version(at_head) == below


def test_health_is_degraded_by_an_edited_revision(
    checkout: Path, env: dict[str, str], run: Run
) -> None:
    edit(checkout, "0002")
    assert "0002 was edited after it was applied" in run("health", env=env).out


def test_record_that_does_not_lead_to_the_version_is_refused(
    at_head: URL, env: dict[str, str], run: Run
) -> None:
    execute(at_head, "UPDATE alembic_version SET version_num = '0003'")
    before = catalog(at_head)
    for command in (("upgrade",), ("upgrade", "--dry-run"), ("downgrade", "base")):
        ended = run("schema", *command, env=env)
        assert code(ended) == (5, "diverged-history")
        assert f"has revision 0004, {HEAD}, which does not lead to 0003" in ended.err
    assert catalog(at_head) == before


def test_several_heads_of_the_files_are_named(
    at_head: URL, checkout: Path, env: dict[str, str], run: Run
) -> None:
    file = add_revision(checkout, "SELECT 1")
    file.with_name("beef_other.py").write_text(file.read_text().replace(repr(NEXT), "'beef'"))
    before = catalog(at_head)
    for command in (("upgrade",), ("current",), ("check",), ("revision", "-m", "x")):
        ended = run("schema", *command, env=env)
        assert (code(ended), ended.out) == ((3, "several-heads"), "")
        assert f"the revision files have several heads: {NEXT}, beef\n" in ended.err
        assert "alembic merge" in ended.err
    assert (catalog(at_head), version(at_head)) == (before, HEAD)
    assert run("schema", "upgrade", NEXT, env=env).code == 0  # one that was chosen


def test_database_at_several_revisions_is_refused(
    at_head: URL, checkout: Path, env: dict[str, str], run: Run
) -> None:
    execute(at_head, "INSERT INTO alembic_version VALUES ('0001')")
    for command in (("upgrade",), ("current",), ("downgrade", "base")):
        ended = run("schema", *command, env=env)
        assert code(ended) == (5, "several-revisions")
        assert f"at several revisions at once: 0001, {HEAD}\n" in ended.err


def test_older_database_is_said_to_be_behind(
    at_head: URL, checkout: Path, env: dict[str, str], run: Run
) -> None:
    add_revision(checkout, "SELECT 1")
    write_sample(legacy := checkout / "old.db")
    for command in (("schema", "revision", "-m", "x"), ("sqlite", "import", str(legacy))):
        ended = run(*command, env=env)
        assert code(ended) == (5, "schema-behind")
        assert f"is at revision {HEAD}, not at {NEXT}\n" in ended.err


def schema_check(run: Run, env: dict[str, str]) -> tuple[str, str]:
    ended = run("health", "--format", "json", env=env)
    (check,) = [one for one in json.loads(ended.out)["checks"] if one["name"] == "schema"]
    return check["status"], check["finding"]


def test_health_names_several_heads(checkout: Path, env: dict[str, str], run: Run) -> None:
    file = add_revision(checkout, "SELECT 1")
    file.with_name("beef_other.py").write_text(file.read_text().replace(repr(NEXT), "'beef'"))
    status, finding = schema_check(run, env)
    assert (status, f"several heads: {NEXT}, beef" in finding) == ("failed", True)


def test_health_names_several_revisions(at_head: URL, env: dict[str, str], run: Run) -> None:
    execute(at_head, "INSERT INTO alembic_version VALUES ('0001')")
    status, finding = schema_check(run, env)
    assert (status, f"several revisions at once: 0001, {HEAD}" in finding) == ("failed", True)
