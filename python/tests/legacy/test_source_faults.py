"""What may happen to the legacy file while it is imported: noticed, or of no effect."""

import hashlib
import os
import re
import sqlite3
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError
from dhafnck_db.legacy import snapshot as snapshots
from legacy.faults import PROGRAM, environment

Import = Callable[..., legacy.ImportResult]
MakeFile = Callable[..., Path]
Contents = Callable[[], dict[str, int]]
NOTES = "CREATE TABLE notes (n INTEGER); INSERT INTO notes VALUES (1), (2)"


def hashes(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_link_that_is_led_elsewhere_while_it_is_read_is_refused(
    make_file: MakeFile, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link, other = tmp_path / "link.db", make_file(NOTES, name="other.db")
    link.symlink_to(make_file(NOTES))
    back_up = snapshots._back_up

    def lead_elsewhere(*arguments: Any, **options: Any) -> None:
        back_up(*arguments, **options)
        link.unlink()
        link.symlink_to(other)

    monkeypatch.setattr(snapshots, "_back_up", lead_elsewhere)
    with pytest.raises(SourceError) as refusal:
        legacy.assess(link, owner="x")
    assert refusal.value.code == "source-changed"


@pytest.mark.parametrize("kind", ["file", "link"])
def test_file_that_is_swapped_between_assessment_and_load_is_noticed(
    sample: Path, make_file: MakeFile, import_: Import, contents: Contents, kind: str
) -> None:
    other = make_file(NOTES, name="other.db")
    path = sample
    if kind == "link":
        path = sample.with_name("link.db")
        path.symlink_to(sample)

    def swap(table: str, done: int, total: int, _sent: int) -> None:
        if kind == "file" and other.exists():
            other.replace(sample)
        if kind == "link" and path.resolve() != other.resolve():
            path.unlink()
            path.symlink_to(other)

    with pytest.raises(SourceError) as refusal:
        import_(path, progress=swap)
    assert refusal.value.code == "source-changed"
    assert contents() == {}


def test_import_while_a_writer_is_at_work_is_of_one_moment(
    make_file: MakeFile, import_: Import, fetch: Callable[[str], list[Any]]
) -> None:
    file = make_file("PRAGMA journal_mode = WAL", "CREATE TABLE notes (n INTEGER)")
    stop, written = threading.Event(), threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as writer:
            for n in range(1_000_000):
                writer.execute("BEGIN")
                writer.executemany("INSERT INTO notes VALUES (?)", [(n,)] * 10)
                writer.execute("COMMIT")
                if n > 20:
                    written.set()
                if stop.wait(0.002):
                    return

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert written.wait(20)
        result = import_(file, wait=0.5)
    finally:
        stop.set()
        thread.join()
    found = Counter(fetch("SELECT n FROM legacy.notes"))
    assert result.verified
    assert found == dict.fromkeys(range(len(found)), 10)
    with closing(sqlite3.connect(file)) as reader:
        (later,) = reader.execute("SELECT count(*) FROM notes").fetchone()
    assert 200 <= sum(found.values()) < later


def test_locked_file_is_refused_and_the_target_left_alone(
    make_file: MakeFile, import_: Import, contents: Contents
) -> None:
    file = make_file(NOTES)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError) as refusal:
            import_(file, wait=0.2)
    assert (refusal.value.code, contents()) == ("source-locked", {})
    assert import_(file).verified


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_file_in_a_folder_that_may_not_be_written_to_is_read(
    target: Engine, tmp_path: Path, mode: str
) -> None:
    """Root may write everywhere, unless it gives up that right first."""
    folder, elsewhere = tmp_path / "closed", tmp_path / "elsewhere"
    folder.mkdir()
    elsewhere.mkdir()
    with closing(sqlite3.connect(folder / "old.db")) as connection:
        connection.executescript(f"PRAGMA journal_mode = {mode}; {NOTES}")
    before = hashes(folder)
    (folder / "old.db").chmod(0o444)
    folder.chmod(0o555)
    bound = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if not os.getuid() else []
    try:
        refused = subprocess.run([*bound, "touch", folder / "new"], capture_output=True)
        assert refused.returncode != 0, "the folder is open after all"
        ended = subprocess.run(
            [*bound, PROGRAM, "sqlite", "assess", folder / "old.db"],
            env=environment(target.url), cwd=elsewhere, capture_output=True, text=True,
        )  # fmt: skip
    finally:
        folder.chmod(0o755)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert re.search(r"^notes +2 ", ended.stdout, re.MULTILINE)
    assert hashes(folder) == before


def test_import_leaves_the_file_and_its_folder_as_they_were(
    sample: Path, import_: Import, verify: Callable[[Path], Any]
) -> None:
    before = hashes(sample.parent)
    import_(sample)
    verify(sample)
    assert hashes(sample.parent) == before
