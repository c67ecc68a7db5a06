"""The hashes of both sides: computed apart, of all that went in batches, honest of the rest."""

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dhafnck_db import legacy
from dhafnck_db.legacy import prove
from legacy.faults import write_many

Import = Callable[..., legacy.ImportResult]
MakeFile = Callable[..., Path]
NOTES = "CREATE TABLE notes (n INTEGER, t TEXT); INSERT INTO notes VALUES (1, 'a'), (2, 'b\\c')"


def by_place(result: legacy.ImportResult) -> dict[tuple[str, str], Any]:
    return {(entry.table, entry.to): entry for entry in result.hashes}


def test_every_filled_table_is_told_and_the_hashes_are_equal(sample: Path, import_: Import) -> None:
    result = import_(sample)
    rows = {table.name: table.rows for table in result.plan.tables if table.rows}
    assert {entry.table for entry in result.hashes} == rows.keys()
    assert ("tasks", "public.tasks") in by_place(result)
    for entry in result.hashes:
        assert entry.rows == rows[entry.table]
        assert entry.hashed == (entry.rows if entry.file else 0)
        assert entry.file == entry.database
    hashes = [entry.file for entry in result.hashes if entry.file]
    assert len(set(hashes)) == len(hashes) > 0


def test_hash_is_that_of_the_rows_as_copy_writes_them(make_file: MakeFile, import_: Import) -> None:
    (entry,) = import_(make_file(NOTES)).hashes
    # The number of the row, and the columns.
    rows = b"1\x1f1\x1fa\n2\x1f2\x1fb\\\\c\n"
    assert entry.database == hashlib.sha256(rows).hexdigest()


@pytest.mark.parametrize(
    ("texts", "json", "row", "same"),
    [
        (b"a\x1fb", None, b"a\x1fb\n", True),
        (b"a\x1fb", None, b"a\x1fc\n", False),
        (b"a", b'{"b": 1.10, "a": 2}', b'a\x1f\x1d\x1f{"a": 2, "b": 1.1}\n', True),
        (b"a", b"[1e-16]", b"a\x1f\x1d\x1f[0.0000000000000001]\n", True),
        (b"a", b"[1]", b"a\x1f\x1d\x1f[2]\n", False),
        (b"a", b"[1]", b"b\x1f\x1d\x1f[1]\n", False),
        (b"a", b"\x1e", b"a\x1f\x1d\x1fnull\n", False),
        (b"a", b"0.1", b"a\x1f\x1d\x1f0.10000000000000001\n", False),
    ],
)
def test_each_side_is_hashed_by_itself(
    texts: bytes, json: bytes | None, row: bytes, same: bool
) -> None:
    lines = prove._Lines(iter([prove.Expected(1, texts, json)]))
    lines.write(row)
    hashes = lines.hashes()
    assert (hashes.file == hashes.database) is same
    assert lines.all_equal() is same


def test_rows_that_were_compared_one_by_one_are_told_apart(
    make_file: MakeFile, import_: Import, tmp_path: Path
) -> None:
    file = write_many(tmp_path / "many.db", 2000)
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(
            "UPDATE task_assignees SET assigned_at = '2025-08-19T10:00:00+02:00'"
            " WHERE rowid = (SELECT max(rowid) FROM task_assignees)"
        )
        connection.execute("CREATE TABLE mixed (a)")
        connection.execute("INSERT INTO mixed VALUES (1), ('x')")
        connection.commit()
    found = by_place(import_(file))
    some, mixed = found["task_assignees", "public.task_assignees"], found["mixed", "legacy.mixed"]
    assert 0 < some.hashed < some.rows == 2001
    assert some.file == some.database is not None
    assert (mixed.rows, mixed.hashed, mixed.file, mixed.database) == (2, 0, None, None)


def test_bytes_are_those_that_were_sent(make_file: MakeFile, sample: Path, import_: Import) -> None:
    assert "bytes" not in import_(sample, dry_run=True).to_dict()["tables"][0]
    (notes,) = import_(make_file(NOTES)).to_dict()["tables"]
    assert notes["bytes"] == len(b"1\x1f1\x1fa\n2\x1f2\x1fb\\\\c\n")
