"""Fixtures with the schema in place, and the way to bring it there and back.

They go through the package, as a user does, and never around it.
"""

from collections.abc import Callable, Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, Engine, NullPool, create_engine

from dhafnck_db import schema
from dhafnck_db.settings import Settings
from dhafnck_db.target import resolve


@pytest.fixture
def move(database: URL) -> Callable[[str], None]:
    """A function that moves the test's database to "head", or back to "base"."""
    secret = SecretStr(database.render_as_string(hide_password=False))
    target = resolve(Settings(database_type="postgresql", database_url=secret))

    def to(revision: str) -> None:
        with schema.session(target) as connection:
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
