"""The page of a service shows what the service knows, and nothing that only its owner may know."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import PASSWORD, configuration
from fix_schema import HEAD, execute
from fix_service import Own, Serve
from sqlalchemy import URL

Json = Callable[..., dict[str, Any]]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of backups, still empty."""
    return tmp_path / "backups"


def verdict(page: str) -> str:
    return page.partition('<header class="verdict ')[2].partition('"')[0]


def test_page_shows_health_figures_and_advice(at_head: URL, serve: Serve, folder: Path) -> None:
    execute(at_head, "ALTER TABLE labels DISABLE ROW LEVEL SECURITY")
    reply = serve(at_head, DB_BACKUP_DIR=str(folder)).get("/")
    assert (reply.code, verdict(reply.text)) == (200, "healthy")
    for wanted in (f"revision {HEAD} (head)", " MB</dd>", "row-security-off", "public.labels"):
        assert wanted in reply.text
    assert reply.text.count("<dd>none</dd>") == 2  # backup and drill


def test_models_are_loaded_before_there_are_threads() -> None:
    # A page asks three probes at once. Where one of them loads the models, another finds a module
    # that is half there, and the page of a new process is an error.
    program = """
import sys
from dhafnck_db.service import create_app
from dhafnck_db.target import current_target
create_app(current_target())
print(*[name for name in ("sqlalchemy.orm", "dhafnck_db.models") if name not in sys.modules])
"""
    env = {**os.environ, "DATABASE_TYPE": "postgresql", "DATABASE_URL": "postgresql://localhost/x"}
    ended = subprocess.run(
        [sys.executable, "-c", program], env=env, capture_output=True, text=True, check=True
    )
    assert ended.stdout.split() == []


def test_page_shows_the_last_backup(
    at_head: URL, serve: Serve, folder: Path, done: Json, client_fits: None
) -> None:
    env = configuration(at_head, DB_BACKUP_DIR=str(folder))
    done("backup", "create", env=env)
    page = serve(at_head, DB_BACKUP_DIR=str(folder)).get("/").text
    assert "<dd>just now, " in page
    for record in folder.glob("*.json"):  # of another environment it says nothing
        record.write_text(record.read_text().replace('"environment": "dev"', '"environment": "x"'))
    assert "<dd>just now, " not in serve(at_head, DB_BACKUP_DIR=str(folder)).get("/").text


def test_page_tells_that_the_database_is_away_and_back(own: Own, serve: Serve) -> None:
    service = serve(own.url)
    assert verdict(service.get("/").text) == "healthy"
    own.stop()
    away = service.get("/")
    assert (away.code, verdict(away.text)) == (200, "unhealthy")
    assert "Nobody could look." in away.text
    for secret in (str(own.url.host), str(own.url.port), str(own.url.database), PASSWORD):
        assert secret not in away.text
    own.start()
    back = service.get("/").text
    assert verdict(back) == "healthy"
    assert '<i class="unhealthy"' in back  # the worst of this span
