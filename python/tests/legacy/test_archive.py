"""What has no place in the models is archived, every SQLite value exactly."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from dhafnck_db import legacy

Make = Callable[..., Path]

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


def fetch(engine: Engine, statement: str) -> list[Any]:
    with engine.connect() as connection:
        return [tuple(row) for row in connection.execute(text(statement))]


def import_(engine: Engine, file: Path, **options: Any) -> legacy.ImportResult:
    with engine.connect() as connection:
        return legacy.import_file(connection, file, owner="owner", **options)


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    file = tmp_path / "odd.db"
    connection = sqlite3.connect(file)
    connection.execute(
        "CREATE TABLE odd (id INTEGER PRIMARY KEY, r REAL, i INTEGER, t TEXT, b BLOB, n)"
    )
    connection.executemany("INSERT INTO odd VALUES (?, ?, ?, ?, ?, ?)", ODD)
    connection.execute("INSERT INTO odd (id, t) VALUES (100, CAST(x'ff41fe' AS TEXT))")
    connection.execute('CREATE TABLE "Mixed ""Case; drop table tasks;--" ("select" TEXT)')
    connection.execute("""INSERT INTO "Mixed ""Case; drop table tasks;--" VALUES ('x')""")
    connection.commit()
    connection.close()
    return file


def test_values_that_break_importers_are_archived_and_verified(target: Engine, odd: Path) -> None:
    result = import_(target, odd)
    assert (result.verified, result.plan.totals["rejected"]) == (True, 0)
    assert [
        (name, kind)
        for name, kind in fetch(
            target,
            "SELECT name, representation FROM legacy.columns WHERE archive = 'legacy.odd'"
            " ORDER BY position",
        )
    ] == [
        ("rowid", "rowid"),
        ("id", "bigint"),
        ("r", "double precision"),
        ("i", "sqlite literal"),
        ("t", "sqlite literal"),
        ("b", "sqlite literal"),
        ("n", "sqlite literal"),
    ]
    with target.connect() as connection:
        legacy.verify_file(connection, odd)


NAMES = [
    "per%cent",
    "co:lon",
    'quo"te',
    "do.t",
    "sp ace",
    "",
    "select",
    "rowid",
    "xmin",
    "Ctid",
    "ünï",
    "imports",
    "ID_MAP",
    "%(x)s",
    "x" * 63,
    "x" * 64,
    "x" * 70,
    "é" * 40,
    "back\\slash",
    "'",
]


def test_any_name_is_kept_or_numbered(target: Engine, tmp_path: Path) -> None:
    file = tmp_path / "names.db"
    connection = sqlite3.connect(file)
    for i, name in enumerate(n for n in NAMES if n):
        quoted = [n.replace('"', '""') for n in NAMES]
        columns = ", ".join(f'"{n}"' for n in quoted)
        table = name.replace('"', '""')
        connection.execute(f'CREATE TABLE "{table}" ({columns})')
        connection.execute(
            f'INSERT INTO "{table}" VALUES ({", ".join("?" * len(NAMES))})',
            [f"{i} {n}" for n in NAMES],
        )
    connection.commit()
    connection.close()
    assert import_(target, file).verified
    kept = {name for (name,) in fetch(target, "SELECT name FROM legacy.columns")}
    assert {n for n in NAMES if 0 < len(n.encode()) < 64} - kept == {"xmin", "Ctid"}
    tables = {
        name
        for (name,) in fetch(target, "SELECT tablename FROM pg_tables WHERE schemaname = 'legacy'")
    }
    assert {"imports_2", "ID_MAP_2", "x" * 61 + "_2"} <= tables
