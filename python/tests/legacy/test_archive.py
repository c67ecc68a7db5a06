"""What has no place in the models is archived: every SQLite value and any structure, exactly."""

import sqlite3
import tracemalloc
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.archive import representation, unique_names

Import = Callable[..., legacy.ImportResult]
Verify = Callable[[Path], legacy.VerifyResult]
Fetch = Callable[[str], list[Any]]
MakeFile = Callable[..., Path]

ODD = [
    (1, 0.1 + 0.2, 2**63 - 1, "a\x00b", bytes(range(256)), 1),
    (2, 5e-324, -(2**63), "", b"", "1"),
    (3, float("inf"), None, "é漢😀\t\n\\N\r", None, b"1"),
    (4, 123456789.123456789, 12, None, "text in a blob", 1.5),
    (5, 1e308, "text in an integer", "\x1d\x1e\x1f", b"\x00", None),
    (6, -float("inf"), 1.5, "it's", "X'00'", "NULL"),
    (7, -0.0, b"\xff", "'quoted'", b"\\x00", float("inf")),
    (8, None, "", "\\.", b"\n", ""),
]
ODD_TABLE = "CREATE TABLE odd (id INTEGER PRIMARY KEY, r REAL, i INTEGER, t TEXT, b BLOB, n)"


@pytest.fixture
def odd(make_file: MakeFile) -> Path:
    return make_file(
        ODD_TABLE,
        ("INSERT INTO odd VALUES (?, ?, ?, ?, ?, ?)", ODD),
        "INSERT INTO odd (id, t) VALUES (100, CAST(x'ff41fe' AS TEXT))",
        'CREATE TABLE "Mixed ""Case; drop table tasks;--" ("select" TEXT)',
        """INSERT INTO "Mixed ""Case; drop table tasks;--" VALUES ('x')""",
    )


def test_values_that_break_importers_are_archived_and_verified(
    odd: Path, import_: Import, verify: Verify, fetch: Fetch
) -> None:
    result = import_(odd)
    assert (result.verified, result.plan.totals["rejected"]) == (True, 0)
    assert fetch(
        "SELECT name, representation FROM legacy.columns WHERE archive = 'legacy.odd'"
        " ORDER BY position"
    ) == [
        ("rowid", "rowid"), ("id", "bigint"), ("r", "double precision"), ("i", "sqlite literal"),
        ("t", "sqlite literal"), ("b", "sqlite literal"), ("n", "sqlite literal"),
    ]  # fmt: skip
    assert fetch("SELECT i, t, b, n FROM legacy.odd WHERE id IN (2, 3, 6, 7, 100) ORDER BY id") == [
        ("-9223372036854775808", "''", "X''", "'1'"),
        (None, "'é漢😀\t\n\\N\r'", None, "X'31'"),
        ("1.5", "'it''s'", "'X''00'''", "'NULL'"),
        ("X'ff'", "'''quoted'''", "X'5c783030'", "9e999"),
        (None, "CAST(X'ff41fe' AS TEXT)", None, None),
    ]
    assert fetch('SELECT "select" FROM legacy."Mixed ""Case; drop table tasks;--"') == ["x"]
    assert verify(odd).comparison.rows == 10


@pytest.mark.parametrize(
    ("types", "clean", "expected"),
    [
        ({}, True, "text"),
        ({"null": 9}, True, "text"),
        ({"integer": 1, "null": 9}, True, "bigint"),
        ({"real": 1}, True, "double precision"),
        ({"blob": 1}, True, "bytea"),
        ({"text": 1}, True, "text"),
        ({"text": 1}, False, "sqlite literal"),
        ({"integer": 1, "real": 1}, True, "sqlite literal"),
        ({"blob": 1, "text": 1}, True, "sqlite literal"),
    ],
)
def test_representation_follows_from_what_is_stored(
    types: dict[str, int], clean: bool, expected: str
) -> None:
    assert representation(types, clean=clean) == expected


NAMES = [
    "per%cent", "co:lon", 'quo"te', "do.t", "sp ace", "", "select", "rowid", "xmin", "Ctid", "ünï",
    "imports", "ID_MAP", "%(x)s", "x" * 63, "x" * 64, "x" * 70, "é" * 40, "back\\slash", "'",
]  # fmt: skip


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def test_any_name_is_kept_or_numbered(make_file: MakeFile, import_: Import, fetch: Fetch) -> None:
    columns = ", ".join(map(quoted, NAMES))
    marks = ", ".join("?" * len(NAMES))
    statements: list[Any] = []
    for table in filter(None, NAMES):
        statements.append(f"CREATE TABLE {quoted(table)} ({columns})")
        insert = " ".join(("INSERT INTO", quoted(table), "VALUES (", marks, ")"))
        statements.append((insert, [[f"{table} {name}" for name in NAMES]]))
    assert import_(make_file(*statements)).verified
    kept = set(
        fetch("SELECT column_name::text FROM information_schema.columns WHERE table_name = '%(x)s'")
    )
    assert {n for n in NAMES if 0 < len(n.encode()) < 64} - kept == {"xmin", "Ctid"}
    assert {"rowid", "rowid_2", "xmin_2", "_", "x" * 61 + "_2"} <= kept
    tables = set(fetch("SELECT tablename::text FROM pg_tables WHERE schemaname = 'legacy'"))
    assert {"imports_2", "ID_MAP_2", "x" * 61 + "_2", "x" * 61 + "_3", "%(x)s"} <= tables


