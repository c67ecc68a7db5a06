"""`dhafnck-db sqlite import` keeps a copy of the file, or does nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended, configuration
from fix_schema import execute
from sqlalchemy import URL

from dhafnck_db.legacy.sample import write_sample

Run = Callable[..., Ended]


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The sample file of the 2025-08 generation."""
    file = tmp_path / "sample.db"
    write_sample(file)
    return file


def test_command_keeps_a_copy_that_verifies_in_the_files_place(
    at_head: URL, sample: Path, tmp_path: Path, run: Run
) -> None:
    env = configuration(at_head)
    import_ = ("sqlite", "import", str(sample), "--owner", "me", "--format", "json")
    assert json.loads(run(*import_, "--dry-run", env=env).out)["kept"] is None
    assert not (tmp_path / ".local").exists()
    result = json.loads(run(*import_, env=env).out)
    assert result["verified"]
    assert Path(result["kept"]).parent == Path(".local/backups")
    assert json.loads(run(*import_, env=env).out)["kept"] == result["kept"]
    sample.unlink()
    assert run("sqlite", "verify", result["kept"], env=env).code == 0


def test_command_that_can_keep_no_copy_writes_nothing(
    at_head: URL, sample: Path, tmp_path: Path, run: Run
) -> None:
    env = configuration(at_head)
    (tmp_path / "taken").touch()
    ended = run("sqlite", "import", str(sample), "--owner", "me", "--keep", "taken", env=env)
    assert (ended.code, ended.out) == (4, "")
    assert ended.err.startswith("error[keep-failed]: no copy of ")
    assert execute(at_head, "SELECT count(*) FROM legacy.imports") == [(0,)]
