"""Each fault of the schema and of the pool gives its own finding, and nothing is written."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
import pytest
from conftest import OWNER, Ended, Server, configuration
from fix_schema import HEAD, NEXT, add_revision, execute, target_of
from sqlalchemy import URL, text
from sqlalchemy.exc import InternalError
from test_doctor import findings

from dhafnck_db.doctor.context import Context

Run = Callable[..., Ended]


@pytest.mark.parametrize(
    ("statement", "name", "words"),
    [
        ("UPDATE alembic_version SET version_num = 'beef'", "revision unknown", "beef"),
        ("UPDATE alembic_version SET version_num = '0001'", "revision history", "0002"),
        ("DELETE FROM alembic_version", "revision history", "base"),
        ("INSERT INTO alembic_version VALUES ('beef')", "revision diverged", "beef"),
        ("DROP TABLE dhafnck.identity", "identity", "no identity"),
    ],
)
def test_each_fault_of_the_schema_is_found(
    at_head: URL, run: Run, statement: str, name: str, words: str
) -> None:
    execute(at_head, statement)
    found = findings(run("doctor", "--format", "json", env=configuration(at_head)))
    assert list(found) == [name]
    assert words in found[name]


def test_database_without_a_schema_is_behind(database: URL, run: Run) -> None:
    ended = run("doctor", "--format", "json", env=configuration(database))
    assert list(findings(ended)) == ["revision behind"]


def test_each_fault_of_the_revision_files_is_found(at_head: URL, checkout: Path, run: Run) -> None:
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    assert findings(run("doctor", "--format", "json", env=env)) == {}
    (file,) = (checkout / "alembic" / "versions").glob("0002*.py")
    before = file.read_text()
    file.write_text(before + "# edited\n")
    found = findings(run("doctor", "--format", "json", env=env))
    assert list(found) == ["revision edited"]
    assert "0002" in found["revision edited"]
    file.write_text(before)
    second = add_revision(checkout, "SELECT 1")
    ended = run("doctor", "--format", "json", env=env)
    assert list(findings(ended)) == ["revision behind"]
    text = second.read_text().replace(repr(NEXT), repr("beef"))
    (checkout / "alembic" / "versions" / "beef_second.py").write_text(text)
    found = findings(run("doctor", "--format", "json", env=env))
    assert list(found) == ["revision files"]
    assert "several heads" in found["revision files"]


@contextmanager
def outside_transactions(url: URL) -> Iterator[psycopg2.extensions.cursor]:
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            yield cursor


def test_index_that_broke_off_is_found(at_head: URL, run: Run) -> None:
    execute(at_head, 'CREATE TABLE "Twice" AS SELECT 1 AS n UNION ALL SELECT 1')
    with outside_transactions(at_head) as cursor, pytest.raises(psycopg2.errors.UniqueViolation):
        cursor.execute('CREATE UNIQUE INDEX CONCURRENTLY "Broken" ON "Twice" (n)')
    ended = run("doctor", "--format", "json", env=configuration(at_head))
    assert list(findings(ended)) == ["invalid index"]
    (found,) = json.loads(ended.out)["findings"]
    assert found["fix"].startswith('DROP INDEX CONCURRENTLY public."Broken"')
    assert execute(at_head, found["confirm"]) == [(False,)]
    with outside_transactions(at_head) as cursor:
        cursor.execute(found["fix"].partition(";")[0])
    assert findings(run("doctor", "--format", "json", env=configuration(at_head))) == {}


def test_pool_beyond_the_server_is_found(shared: URL, run: Run) -> None:
    env = configuration(shared, DB_POOL_SIZE="50", DB_MAX_OVERFLOW="48")
    found = findings(run("doctor", "--format", "json", env=env))
    assert list(found) == ["pool budget"]
    assert "98" in found["pool budget"]
    env["DB_MAX_OVERFLOW"] = "47"
    assert findings(run("doctor", "--format", "json", env=env)) == {}


def test_statement_that_the_server_refuses_is_a_finding(
    server: Server, at_head: URL, run: Run
) -> None:
    with closing(server.connect(str(at_head.database))) as superuser, superuser.cursor() as cursor:
        cursor.execute(f"REVOKE ALL ON dhafnck.identity FROM {OWNER}")
        cursor.execute("ALTER TABLE dhafnck.identity OWNER TO postgres")
    found = findings(run("doctor", "--format", "json", env=configuration(at_head)))
    assert list(found) == ["identity"]
    assert "permission denied" in found["identity"]


def test_nothing_that_a_check_asks_could_write(shared: URL) -> None:
    with Context() as context:
        vars(context)["_target"] = target_of(shared)
        with pytest.raises(InternalError, match="read-only transaction"):
            context.reading.execute(text("DELETE FROM alembic_version"))
        assert context.reading.scalar(text("SHOW statement_timeout")) == "5s"
        assert context.reading.scalar(text("SELECT version_num FROM alembic_version")) == HEAD
