"""A database with the tables in place, legacy files made by code, and the real ones if at hand."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import OWNER as DATABASE_OWNER
from conftest import Server
from psycopg2 import sql
from sqlalchemy import Engine, NullPool, Select, create_engine, text
from sqlalchemy.schema import CreateSchema

from dhafnck_db import bookkeeping, legacy
from dhafnck_db.legacy.sample import write_sample
from dhafnck_db.models import Base

SHARED = Path(__file__).resolve().parents[4] / "shared"
OWNER = "owner-1"


@pytest.fixture(scope="session")
def surface(server: Server, surface: str) -> str:
    """The template of every test's database here: the surface, and the tables in place."""
    name = "legacy_template"
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
                sql.Identifier(name), sql.Identifier(surface), sql.Identifier(DATABASE_OWNER)
            )
        )
    engine = create_engine(server.url(name), poolclass=NullPool)
    with engine.begin() as owner:
        for schema in (bookkeeping.ARCHIVE_SCHEMA, bookkeeping.PROJECT_SCHEMA):
            owner.execute(CreateSchema(schema))
        for metadata in (Base.metadata, bookkeeping.metadata):
            metadata.create_all(owner)
    return name


@pytest.fixture
def target(engine: Engine) -> Engine:
    """An engine on a fresh database with every table of the models and of the bookkeeping."""
    return engine


@pytest.fixture
def import_(target: Engine) -> Callable[..., legacy.ImportResult]:
    """Import a file into the target, for OWNER unless the options say otherwise."""

    def run(file: Path, **options: Any) -> legacy.ImportResult:
        with target.connect() as connection:
            return legacy.import_file(connection, file, **{"owner": OWNER, **options})

    return run


@pytest.fixture
def verify(target: Engine) -> Callable[[Path], legacy.VerifyResult]:
    """Compare the target with a file."""

    def run(file: Path) -> legacy.VerifyResult:
        with target.connect() as connection:
            return legacy.verify_file(connection, file)

    return run


@pytest.fixture
def fetch(target: Engine) -> Callable[[str | Select[Any]], list[Any]]:
    """Run a statement and return its rows as tuples, or the values where it has one column."""

    def run(statement: str | Select[Any]) -> list[Any]:
        with target.begin() as connection:
            result = connection.execute(
                text(statement) if isinstance(statement, str) else statement
            )
            rows = [tuple(row) for row in result] if result.returns_rows else []
        return [row[0] if len(row) == 1 else row for row in rows]

    return run


@pytest.fixture
def contents(fetch: Callable[[str], list[Any]]) -> Callable[[], dict[str, int]]:
    """Return how many rows each table with rows has, archives included."""

    def run() -> dict[str, int]:
        counted = fetch(
            "SELECT format('%s.%s', schemaname, tablename), (xpath('/row/c/text()', query_to_xml("
            "format('SELECT count(*) AS c FROM %I.%I', schemaname, tablename), true, true, '')"
            "))[1]::text::int FROM pg_tables WHERE schemaname IN ('public', 'legacy')"
        )
        return {table: count for table, count in counted if count}

    return run


@pytest.fixture
def make_file(tmp_path: Path) -> Callable[..., Path]:
    """Write a SQLite file from statements; values for a statement may follow it."""

    def run(*statements: str | tuple[str, list[Any]], name: str = "old.db") -> Path:
        file = tmp_path / name
        with closing(sqlite3.connect(file)) as connection:
            for statement in statements:
                if isinstance(statement, str):
                    connection.executescript(statement)
                else:
                    connection.executemany(*statement)
            connection.commit()
        return file

    return run


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The sample file of the 2025-08 generation."""
    file = tmp_path / "sample.db"
    write_sample(file)
    return file


@pytest.fixture(params=["2025-07-16", "2025-08-19"])
def real_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a real legacy file."""
    original = SHARED / "data" / "legacy" / f"{request.param}.db"
    if not original.exists():
        pytest.skip("the real legacy files are not beside the repository")
    copy = tmp_path / original.name
    copy.write_bytes(original.read_bytes())
    return copy


@pytest.fixture
def checker() -> Path:
    """The check of an import that shares no code with the project."""
    return SHARED / "accept" / "check_import.py"
