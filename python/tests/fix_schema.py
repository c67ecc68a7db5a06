"""Databases with the schema in place, the way to bring it there and back, and what is in them.

Fixtures go through the package, as a user does, and never around it.
"""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Ended, Server, copy_of
from pydantic import SecretStr
from sqlalchemy import URL, Engine, NullPool, create_engine, text

from dhafnck_db import schema
from dhafnck_db.session import open_session
from dhafnck_db.settings import Settings
from dhafnck_db.target import Target, resolve

# Every command that writes to a database, or takes what it finds there for what it would write.
WRITING: tuple[tuple[str, ...], ...] = (
    ("audit", "enable", "tasks"),
    ("audit", "disable", "tasks"),
    ("audit", "prune", "--older-than", "1d"),
    ("realtime", "publish", "tasks"),
    ("schema", "upgrade"),
    ("schema", "upgrade", "--dry-run"),
    ("schema", "downgrade", "base"),
    ("schema", "revision", "-m", "x"),
    ("sqlite", "import", "old.db"),
)

# The revisions of the checkout, oldest first; NEXT is the one that add_revision adds.
REVISIONS = sorted(path.name[:4] for path in (ROOT / "alembic" / "versions").glob("*.py"))
HEAD, NEXT = REVISIONS[-1], f"{len(REVISIONS) + 1:04}"

CATALOG = text("""
    SELECT nspname || '.' || relname, oid::text FROM pg_class
    JOIN (SELECT oid AS space, nspname FROM pg_namespace) n ON space = relnamespace
    WHERE nspname !~ '^pg_|^information_schema$' AND relkind IN ('r', 'i', 'v', 'S')
""")


def execute(url: URL, *statements: str) -> list[Any]:
    """Execute as the owner; return the rows of the last statement."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            result = connection.execute(text(statement))
        return list(result) if result.returns_rows else []


def catalog(url: URL) -> set[Any]:
    """Every relation by name and number: one that is made anew is another one."""
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        return {tuple(row) for row in connection.execute(CATALOG)}


def version(url: URL) -> str:
    ((found,),) = execute(url, "SELECT version_num FROM alembic_version")
    return str(found)


def target_of(url: URL) -> Target:
    """The target of a development configuration that names this database."""
    secret = SecretStr(url.render_as_string(hide_password=False))
    return resolve(Settings(database_type="postgresql", database_url=secret))


@pytest.fixture
def move(database: URL) -> Callable[[str], None]:
    """A function that moves the test's database to "head", or back to "base"."""
    target = target_of(database)

    def to(revision: str) -> None:
        with open_session(target) as connection:
            action = schema.downgrade if revision == "base" else schema.upgrade
            action(connection, target, revision)

    return to


@pytest.fixture
def migrated(database: URL, move: Callable[[str], None]) -> Iterator[Engine]:
    """An engine on a fresh database at head, as its owner."""
    move("head")
    engine = create_engine(database, poolclass=NullPool)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def head_template(server: Server, surface: str) -> Iterator[str]:
    """A database at head that nothing writes to."""
    with copy_of(surface, server) as url:
        target = target_of(url)
        with open_session(target) as connection:
            schema.upgrade(connection, target)
        yield str(url.database)


@pytest.fixture(scope="session")
def shared(server: Server, head_template: str) -> Iterator[URL]:
    """One database at head for all tests that write nothing, as the URL of its owner."""
    with copy_of(head_template, server) as url:
        yield url


@pytest.fixture
def at_head(server: Server, head_template: str) -> Iterator[URL]:
    """A fresh database at head, as the URL of its owner; a copy, so that it is had quickly."""
    with copy_of(head_template, server) as url:
        yield url


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory with Alembic's files, as at the root of a checkout, to add revisions to."""
    place = tmp_path / "checkout"
    shutil.copytree(
        ROOT / "alembic", place / "alembic", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "alembic.ini", place)
    return place


# For revisions that make a table which nobody closes, or drop one that the models have: in
# production the lint would stop them.
LEFT_OPEN = dict.fromkeys(
    ("table-without-row-security", "table-without-grants"), "the table of a test"
)
DROPPED = dict.fromkeys(("data-lost", "still-in-models"), "the table of a test")


def add_revision(
    checkout: Path,
    upgrade: str,
    downgrade: str = "SELECT 1",
    waivers: dict[str, Any] | None = None,
) -> Path:
    """Add revision NEXT, after HEAD, which executes the two statements; return its file."""
    path = checkout / "alembic" / "versions" / f"{NEXT}_next.py"
    taken = "" if waivers is None else f"waivers = {waivers!r}\n"
    path.write_text(f"""
from alembic import op

revision = {NEXT!r}
down_revision = {HEAD!r}
{taken}
def upgrade():
    op.execute({upgrade!r})

def downgrade():
    op.execute({downgrade!r})
""")
    return path


@pytest.fixture
def done(run: Callable[..., Ended]) -> Callable[..., dict[str, Any]]:
    """Run a command that must end well; return its JSON."""

    def done(*arguments: str, env: dict[str, str]) -> dict[str, Any]:
        noun, verb, *rest = arguments
        ended = run(noun, verb, "--format", "json", *rest, env=env)
        assert (ended.code, ended.err) == (0, ""), ended.out
        found: dict[str, Any] = json.loads(ended.out)
        return found

    return done
