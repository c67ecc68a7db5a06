"""Every rule of a table that the archive does not keep is named, with its SQL."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dhafnck_db import legacy

MakeFile = Callable[..., Path]

PARENT = "CREATE TABLE p (a TEXT, b INTEGER, PRIMARY KEY (a, b));"

# What a table is made of, and the rules that are named: type, name, SQL.
RULES = [
    ("CREATE TABLE t (p REFERENCES p)",
     [("foreign key", "t.p", 'FOREIGN KEY ("p") REFERENCES "p"')]),
    ("CREATE TABLE t (x, y, FOREIGN KEY (y, x) REFERENCES p (b, a)"
     " ON UPDATE CASCADE ON DELETE SET NULL)",
     [("foreign key", "t.y, x", 'FOREIGN KEY ("y", "x") REFERENCES "p" ("b", "a")'
                                " ON UPDATE CASCADE ON DELETE SET NULL")]),
    ("CREATE TABLE t (x REFERENCES p (a), y REFERENCES gone (z))",
     [("foreign key", "t.x", 'FOREIGN KEY ("x") REFERENCES "p" ("a")'),
      ("foreign key", "t.y", 'FOREIGN KEY ("y") REFERENCES "gone" ("z")')]),
    ('CREATE TABLE t (a UNIQUE, "b""c", d, UNIQUE (d, "b""c"))',
     [("unique", "t.a", 'UNIQUE ("a")'), ("unique", 't.d, b"c', 'UNIQUE ("d", "b""c")')]),
    ("CREATE TABLE t (a PRIMARY KEY, b); CREATE UNIQUE INDEX i ON t (b, a); CREATE INDEX j ON t(b)",
     [("unique", "t.b, a", "CREATE UNIQUE INDEX i ON t (b, a)")]),
    ("CREATE TABLE t (a); CREATE UNIQUE INDEX i ON t (a) WHERE a > 1;"
     "CREATE UNIQUE INDEX j ON t (a, a + 1)",
     [("index", "i", "CREATE UNIQUE INDEX i ON t (a) WHERE a > 1"),
      ("index", "j", "CREATE UNIQUE INDEX j ON t (a, a + 1)")]),
    ("CREATE TABLE t (a TEXT COLLATE NOCASE, b COLLATE rtrim, c TEXT COLLATE BINARY, d)",
     [("collation", "t.a", "COLLATE NOCASE"), ("collation", "t.b", "COLLATE RTRIM")]),
    ("CREATE TABLE t (a INTEGER DEFAULT 0, b TEXT DEFAULT 'it''s', c DEFAULT (1 + 1),"
     " d DEFAULT CURRENT_TIMESTAMP, e DEFAULT NULL, f INT AS (a) STORED)",
     [("default", "t.a", "DEFAULT 0"), ("default", "t.b", "DEFAULT 'it''s'"),
      ("default", "t.c", "DEFAULT 1 + 1"), ("default", "t.d", "DEFAULT CURRENT_TIMESTAMP"),
      ("generated column", "t.f", None)]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "named"), RULES)
def test_rule_of_an_archived_table_is_named(
    make_file: MakeFile, sql: str, named: list[tuple[str, str, str | None]]
) -> None:
    plan = legacy.assess(make_file(PARENT, sql), owner=None)
    found = {(lost.type, lost.name): lost for lost in plan.unplaced}
    assert sorted(found) == [(kind, name) for kind, name, _ in named]
    for kind, name, definition in named:
        assert found[kind, name].reason
        assert definition in (None, found[kind, name].sql)


def test_rules_of_the_models_own_columns_are_not_named(make_file: MakeFile) -> None:
    file = make_file(
        "CREATE TABLE projects (id TEXT PRIMARY KEY COLLATE NOCASE, name TEXT DEFAULT 'x' UNIQUE,"
        " nick TEXT COLLATE NOCASE DEFAULT 'y' UNIQUE, user_id TEXT, UNIQUE (user_id, nick))"
    )
    assert [(lost.type, lost.name) for lost in legacy.assess(file, owner=None).unplaced] == [
        ("unique", "projects.user_id, nick"),
        ("unique", "projects.nick"),
        ("collation", "projects.nick"),
        ("default", "projects.nick"),
    ]


def test_collation_that_only_the_application_knew_is_named(tmp_path: Path) -> None:
    file = tmp_path / "old.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.create_collation("German", lambda a, b: (a > b) - (a < b))
        connection.execute("CREATE TABLE t (word TEXT COLLATE German)")
    (lost,) = legacy.assess(file, owner=None).unplaced
    assert (lost.type, lost.name, lost.sql) == ("collation", "t.word", "COLLATE German")
