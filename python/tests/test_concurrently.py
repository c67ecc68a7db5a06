"""What a revision does outside a transaction goes on, when it is run again, where it broke off."""

import re
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from conftest import Ended, Server, configuration
from fix_prod import Pooled, production
from fix_schema import HEAD, NEXT, add_revision, catalog, execute, version
from sqlalchemy import URL
from test_schema_lock import start, wait_for

from dhafnck_db import migration

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]

LIMIT = 0.4  # seconds
FEW = {"DB_LOCK_TIMEOUT": f"{LIMIT * 1000:.0f}ms", "DB_LOCK_RETRIES": "2"}

INDEX = """
from alembic import op

revision = {revision!r}
down_revision = {below!r}

def upgrade():
    op.execute("CREATE TABLE of_{revision} ()")
    with op.get_context().autocommit_block():
        op.create_index("ix_more", "projects", ["name"], postgresql_concurrently=True,
                        unique={unique})

def downgrade():
    op.execute("DROP TABLE of_{revision}")
    op.drop_index("ix_more", "projects")
"""
ALONE = INDEX.replace('    op.execute("CREATE TABLE of_{revision} ()")\n', "").replace(
    '    op.execute("DROP TABLE of_{revision}")\n', ""
)


@pytest.fixture(autouse=True)
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migration, "FIRST_WAIT", 0.1)


def settings(url: URL, checkout: Path, **more: str) -> dict[str, str]:
    return configuration(url, DB_ALEMBIC_INI=str(checkout / "alembic.ini"), **{**FEW, **more})


def add_index(checkout: Path, template: str = ALONE, *, unique: bool = False) -> None:
    """Add revision NEXT, which builds an index CONCURRENTLY."""
    content = template.format(revision=NEXT, below=HEAD, unique=unique)
    (checkout / "alembic" / "versions" / f"{NEXT}_next.py").write_text(content)


def index(url: URL) -> list[bool]:
    """Whether the index is valid; empty where there is none."""
    rows = execute(url, "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('ix_more')")
    return [valid for (valid,) in rows]


