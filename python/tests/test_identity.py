"""A database knows which environment it is, and nothing writes to the wrong one."""

import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import PASSWORD, Ended, Server, configuration
from fix_prod import no_schema_dump
from fix_schema import HEAD, WRITING, add_revision, catalog, execute, target_of, version
from sqlalchemy import URL

from dhafnck_db import clients

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]


def identity(url: URL) -> list[Any]:
    return execute(url, "SELECT environment, reference, created_at FROM dhafnck.identity")


def supabase(url: URL) -> dict[str, str]:
    project = {"DATABASE_TYPE": "supabase", "SUPABASE_URL": "https://abc.supabase.co"}
    return configuration(url, **project, SUPABASE_CONFIRM="abc")


def test_first_upgrade_stamps_the_server_and_the_environment(database: URL, done: Json) -> None:
    done("schema", "upgrade", env=configuration(database))
    query = "SELECT system_identifier::text FROM pg_control_system()"
    ((environment, reference, _),) = identity(database)
    assert (environment, [(reference,)]) == ("dev", execute(database, query))


@pytest.mark.parametrize("label", ["test", "prod"])
def test_first_upgrade_stamps_what_it_was_configured_for(
    server: Server, database: URL, run: Run, label: str
) -> None:
    test = configuration(database)["DATABASE_URL"]
    env = supabase(database) if label == "prod" else configuration(database, TEST_DATABASE_URL=test)
    ended = run("schema", "upgrade", env=env)
    if label == "prod" and no_schema_dump(server, database, ended):
        return
    assert ended.code == 0
    ((environment, reference, _),) = identity(database)
    assert environment == label
    assert (reference == "abc") == (label == "prod")


def test_identity_stays_as_it_was_made(at_head: URL, checkout: Path, done: Json) -> None:
    add_revision(checkout, "SELECT 1")
    execute(at_head, "UPDATE dhafnck.identity SET reference = 'another server'")
    before = identity(at_head)
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    assert done("schema", "upgrade", env=env)["changed"] is True
    assert identity(at_head) == before


@pytest.mark.parametrize("stamped", ["dev", "test", "prod"])
def test_database_of_another_environment_is_not_touched(
    at_head: URL, tmp_path: Path, run: Run, stamped: str
) -> None:
    execute(at_head, f"UPDATE dhafnck.identity SET environment = '{stamped}'")  # noqa: S608  # our own words
    before = catalog(at_head), identity(at_head)
    env = supabase(at_head) if stamped == "dev" else configuration(at_head)
    for command in WRITING:
        ended = run(*command, env=env)
        assert (ended.code, ended.out) == (7, "")
        assert ended.err.startswith("error[wrong-environment]: ")
        assert f"is a {stamped} database, not {'prod' if stamped == 'dev' else 'dev'}" in ended.err
        assert (catalog(at_head), identity(at_head), version(at_head)) == (*before, HEAD)
        assert list(tmp_path.iterdir()) == []


def test_database_of_another_project_is_not_touched(at_head: URL, run: Run) -> None:
    execute(at_head, "UPDATE dhafnck.identity SET environment = 'prod', reference = 'xyz'")
    before = catalog(at_head), identity(at_head)
    for command in WRITING:
        ended = run(*command, env=supabase(at_head))
        assert (ended.code, ended.out) == (7, "")
        assert ended.err.startswith("error[wrong-project]: ")
        assert "belongs to project xyz, not abc" in ended.err
        assert (catalog(at_head), identity(at_head)) == before


@pytest.mark.parametrize(
    ("label", "into", "code"),
    [
        ("dev", "prod", "wrong-environment"),
        ("prod", "dev", "wrong-environment"),
        ("prod", "another", "wrong-project"),
    ],
)
def test_dump_that_was_restored_elsewhere_is_not_written_to(
    server: Server,
    at_head: URL,
    database: URL,
    tmp_path: Path,
    run: Run,
    label: str,
    into: str,
    code: str,
) -> None:
    stamped = f"UPDATE dhafnck.identity SET environment = '{label}', reference = 'abc'"  # noqa: S608  # our own words
    execute(at_head, stamped)
    dumped = run("backup", "create", "db.dump", env=supabase(at_head))
    if no_schema_dump(server, at_head, dumped):
        return
    subprocess.run(
        [
            clients.program("pg_restore", target_of(database).settings), "--dbname",
            str(database.database), "--no-owner", tmp_path / "db.dump",
        ],
        env=clients.environment(target_of(database).backup),
        capture_output=True,
        check=False,  # schema public and the vendor's are there
    )  # fmt: skip
    assert [found[0] for found in identity(database)] == [label]
    before = catalog(database), identity(database)
    env = supabase(database) if into != "dev" else configuration(database)
    if into == "another":
        env |= {"SUPABASE_URL": "https://xyz.supabase.co", "SUPABASE_CONFIRM": "xyz"}
    for command in WRITING:
        ended = run(*command, env=env)
        assert (ended.code, ended.out) == (7, "")
        assert ended.err.startswith(f"error[{code}]: ")
    assert (catalog(database), identity(database)) == before


def test_psql_keeps_off_another_environment(at_head: URL, run: Run) -> None:
    assert run("psql", env=supabase(at_head)).err.startswith("error[wrong-environment]: ")
    execute(at_head, "UPDATE dhafnck.identity SET environment = 'prod'")
    assert run("psql", env=configuration(at_head)).err.startswith("error[wrong-environment]: ")


def test_url_of_another_project_is_refused_before_there_is_an_identity(
    server: Server, database: URL, run: Run
) -> None:
    before = catalog(database)
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute('CREATE ROLE "postgres.xyz" LOGIN PASSWORD %s', (PASSWORD,))
        try:
            url = database.set(username="postgres.xyz")
            for command in WRITING:
                ended = run(*command, env=supabase(url))
                assert (ended.code, ended.out) == (7, "")
                assert ended.err.startswith("error[wrong-project]: ")
                assert "is of project xyz, not abc" in ended.err
        finally:
            cursor.execute('DROP ROLE "postgres.xyz"')
    assert catalog(database) == before


def test_what_only_reads_is_not_refused(shared: URL, run: Run) -> None:
    for command in ("current", "check"):
        assert run("schema", command, env=supabase(shared)).code == 0
