"""Fixtures with the schema in place, and the way to bring it there and back.

They go through the package, as a user does, and never around it.
"""

from collections.abc import Callable, Iterator

import pytest
from conftest import Server, copy_of
from pydantic import SecretStr
from sqlalchemy import URL, Engine, NullPool, create_engine

from dhafnck_db import schema
from dhafnck_db.settings import Settings
from dhafnck_db.target import Target, resolve


def target_of(url: URL) -> Target:
    """The target of a development configuration that names this database."""
    secret = SecretStr(url.render_as_string(hide_password=False))
    return resolve(Settings(database_type="postgresql", database_url=secret))


@pytest.fixture
def move(database: URL) -> Callable[[str], None]:
    """A function that moves the test's database to "head", or back to "base"."""
    target = target_of(database)

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


@pytest.fixture(scope="session")
def head_template(server: Server, surface: str) -> Iterator[str]:
    """A database at head that nothing writes to."""
    with copy_of(surface, server) as url:
        target = target_of(url)
        with schema.session(target) as connection:
            schema.upgrade(connection, target)
        yield str(url.database)


@pytest.fixture
def at_head(server: Server, head_template: str) -> Iterator[URL]:
    """A fresh database at head, as the URL of its owner; a copy, so that it is had quickly."""
    with copy_of(head_template, server) as url:
        yield url