def test_names_differ_in_more_than_case() -> None:
    assert unique_names(["a", "A", "a_2", "é" * 40], taken=["B"]) == ["a", "A_2", "a_2_2", "é" * 31]


STRUCTURES = {
    "without rowid": (
        "CREATE TABLE t (a TEXT, b INTEGER, PRIMARY KEY (b, a)) WITHOUT ROWID;"
        "INSERT INTO t VALUES ('x', 2), ('y', 1), ('x', 1)",
        [("x", 1), ("y", 1), ("x", 2)],
    ),
    "strict": ("CREATE TABLE t (a ANY, b INT) STRICT; INSERT INTO t VALUES ('1', 2)", [("1", 2)]),
    "rowid taken by a column": (
        "CREATE TABLE t (rowid TEXT, _rowid_ TEXT, oid TEXT); INSERT INTO t VALUES ('a', 'b', 'c'),"
        " ('d', 'e', 'f')",
        [("a", "b", "c"), ("d", "e", "f")],
    ),
    "negative and far rowid": (
        "CREATE TABLE t (a); INSERT INTO t (rowid, a) VALUES (9223372036854775807, 1), (-5, 2)",
        [(2,), (1,)],
    ),
    "generated columns": (
        "CREATE TABLE t (a INT, v INT AS (a * 2), s TEXT AS (a || 'x') STORED);"
        "INSERT INTO t VALUES (21)",
        [(21, 42, "21x")],
    ),
    "null in a primary key": (
        "CREATE TABLE t (a TEXT PRIMARY KEY); INSERT INTO t VALUES (NULL), (NULL)",
        [(None,), (None,)],
    ),
    "an index that covers the table in another order": (
        "CREATE TABLE t (a); CREATE INDEX i ON t (a DESC); INSERT INTO t VALUES (1), (3), (2)",
        [(1,), (3,), (2,)],
    ),
}


@pytest.mark.parametrize("name", STRUCTURES)
def test_any_kind_of_table_is_archived_whole(
    make_file: MakeFile, import_: Import, verify: Verify, fetch: Fetch, name: str
) -> None:
    statements, rows = STRUCTURES[name]
    file = make_file(statements)
    assert import_(file).verified
    stored = [row[1:] for row in fetch("SELECT * FROM legacy.t ORDER BY 1")]
    assert stored == rows
    assert verify(file).comparison.rows == len(rows)


def test_number_of_a_row_is_kept(make_file: MakeFile, import_: Import, fetch: Fetch) -> None:
    import_(make_file("CREATE TABLE t (a); INSERT INTO t (rowid, a) VALUES (-5, 'x'), (9, 'y')"))
    assert fetch("SELECT * FROM legacy.t ORDER BY a") == [(-5, "x"), (9, "y")]


def test_rows_of_a_virtual_table_are_in_the_tables_it_stands_on(
    make_file: MakeFile, import_: Import, fetch: Fetch
) -> None:
    file = make_file("CREATE VIRTUAL TABLE f USING fts5 (x); INSERT INTO f VALUES ('hello')")
    result = import_(file)
    assert ("virtual table", "f") in {(entry.type, entry.name) for entry in result.plan.unplaced}
    assert fetch("SELECT c0 FROM legacy.f_content") == ["hello"]


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_utf_16_is_read_and_half_a_pair_refused(
    make_file: MakeFile, import_: Import, fetch: Fetch, encoding: str
) -> None:
    begin = f"PRAGMA encoding = '{encoding}'"
    broken = make_file(
        begin, "CREATE TABLE t (a); INSERT INTO t VALUES (CAST(X'd8d8' AS TEXT))", name="b.db"
    )
    with pytest.raises(SourceError) as refusal:
        import_(broken)
    assert refusal.value.code == "source-text-broken"
    assert import_(make_file(begin, "CREATE TABLE t (a); INSERT INTO t VALUES ('é😀')")).verified
    assert fetch("SELECT a FROM legacy.t") == ["é😀"]


def test_file_without_a_table_is_refused(make_file: MakeFile) -> None:
    with pytest.raises(SourceError) as refusal:
        legacy.assess(make_file("PRAGMA user_version = 3"), owner=None)
    assert refusal.value.code == "source-empty"


def test_memory_does_not_grow_with_the_file(tmp_path: Path, import_: Import) -> None:
    def peak(rows: int, name: str) -> int:
        file = tmp_path / name
        with closing(sqlite3.connect(file)) as connection:
            connection.execute("CREATE TABLE t (a, b)")
            values = ((n, "x" * 500) for n in range(rows))
            connection.executemany("INSERT INTO t VALUES (?, ?)", values)
            connection.commit()
        tracemalloc.start()
        legacy.assess(file, owner=None)
        if name == "big.db":
            import_(file)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak

    peak(10, "warm-up.db")
    assert peak(20_000, "big.db") < 5 << 20  # 10 MB of text
