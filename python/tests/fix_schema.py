"""A database with the schema in place, and the ways to bring one there and back.

They go through the package, as a user does, and never around it.
"""

from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import URL, Engine, NullPool, create_engine

from dhafnck_db import schema
from dhafnck_db.settings import Settings
from dhafnck_db.target import Target, resolve


def target_of(url: URL) -> Target:
    """Return the development target that a URL names."""
    secret = SecretStr(url.render_as_string(hide_password=False))
    return resolve(Settings(database_type="postgresql", database_url=secret))


def upgrade(url: URL) -> None:
    """Bring a database to head."""
    target = target_of(url)
    with schema.session(target) as connection:
        schema.upgrade(connection, target)


def downgrade(url: URL) -> None:
    """Undo every revision of a database."""
    target = target_of(url)
    with schema.session(target) as connection:
        schema.downgrade(connection, target, "base")


@pytest.fixture
def migrated(database: URL) -> Iterator[Engine]:
    """An engine on a fresh database at head, as its owner."""
    upgrade(database)
    engine = create_engine(database, poolclass=NullPool)
    yield engine
    engine.dispose()
