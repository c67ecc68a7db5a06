"""A copy of the file is kept whole, with its hash, before anything else is done with it."""

import hashlib
import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import no_room

from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.keep import keep, keep_snapshot
from dhafnck_db.legacy.snapshot import open_snapshot

MakeFile = Callable[..., Path]
TABLE = "CREATE TABLE t (n); INSERT INTO t VALUES (1)"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where copies go: a folder that is not there yet."""
    return tmp_path / "state" / "backups"


def listing(folder: Path) -> dict[str, tuple[int, bytes]]:
    """The files of a folder: name, inode and content."""
    files = [file for file in folder.iterdir() if file.is_file()]
    return {file.name: (file.stat().st_ino, file.read_bytes()) for file in files}


def check(folder: Path) -> None:
    """Let sha256sum compare every copy with its hash."""
    for file in folder.glob("*.sha256"):
        command = ["sha256sum", "--check", "--strict", file.name]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def rows(path: Path) -> list[int]:
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM t ORDER BY n")]


def test_copy_is_the_file_byte_for_byte_and_private(make_file: MakeFile, folder: Path) -> None:
    file = make_file(TABLE)
    file.chmod(0o644)
    before = listing(file.parent)
    kept = keep(file, folder)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    assert (kept.sha256, kept.changed) == (digest, True)
    assert kept.path == folder / f"old-{digest[:12]}.db"
    assert kept.path.read_bytes() == file.read_bytes()
    assert sorted(listing(folder)) == [kept.path.name, f"{kept.path.name}.sha256"]
    check(folder)
    assert {file.stat().st_mode & 0o777 for file in folder.iterdir()} == {0o600}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert listing(file.parent) == before


def test_the_same_content_is_kept_once(make_file: MakeFile, folder: Path) -> None:
    file = make_file(TABLE)
    kept = keep(file, folder)
    before = listing(folder)
    again = keep(file, folder)
    assert (again.path, again.sha256, again.changed) == (kept.path, kept.sha256, False)
    assert keep(kept.path, folder) == again, "the copy of a kept copy is that copy"
    assert listing(folder) == before


def test_another_content_under_the_same_name_gets_a_copy_of_its_own(
    make_file: MakeFile, folder: Path
) -> None:
    first = keep(make_file(TABLE), folder)
    before = listing(folder)
    second = keep(make_file("INSERT INTO t VALUES (2)"), folder)
    assert second.path != first.path
    assert before.items() <= listing(folder).items()
    check(folder)


def test_copy_that_was_changed_since_is_neither_used_nor_replaced(
    make_file: MakeFile, folder: Path
) -> None:
    file = make_file(TABLE)
    kept = keep(file, folder)
    kept.path.write_bytes(b"something else")
    before = listing(folder)
    with pytest.raises(SourceError, match=kept.path.name) as refusal:
        keep(file, folder)
    assert refusal.value.code == "kept-copy-damaged"
    assert listing(folder) == before


def test_hash_that_a_killed_run_did_not_write_is_made_up_for(
    make_file: MakeFile, folder: Path
) -> None:
    file = make_file(TABLE)
    listed = keep(file, folder).path.with_suffix(".db.sha256")
    listed.unlink()
    assert keep(file, folder).changed is False
    assert listed.exists()
    check(folder)


@pytest.mark.parametrize("alive", [True, False], ids=["a writer has it open", "its writer died"])
def test_commits_that_are_only_in_the_log_are_in_the_copy(
    make_file: MakeFile, folder: Path, tmp_path: Path, alive: bool
) -> None:
    file = make_file(TABLE)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("INSERT INTO t VALUES (2)")
        if not alive:
            grave = tmp_path / "grave"
            grave.mkdir()
            for suffix in ("", "-wal"):
                (grave / f"old.db{suffix}").write_bytes(Path(f"{file}{suffix}").read_bytes())
            file = grave / "old.db"
        before = listing(file.parent)
        kept = keep(file, folder)
        with open_snapshot(file) as snapshot:
            assert kept.sha256 != snapshot.sha256, "that hash covers the log too"
        assert keep(file, folder).changed is False
        found = listing(file.parent)
        assert {name: found[name][0] for name in before} == {
            name: inode for name, (inode, _) in before.items()
        }
    assert rows(kept.path) == [1, 2]
    assert sorted(listing(folder)) == [kept.path.name, f"{kept.path.name}.sha256"]
    check(folder)


def test_half_a_transaction_is_undone_in_the_copy(
    make_file: MakeFile, folder: Path, tmp_path: Path
) -> None:
    file = make_file("CREATE TABLE t (n, filler)")
    grave = tmp_path / "grave"
    grave.mkdir()
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.executemany("INSERT INTO t VALUES (?, ?)", [(n, "x" * 3000) for n in range(50)])
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN")
        writer.execute("UPDATE t SET n = n + 1000")  # spills half-written pages into the file
        for suffix in ("", "-journal"):
            (grave / f"old.db{suffix}").write_bytes(Path(f"{file}{suffix}").read_bytes())
        writer.execute("ROLLBACK")
    assert rows(keep(grave / "old.db", folder).path) == list(range(50))
    check(folder)


@pytest.mark.parametrize(
    ("name", "kept_as"),
    [
        ("a b.db", "a_b"),
        ("new\nline.db", "new_line"),
        ("back\\slash.sqlite3", "back_slash"),
        ("-rf.db", "rf"),
        ("ä" * 100 + ".db", "ä" * 50),
        ("✂.db", "_"),
    ],
)
def test_any_name_makes_a_name_that_sha256sum_takes(
    make_file: MakeFile, folder: Path, name: str, kept_as: str
) -> None:
    kept = keep(make_file(TABLE, name=name), folder)
    assert kept.path.name == f"{kept_as}-{kept.sha256[:12]}.db"
    check(folder)


def test_name_that_is_no_text_is_kept_too(make_file: MakeFile, folder: Path) -> None:
    file = make_file(TABLE)
    bytewise = file.with_name(os.fsdecode(b"b\xff.db"))
    assert keep(file.rename(bytewise), folder).path.name.startswith("b_-")
    check(folder)


def test_full_disk_leaves_nothing_behind(make_file: MakeFile, folder: Path) -> None:
    file = make_file(TABLE)
    with open_snapshot(file) as snapshot, no_room(1000), pytest.raises(SourceError) as failure:
        keep_snapshot(snapshot, folder)
    assert failure.value.code == "keep-failed"
    assert "too large" in str(failure.value.cause)
    assert listing(folder) == {}
    assert keep(file, folder).changed


def test_folder_that_cannot_be_made_is_named(make_file: MakeFile, tmp_path: Path) -> None:
    file = make_file(TABLE)
    (tmp_path / "taken").touch()
    with pytest.raises(SourceError) as failure:
        keep(file, tmp_path / "taken" / "backups")
    assert (failure.value.code, failure.value.exit_code) == ("keep-failed", 4)
    assert "taken" in str(failure.value)


def test_missing_file_makes_no_folder(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as refusal:
        keep(tmp_path / "mistyped.db", folder)
    assert refusal.value.code == "source-missing"
    assert not folder.exists()
