"""A database with the tables in place, and the real legacy files where they are at hand."""

from pathlib import Path

import pytest
from sqlalchemy import Engine, text

from dhafnck_db.models import Base, bookkeeping

REAL = Path(__file__).resolve().parents[4] / "shared" / "data" / "legacy"
CHECKER = REAL.parents[1] / "accept" / "check_import.py"


@pytest.fixture
def target(engine: Engine) -> Engine:
    """An engine on a fresh database with every table of the models and of the bookkeeping."""
    with engine.begin() as connection:
        for schema in (bookkeeping.ARCHIVE_SCHEMA, bookkeeping.PROJECT_SCHEMA):
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        for metadata in (Base.metadata, bookkeeping.metadata):
            metadata.create_all(connection)
    return engine


@pytest.fixture(params=["2025-07-16", "2025-08-19"])
def real_file(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of a real legacy file."""
    original = REAL / f"{request.param}.db"
    if not original.exists():
        pytest.skip("the real legacy files are not beside the repository")
    copy = tmp_path / original.name
    copy.write_bytes(original.read_bytes())
    return copy
