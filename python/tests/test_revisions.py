"""pytest-alembic's checks of the revisions, on a real server, in the package's environment.

One head; up from nothing; one by one up, down and up again; and a revision that would be written
now has nothing in it. What else is held of the revisions is in test_baseline.py.
"""

from collections.abc import Iterator

import pytest
from alembic.config import Config
from conftest import ROOT
from fix_schema import target_of
from pytest_alembic.tests import (
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)
from sqlalchemy import URL, Connection

from dhafnck_db.session import open_session

__all__ = [
    "test_model_definitions_match_ddl",
    "test_single_head_revision",
    "test_up_down_consistency",
    "test_upgrade",
]


@pytest.fixture
def alembic_config(database: URL) -> Config:
    return Config(ROOT / "alembic.ini", attributes={"target": target_of(database)})


@pytest.fixture
def alembic_engine(database: URL) -> Iterator[Connection]:
    """The one connection of a run, as every command has it."""
    with open_session(target_of(database)) as connection:
        yield connection
