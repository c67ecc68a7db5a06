"""A folder for temporary files that is full or missing: one error, and nothing is left in it."""

import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import no_room

from dhafnck_db import legacy
from dhafnck_db.errors import ConfigurationError

MakeFile = Callable[..., Path]
# Keys that take more room in the notes than in the file.
PROJECTS = """
CREATE TABLE projects (id TEXT, name TEXT);
INSERT INTO projects WITH RECURSIVE counted (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 3000
) SELECT 'a project with an id that is long ' || n, 'p' FROM counted;
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder for temporary files; nothing may be left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert not folder.exists() or list(folder.iterdir()) == []


def refusal(file: Path) -> ConfigurationError:
    with pytest.raises(ConfigurationError) as refused:
        legacy.assess(file, owner="me")
    assert refused.value.code == "temporary-folder-full"
    assert "TMPDIR" in (refused.value.help or "")
    return refused.value


@pytest.mark.parametrize("log", [False, True], ids=["file", "file with a log"])
def test_folder_without_room_for_the_copy_is_named(
    make_file: MakeFile, folder: Path, tmp_path: Path, log: bool
) -> None:
    file = make_file(PROJECTS)
    if log:  # as a writer that was killed leaves it; it is copied by the system, not by SQLite
        with closing(sqlite3.connect(file)) as writer:
            writer.execute("PRAGMA journal_mode = WAL")
            writer.execute("DELETE FROM projects")
            writer.commit()
            (tmp_path / "killed").mkdir()
            for name in ("old.db", "old.db-wal"):
                shutil.copy(tmp_path / name, tmp_path / "killed")
        file = tmp_path / "killed" / "old.db"
    with no_room(10_000):
        refused = refusal(file)
    assert str(folder) in refused.message
    assert refused.cause


def test_folder_without_room_for_the_notes_is_named(make_file: MakeFile, folder: Path) -> None:
    file = make_file(PROJECTS)
    with no_room(file.stat().st_size):
        assert str(folder) in refusal(file).message
    assert legacy.assess(file, owner="me").totals["rows"] == 3000


def test_missing_folder_is_named(make_file: MakeFile, folder: Path) -> None:
    folder.rmdir()
    assert str(folder) in refusal(make_file(PROJECTS)).message