def test_index_is_built_while_a_transaction_is_open_and_under_the_lock_of_the_run(
    server: Server, at_head: URL, checkout: Path, configure: Configure, run: Run
) -> None:
    add_index(checkout)
    env = settings(at_head, checkout)
    configure(env)
    with closing(server.connect(str(at_head.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO projects (id, name, user_id) "
                       "VALUES (gen_random_uuid(), 'a', 'me')")  # fmt: skip
        process = start("schema", "upgrade")
        wait_for(server, at_head, "CREATE INDEX CONCURRENTLY")
        time.sleep(LIMIT * 2)  # longer than lock_timeout, which is not for such a wait
        assert process.poll() is None
        ended = run("schema", "upgrade", env={**env, "DB_LOCK_WAIT": "0"})
        assert (ended.code, ended.err.split(":")[0]) == (5, "error[locked]")
        cursor.execute("COMMIT")
        out, error = process.communicate(timeout=30)
    assert (process.returncode, error) == (0, ""), out
    assert (index(at_head), version(at_head)) == ([True], NEXT)


def test_index_that_cannot_be_built_leaves_nothing_and_the_next_run_builds_it(
    at_head: URL, checkout: Path, run: Run
) -> None:
    add_index(checkout, unique=True)
    add = "INSERT INTO projects (id, name, user_id) VALUES (gen_random_uuid(), 'a', '{}')"
    execute(at_head, add.format("me"), add.format("you"))
    before = catalog(at_head)
    env = settings(at_head, checkout)
    ended = run("schema", "upgrade", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-failed]")
    assert "could not create unique index" in ended.err
    assert (index(at_head), catalog(at_head), version(at_head)) == ([], before, HEAD)

    execute(at_head, "DELETE FROM projects WHERE user_id = 'you'")
    assert run("schema", "upgrade", env=env).code == 0
    assert (index(at_head), version(at_head)) == ([True], NEXT)


def leave_invalid(url: URL) -> None:
    """Leave an index invalid, as one that broke off does."""
    add = "INSERT INTO projects (id, name, user_id) VALUES (gen_random_uuid(), 'a', '{}')"
    execute(url, add.format("me"), add.format("you"))
    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with closing(psycopg2.connect(plain)) as own, own.cursor() as cursor:
        own.autocommit = True
        with pytest.raises(psycopg2.errors.UniqueViolation):
            cursor.execute("CREATE UNIQUE INDEX CONCURRENTLY ix_more ON projects (name)")
    assert index(url) == [False]


@pytest.mark.parametrize("ends", [True, False])
def test_invalid_index_is_removed_within_the_bounds_of_a_statement(
    server: Server, at_head: URL, checkout: Path, configure: Configure, ends: bool
) -> None:
    leave_invalid(at_head)
    add_index(checkout)
    configure(settings(at_head, checkout, DB_STATEMENT_TIMEOUT="20s" if ends else "1s"))
    with closing(server.connect(str(at_head.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("UPDATE projects SET name = 'b' WHERE user_id = 'you'")
        process = start("schema", "upgrade")
        wait_for(server, at_head, "DROP INDEX CONCURRENTLY")
        time.sleep(LIMIT * 2)  # longer than lock_timeout
        if ends:
            assert process.poll() is None
            cursor.execute("COMMIT")
        _, error = process.communicate(timeout=30)
    if ends:
        assert (process.returncode, index(at_head), version(at_head)) == (0, [True], NEXT), error
    else:
        assert (process.returncode, error.split(":")[0]) == (5, "error[migration-failed]")
        assert "canceling statement due to statement timeout" in error
        assert version(at_head) == HEAD


def test_run_that_was_killed_goes_on_where_it_broke_off(
    server: Server, at_head: URL, checkout: Path, configure: Configure, run: Run
) -> None:
    add_revision(checkout, "CREATE TABLE first ()")
    below, after = NEXT, f"{int(NEXT) + 1:04}"
    content = ALONE.format(revision=after, below=below, unique=False)
    (checkout / "alembic" / "versions" / f"{after}_index.py").write_text(content)
    env = settings(at_head, checkout)
    configure(env)
    with closing(server.connect(str(at_head.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO projects (id, name, user_id) "
                       "VALUES (gen_random_uuid(), 'a', 'me')")  # fmt: skip
        process = start("schema", "upgrade")
        wait_for(server, at_head, "CREATE INDEX CONCURRENTLY")
        process.kill()
        process.communicate()
        for _ in range(200):
            if not backends(server, at_head):
                break
            time.sleep(0.05)
    assert backends(server, at_head) == 0
    assert (index(at_head), version(at_head)) == ([False], below)  # the first stays

    ended = run("schema", "upgrade", "--format", "json", env=env)
    assert ended.code == 0, ended.err
    assert f'"revisions": ["{after}"]' in ended.out
    assert (index(at_head), version(at_head)) == ([True], after)


def backends(server: Server, url: URL) -> int:
    query = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'dhafnck-db' " \
        "AND datname = %s"  # fmt: skip
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute(query, (url.database,))
        ((number,),) = cursor.fetchall()
    return int(number)


def test_revisions_before_the_one_that_failed_outside_a_transaction_stay(
    at_head: URL, checkout: Path, run: Run
) -> None:
    add_revision(checkout, "CREATE TABLE first ()")
    below, after = NEXT, f"{int(NEXT) + 1:04}"
    content = ALONE.format(revision=after, below=below, unique=True)
    (checkout / "alembic" / "versions" / f"{after}_index.py").write_text(content)
    add = "INSERT INTO projects (id, name, user_id) VALUES (gen_random_uuid(), 'a', '{}')"
    execute(at_head, add.format("me"), add.format("you"))
    ended = run("schema", "upgrade", env=settings(at_head, checkout))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-stopped]")
    assert f"up to revision {below}\n" in ended.err
    assert (index(at_head), version(at_head)) == ([], below)


def test_revision_that_commits_a_part_of_itself_is_told(
    at_head: URL, checkout: Path, run: Run
) -> None:
    add_index(checkout, INDEX, unique=True)
    add = "INSERT INTO projects (id, name, user_id) VALUES (gen_random_uuid(), 'a', '{}')"
    execute(at_head, add.format("me"), add.format("you"))
    ended = run("schema", "upgrade", env=settings(at_head, checkout))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-half-done]")
    assert re.search(rf"changed: relation public\.of_{NEXT}\b", ended.err)


def test_valid_index_of_the_same_name_is_never_dropped(
    at_head: URL, checkout: Path, run: Run
) -> None:
    add_index(checkout)
    execute(at_head, "CREATE INDEX ix_more ON projects (user_id)")
    before = catalog(at_head)
    ended = run("schema", "upgrade", env=settings(at_head, checkout))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[migration-failed]")
    assert '"ix_more" already exists' in ended.err
    assert catalog(at_head) == before


def test_index_is_not_built_through_a_transaction_pooler(
    at_head: URL, checkout: Path, run: Run, pooled: Pooled
) -> None:
    add_index(checkout)
    execute(at_head, "UPDATE dhafnck.identity SET environment = 'prod'")
    url = pooled(at_head, pool_mode="transaction")
    ini = str(checkout / "alembic.ini")
    ended = run("schema", "upgrade", env=production(url, DB_ALEMBIC_INI=ini))
    assert (ended.code, ended.err.split(":")[0]) == (7, "error[transaction-pooler]")
    assert (index(at_head), version(at_head)) == ([], HEAD)


def test_alembic_typed_by_hand_takes_the_same_care(
    at_head: URL, checkout: Path, configure: Configure
) -> None:
    add_index(checkout, unique=True)
    add = "INSERT INTO projects (id, name, user_id) VALUES (gen_random_uuid(), 'a', '{}')"
    execute(at_head, add.format("me"), add.format("you"))
    configure(settings(at_head, checkout))
    program = Path(start.__globals__["PROGRAM"]).with_name("alembic")
    ended = subprocess.run(
        [program, "upgrade", "head"], cwd=checkout, capture_output=True, text=True
    )
    assert "FAILED: error[migration-failed]: " in ended.stdout
    assert (index(at_head), version(at_head)) == ([], HEAD)
