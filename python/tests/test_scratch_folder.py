"""A scratch folder goes with its process, or with the next one where that was killed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dhafnck_db.errors import TargetError
from dhafnck_db.scratch_folder import scratch_folder

HOLD = """
from dhafnck_db.scratch_folder import scratch_folder
with scratch_folder("tried") as folder:
    (folder / "file").touch()
    print(folder, flush=True)
    input()
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files, of this process and those that it starts."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@contextmanager
def held() -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """Another process with a folder of its own."""
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", HOLD]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        yield process, Path(process.stdout.readline().strip())


def test_folder_is_private_and_goes_with_its_block(place: Path) -> None:
    with scratch_folder("tried") as folder:
        assert folder.parent == place
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").touch()
    assert list(place.iterdir()) == []


def test_folder_of_a_process_that_lives_stays() -> None:
    with held() as (process, theirs), scratch_folder("tried"), scratch_folder("tried"):
        assert (theirs / "file").exists()
        process.communicate("\n")
        assert process.returncode == 0
        assert not theirs.exists()


def test_folder_of_a_process_that_was_killed_goes(place: Path) -> None:
    with held() as (process, theirs):
        process.kill()
        process.wait()
    assert (theirs / "file").exists()
    with scratch_folder("another"):
        assert theirs.exists()
    with scratch_folder("tried") as folder:
        assert list(place.iterdir()) == [folder]


def test_folder_stays_while_what_runs_in_it_cannot_be_ended(place: Path) -> None:
    with held() as (process, theirs):
        process.kill()
    asked = list[Path]()

    def fail(folder: Path) -> None:
        asked.append(folder)
        raise TargetError("failed", "it runs on")

    with scratch_folder("tried", fail):
        assert theirs.exists()
    with scratch_folder("tried", asked.append):
        assert not theirs.exists()
    assert asked == [theirs, theirs]


def test_what_a_link_names_stays(place: Path) -> None:
    (place / "kept").mkdir()
    (place / "dhafnck-tried-link").symlink_to(place / "kept")
    with scratch_folder("tried"):
        pass
    assert (place / "kept").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to another user")
def test_folder_of_another_user_stays(place: Path) -> None:
    theirs = place / "dhafnck-tried-theirs"
    theirs.mkdir()
    os.chown(theirs, 65534, 65534)
    with scratch_folder("tried"):
        pass
    assert theirs.exists()
