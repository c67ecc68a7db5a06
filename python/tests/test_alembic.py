"""Alembic typed by hand at the root of a checkout: the same target, lock, guard and identity."""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Server, configuration
from fix_prod import REF, production
from fix_schema import HEAD, LEFT_OPEN, NEXT, REVISIONS, add_revision, catalog, execute, version
from sqlalchemy import URL, create_engine

from dhafnck_db.session import LOCK_KEY

Configure = Callable[[dict[str, str]], None]
Alembic = Callable[..., subprocess.CompletedProcess[str]]

PROGRAM = Path(sys.executable).with_name("alembic")


@pytest.fixture
def alembic(configure: Configure, checkout: Path) -> Alembic:
    """Run alembic at the root of a checkout whose .env.dev names the database."""
    configure({"DATABASE_TYPE": "postgresql"})

    def alembic(url: URL, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        lines = [f"{name}='{value}'\n" for name, value in configuration(url, **more).items()]
        (checkout / ".env.dev").write_text("".join(lines))
        (checkout / ".env.dev").chmod(0o600)
        return subprocess.run(
            [PROGRAM, *arguments],
            cwd=checkout,
            env=os.environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    return alembic


def test_alembic_typed_by_hand_does_what_it_does_elsewhere(
    database: URL, checkout: Path, alembic: Alembic
) -> None:
    ended = alembic(database, "upgrade", "head")
    assert (ended.returncode, ended.stdout) == (0, "")
    assert ended.stderr.count("Running upgrade ") == len(REVISIONS)
    assert execute(database, "SELECT environment FROM dhafnck.identity") == [("dev",)]

    ended = alembic(database, "current")
    assert (ended.returncode, ended.stdout) == (0, f"{HEAD} (head)\n")
    ended = alembic(database, "check")
    assert (ended.returncode, ended.stdout) == (0, "No new upgrade operations detected.\n")

    execute(database, "CREATE TABLE by_hand (id int)")
    ended = alembic(database, "revision", "--autogenerate", "-m", "by hand")
    assert ended.returncode == 0, ended.stderr
    (path,) = (checkout / "alembic" / "versions").glob("*_by_hand.py")
    content = path.read_text().replace("'", '"')
    assert 'op.drop_table("by_hand")' in content
    # That, and the way back, which leaves the table closed.
    assert content.count("op.") == 3
    assert content.index("def downgrade") < content.index('*secure("by_hand", service=True)')


def test_alembic_typed_by_hand_takes_the_lock(
    server: Server, database: URL, alembic: Alembic
) -> None:
    before = catalog(database)
    with closing(server.connect(str(database.database))) as other, other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        ended = alembic(database, "upgrade", "head", DB_LOCK_WAIT="0")
    assert ended.returncode != 0
    assert ended.stdout.startswith("FAILED: error[locked]: ")
    assert catalog(database) == before


def test_alembic_typed_by_hand_keeps_off_another_environment(
    at_head: URL, alembic: Alembic
) -> None:
    execute(at_head, "UPDATE dhafnck.identity SET environment = 'prod'")
    before = catalog(at_head)
    ended = alembic(at_head, "downgrade", "base")
    assert ended.returncode != 0
    assert ended.stdout.startswith("FAILED: error[wrong-environment]: ")
    assert (catalog(at_head), version(at_head)) == (before, HEAD)


def test_alembic_typed_by_hand_takes_the_ref_for_consent(
    server: Server, prod: URL, checkout: Path, configure: Configure
) -> None:
    add_revision(checkout, "CREATE TABLE second ()", waivers=LEFT_OPEN)

    def alembic(**more: str) -> subprocess.CompletedProcess[str]:
        configure(production(prod, **more))
        return subprocess.run(
            [PROGRAM, "upgrade", "head"], cwd=checkout, input=REF, capture_output=True, text=True
        )

    for more in ({}, {"SUPABASE_CONFIRM": "yes"}):
        ended = alembic(**more)
        assert ended.returncode != 0
        assert "FAILED: error[consent-" in ended.stdout
        assert "  command   alembic upgrade\n" in ended.stderr
        assert f"  pending   {NEXT}\n" in ended.stderr
        assert version(prod) == HEAD
    ended = alembic(SUPABASE_CONFIRM=REF)
    if "error[client-too-old]" in ended.stdout:
        assert (server.major > 15, version(prod)) == (True, HEAD)
        return
    assert (ended.returncode, version(prod)) == (0, NEXT), ended.stdout
    assert len(list((checkout / ".local" / "backups").glob("*-schema.dump"))) == 1


def test_sql_is_printed_without_a_database_and_makes_the_same(
    database: URL, shared: URL, alembic: Alembic
) -> None:
    nowhere = database.set(port=1)
    ended = alembic(nowhere, "upgrade", "head", "--sql")
    assert ended.returncode == 0, ended.stderr
    engine = create_engine(database, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.connection.cursor().execute(ended.stdout)  # as psql would, every % as it stands
    engine.dispose()
    assert version(database) == HEAD
    for made in (
        "SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns "
        "WHERE table_schema IN ('public', 'legacy', 'dhafnck') ORDER BY 1, 2, 3",
        "SELECT pg_get_functiondef(oid) FROM pg_proc "
        "WHERE pronamespace = 'dhafnck'::regnamespace ORDER BY proname",
    ):
        assert execute(database, made) == execute(shared, made)


def test_alembic_typed_by_hand_takes_no_edited_revision(
    at_head: URL, checkout: Path, alembic: Alembic
) -> None:
    add_revision(checkout, "CREATE TABLE more ()")
    (file,) = (checkout / "alembic" / "versions").glob("0002*.py")
    file.write_text(file.read_text() + "# edited\n")
    before = catalog(at_head)
    ended = alembic(at_head, "upgrade", "head")
    assert ended.returncode != 0
    assert ended.stdout.startswith("FAILED: error[edited-revision]: ")
    assert (catalog(at_head), version(at_head)) == (before, HEAD)
