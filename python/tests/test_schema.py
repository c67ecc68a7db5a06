"""Moving the schema of a database, and comparing it with the models."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import Ended, Server, configuration
from fix_schema import HEAD, NEXT, REVISIONS, add_revision, catalog, execute, version
from sqlalchemy import URL

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]

WAY = {"way": "DATABASE_URL"}


@pytest.fixture
def two(at_head: URL, checkout: Path) -> dict[str, str]:
    """The environment of a database at HEAD, with a checkout that knows NEXT."""
    add_revision(checkout, "CREATE TABLE second ()", "DROP TABLE second")
    return configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))


def test_upgrade_is_predicted_done_once_and_done_with(database: URL, done: Json) -> None:
    env, empty = configuration(database), catalog(database)
    expected = {"changed": True, "before": None, "after": HEAD, "revisions": REVISIONS, **WAY}
    assert done("schema", "upgrade", "--dry-run", env=env) == expected
    assert catalog(database) == empty

    assert done("schema", "upgrade", env=env) == expected
    upgraded = catalog(database)
    assert len(upgraded) > len(empty)

    expected = {"changed": False, "before": HEAD, "after": HEAD, "revisions": [], **WAY}
    assert done("schema", "upgrade", "--dry-run", env=env) == expected
    assert done("schema", "upgrade", env=env) == expected
    assert catalog(database) == upgraded


def test_downgrade_is_predicted_done_once_and_done_with(at_head: URL, done: Json) -> None:
    env, upgraded = configuration(at_head), catalog(at_head)
    expected = {"changed": True, "before": HEAD, "after": None, "revisions": REVISIONS[::-1], **WAY}
    assert done("schema", "downgrade", "base", "--dry-run", env=env) == expected
    assert catalog(at_head) == upgraded

    assert done("schema", "downgrade", "base", env=env) == expected
    left = {name for name, _ in catalog(at_head) if name.startswith(("public.", "dhafnck."))}
    assert left == {"public.alembic_version", "public.alembic_version_pkc"}

    expected = {"changed": False, "before": None, "after": None, "revisions": [], **WAY}
    assert done("schema", "downgrade", "base", env=env) == expected


@pytest.mark.parametrize("revision", ["head", NEXT, "+1"])
def test_upgrade_applies_only_what_is_pending(
    at_head: URL, two: dict[str, str], done: Json, revision: str
) -> None:
    before = catalog(at_head)
    expected = {"changed": True, "before": HEAD, "after": NEXT, "revisions": [NEXT], **WAY}
    assert done("schema", "upgrade", revision, "--dry-run", env=two) == expected
    assert catalog(at_head) == before
    assert done("schema", "upgrade", revision, env=two) == expected
    assert {name for name, _ in catalog(at_head) - before} == {"public.second"}
    assert version(at_head) == NEXT


def test_upgrade_to_an_older_revision_changes_nothing(
    at_head: URL, two: dict[str, str], done: Json
) -> None:
    done("schema", "upgrade", env=two)
    expected = {"changed": False, "before": NEXT, "after": NEXT, "revisions": [], **WAY}
    assert done("schema", "upgrade", HEAD, "--dry-run", env=two) == expected
    assert done("schema", "upgrade", HEAD, env=two) == expected
    assert version(at_head) == NEXT


@pytest.mark.parametrize("revision", [HEAD, "-1"])
def test_downgrade_undoes_only_what_is_above(
    at_head: URL, two: dict[str, str], done: Json, revision: str
) -> None:
    before = catalog(at_head)
    done("schema", "upgrade", env=two)
    expected = {"changed": True, "before": NEXT, "after": HEAD, "revisions": [NEXT], **WAY}
    assert done("schema", "downgrade", "--dry-run", "--", revision, env=two) == expected
    assert version(at_head) == NEXT
    assert done("schema", "downgrade", "--", revision, env=two) == expected
    assert (catalog(at_head), version(at_head)) == (before, HEAD)


def test_downgrade_to_a_newer_revision_is_refused(
    at_head: URL, two: dict[str, str], run: Run
) -> None:
    before = catalog(at_head)
    for option in ("--dry-run", "--format=json"):
        ended = run("schema", "downgrade", NEXT, option, env=two)
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("error[alembic]: ")
    assert catalog(at_head) == before


@pytest.mark.parametrize("verb", ["upgrade", "downgrade"])
def test_revision_that_does_not_exist_is_refused(shared: URL, run: Run, verb: str) -> None:
    ended = run("schema", verb, "beef", env=configuration(shared))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error[alembic]: ")
    assert "beef" in ended.err


def test_failed_migration_leaves_everything_as_it_was(
    at_head: URL, checkout: Path, run: Run
) -> None:
    add_revision(checkout, "CREATE TABLE half (); SELECT 1 / 0")
    before = catalog(at_head)
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    ended = run("schema", "upgrade", env=env)
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("error[migration-failed]: ")
    assert "cause: division by zero" in ended.err
    assert (catalog(at_head), version(at_head)) == (before, HEAD)


def test_limits_of_a_migration_end_with_it(at_head: URL, checkout: Path, done: Json) -> None:
    names = ("lock_timeout", "statement_timeout")
    values = ", ".join(f"current_setting('{name}') AS {name}" for name in names)
    add_revision(checkout, f"CREATE TABLE seen AS SELECT {values}")
    ini = str(checkout / "alembic.ini")
    limits = {"DB_LOCK_TIMEOUT": "7s", "DB_STATEMENT_TIMEOUT": "3min"}
    done("schema", "upgrade", env=configuration(at_head, DB_ALEMBIC_INI=ini, **limits))
    assert execute(at_head, "SELECT * FROM seen") == [("7s", "3min")]
    assert execute(at_head, f"SELECT {values}") == [("0", "0")]


@pytest.mark.parametrize(
    ("moved", "expected"),
    [
        (False, {"revision": None, "head": HEAD, "at_head": False}),
        (True, {"revision": HEAD, "head": HEAD, "at_head": True}),
    ],
)
def test_current_names_the_revision_and_the_head(
    database: URL, done: Json, moved: bool, expected: dict[str, Any]
) -> None:
    env = configuration(database)
    if moved:
        done("schema", "upgrade", env=env)
    before = catalog(database)
    assert done("schema", "current", env=env) == {"changed": False, **expected}
    assert catalog(database) == before


def test_history_lists_the_revisions_and_needs_no_database(two: dict[str, str], done: Json) -> None:
    env = {"DB_ALEMBIC_INI": two["DB_ALEMBIC_INI"]}
    found = done("schema", "history", env=env)["revisions"]
    assert [(step["revision"], step["down_revision"]) for step in found] == [
        *zip([NEXT, *REVISIONS[::-1]], [*REVISIONS[::-1], None], strict=True)
    ]


def test_revision_unknown_to_the_checkout_is_refused(at_head: URL, run: Run) -> None:
    execute(at_head, "UPDATE alembic_version SET version_num = 'ffff'")
    before = catalog(at_head)
    for command in (("upgrade",), ("downgrade", "base")):
        ended = run("schema", *command, env=configuration(at_head))
        assert (ended.code, ended.err.split(":")[0]) == (5, "error[unknown-revision]")
        assert "ffff" in ended.err
    assert catalog(at_head) == before


def test_server_without_the_roles_is_refused(server: Server, database: URL, run: Run) -> None:
    before = catalog(database)
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute("ALTER ROLE anon RENAME TO away")
        try:
            ended = run("schema", "upgrade", env=configuration(database))
        finally:
            cursor.execute("ALTER ROLE away RENAME TO anon")
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[roles-missing]")
    assert "no role anon\n" in ended.err
    assert catalog(database) == before


def test_text_says_what_was_done(database: URL, run: Run) -> None:
    env = configuration(database)
    for command, said in (
        (("upgrade", "--dry-run"), f"would upgrade base -> {HEAD} ({', '.join(REVISIONS)})"),
        (("upgrade",), f"upgraded base -> {HEAD} ({', '.join(REVISIONS)})"),
        (("upgrade",), f"at {HEAD}; nothing to upgrade"),
        (("current",), f"{HEAD} (head)"),
        (("downgrade", "base"), f"downgraded {HEAD} -> base ({', '.join(REVISIONS[::-1])})"),
        (("current",), f"none (head is {HEAD})"),
    ):
        assert run("schema", *command, env=env) == (0, f"{said}\n", "")
