"""A database whose table projects is audited, and what its trail holds."""

from collections.abc import Callable
from typing import Any

import pytest
from conftest import configuration
from fix_schema import execute
from sqlalchemy import URL

Json = Callable[..., dict[str, Any]]

PROJECT = "11111111-0000-4000-8000-000000000001"
TRAIL = """
    SELECT operation, "schema" || '.' || "table", key, old, new FROM dhafnck.audit ORDER BY id
"""


@pytest.fixture
def audited(at_head: URL, done: Json) -> URL:
    """A database whose table projects is audited."""
    done("audit", "enable", "projects", env=configuration(at_head))
    return at_head


def insert_project(url: URL, user: str = "me") -> None:
    execute(
        url,
        f"INSERT INTO projects (id, name, user_id) VALUES ('{PROJECT}', 'p', '{user}')",  # noqa: S608  # our own words
    )


def trail(url: URL) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in execute(url, TRAIL)]
