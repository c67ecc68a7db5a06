"""The snapshot holds what was committed, and the file is left as it was."""

import hashlib
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dhafnck_db.errors import SourceError
from dhafnck_db.legacy import snapshot as snapshots
from dhafnck_db.legacy.snapshot import open_snapshot

MakeFile = Callable[..., Path]
TABLE = "CREATE TABLE t (n); INSERT INTO t VALUES (1)"


def rows(path: Path, **options: float) -> list[int]:
    with open_snapshot(path, **options) as snapshot:
        return [n for (n,) in snapshot.connection.execute("SELECT n FROM t ORDER BY n")]


def listing(folder: Path) -> dict[str, str]:
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


def test_file_and_folder_are_as_before_and_the_copy_is_private(
    make_file: MakeFile, tmp_path: Path
) -> None:
    file = make_file(TABLE)
    before = listing(tmp_path)
    with open_snapshot(file) as snapshot:
        assert (snapshot.sha256, snapshot.bytes) == (before["old.db"], file.stat().st_size)
        (_, _, copy), *_ = snapshot.connection.execute("PRAGMA database_list").fetchall()
        assert Path(copy).stat().st_mode & 0o777 == 0o600
        assert Path(copy).parent.stat().st_mode & 0o777 == 0o700
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            snapshot.connection.execute("INSERT INTO t VALUES (2)")
    assert not Path(copy).exists()
    assert listing(tmp_path) == before


@pytest.fixture
def wal(make_file: MakeFile) -> Iterator[tuple[Path, sqlite3.Connection]]:
    file = make_file(TABLE)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute("INSERT INTO t VALUES (2)")
        yield file, writer


def test_commits_that_are_only_in_the_log_are_there(
    wal: tuple[Path, sqlite3.Connection],
) -> None:
    file, writer = wal
    writer.execute("BEGIN")
    writer.execute("INSERT INTO t VALUES (3)")
    assert rows(file) == [1, 2]
    with open_snapshot(file) as snapshot:
        first = snapshot.sha256
    writer.execute("COMMIT")
    with open_snapshot(file) as snapshot:
        assert snapshot.sha256 != first, "the hash has to cover the log"


def test_log_of_a_writer_that_died_is_read_without_touching_it(
    wal: tuple[Path, sqlite3.Connection], tmp_path: Path
) -> None:
    file, _ = wal
    grave = tmp_path / "grave"
    grave.mkdir()
    for suffix in ("", "-wal"):
        (grave / f"old.db{suffix}").write_bytes(Path(f"{file}{suffix}").read_bytes())
    before = listing(grave)
    assert rows(grave / "old.db") == [1, 2]
    assert listing(grave) == before


def test_file_that_was_in_wal_mode_gets_no_log_beside_it(
    make_file: MakeFile, tmp_path: Path
) -> None:
    file = make_file("PRAGMA journal_mode = WAL", TABLE)
    before = listing(tmp_path)
    assert before.keys() == {"old.db"}
    assert rows(file) == [1]
    assert listing(tmp_path) == before


def test_half_a_transaction_in_a_hot_journal_is_undone_in_the_copy(
    make_file: MakeFile, tmp_path: Path
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
    before = listing(grave)
    assert before.keys() == {"old.db", "old.db-journal"}
    assert rows(grave / "old.db") == list(range(50))
    assert listing(grave) == before


def test_a_writer_at_work_is_waited_for_and_never_seen_half(make_file: MakeFile) -> None:
    file = make_file("PRAGMA journal_mode = WAL", "CREATE TABLE t (n)")
    stop = threading.Event()

    def write() -> None:
        with closing(sqlite3.connect(file, timeout=30, isolation_level=None)) as writer:
            n = 0
            while not stop.is_set():
                writer.execute("BEGIN")
                writer.executemany("INSERT INTO t VALUES (?)", [(n,)] * 10)
                writer.execute("COMMIT")
                n += 1

    thread = threading.Thread(target=write)
    thread.start()
    try:
        for _ in range(5):
            with open_snapshot(file, wait=0.2) as snapshot:
                seen = snapshot.connection.execute("SELECT count(*) % 10 FROM t").fetchone()
                assert seen == (0,)
    finally:
        stop.set()
        thread.join()


def test_lock_is_waited_for_a_bounded_time(make_file: MakeFile) -> None:
    file = make_file(TABLE)
    with closing(sqlite3.connect(file, isolation_level=None)) as writer:
        writer.execute("BEGIN EXCLUSIVE")
        with pytest.raises(SourceError) as refusal:
            rows(file, wait=0.1)
        assert refusal.value.code == "source-locked"
        writer.execute("ROLLBACK")
    assert rows(file) == [1]


def test_file_that_is_swapped_meanwhile_is_refused(
    make_file: MakeFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, other = make_file(TABLE), make_file(TABLE, name="other.db")
    back_up = snapshots._back_up

    def swap(path: Path, copy: Path, wait: float, *, immutable: bool) -> None:
        back_up(path, copy, wait, immutable=immutable)
        other.replace(path)

    monkeypatch.setattr(snapshots, "_back_up", swap)
    with pytest.raises(SourceError) as refusal:
        rows(file)
    assert refusal.value.code == "source-changed"


def test_symbolic_link_is_followed(make_file: MakeFile, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(make_file(TABLE))
    assert rows(link) == [1]


@pytest.mark.parametrize("name", ["a b.db", "ü%20.db", "q?mode=rwc.db", "#.db", "a'b;.db"])
def test_any_file_name_is_opened_as_it_is(make_file: MakeFile, name: str) -> None:
    assert rows(make_file(TABLE, name=name)) == [1]


def test_constraint_that_its_own_rows_break_is_no_damage(make_file: MakeFile) -> None:
    file = make_file(
        "PRAGMA ignore_check_constraints = ON; CREATE TABLE t (n CHECK (n > 5) NOT NULL);"
        "INSERT INTO t VALUES (1)"
    )
    assert rows(file) == [1]


def bad(kind: str, tmp_path: Path) -> Path:
    file = tmp_path / "bad.db"
    match kind:
        case "folder":
            file.mkdir()
        case "pipe":
            os.mkfifo(file)
        case "empty":
            file.touch()
        case "text":
            file.write_text("not a database")
        case "truncated" | "flipped" | "header only":
            with closing(sqlite3.connect(file)) as connection:
                connection.execute("CREATE TABLE t (n)")
                connection.executemany("INSERT INTO t VALUES (?)", [("x" * 999,)] * 99)
                connection.commit()
            content = bytearray(file.read_bytes())
            if kind == "flipped":
                content[4096 * 3 : 4096 * 4] = b"\xff" * 4096
            cut = {"truncated": len(content) // 2, "header only": 100}.get(kind, len(content))
            file.write_bytes(content[:cut])
    return file


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("missing", "source-missing"),
        ("folder", "source-not-a-file"),
        ("pipe", "source-not-a-file"),
        ("empty", "source-empty"),
        ("text", "source-not-sqlite"),
        ("truncated", "source-corrupt"),
        ("header only", "source-corrupt"),
        ("flipped", "source-corrupt"),
    ],
)
def test_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path, kind: str, code: str) -> None:
    file = bad(kind, tmp_path)
    with pytest.raises(SourceError) as refusal:
        rows(file)
    assert (refusal.value.code, refusal.value.exit_code) == (code, 4)
    assert "bad.db" in refusal.value.message
    assert {entry.name for entry in tmp_path.iterdir()} <= {"bad.db"}
