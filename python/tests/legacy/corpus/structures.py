"""Tables of every shape, names of every kind, and objects that hold no rows."""

import hashlib
import sqlite3

from legacy.corpus.case import Build, Case, script

LONG = "x" * 69  # bytes; PostgreSQL keeps 63


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def named(*names: str) -> Build:
    """A builder of tables of these names, each with its own name as a column and as a value."""
    return script(
        *(
            (f"CREATE TABLE {quoted(name)} (id INTEGER PRIMARY KEY, {quoted(name)} TEXT)", [()])
            for name in names
        ),
        *(
            (" ".join(("INSERT INTO", quoted(name), "VALUES (1, ?)")), [(f"row of {name}",)])
            for name in names
        ),
    )


def wide(connection: sqlite3.Connection, columns: int, value: object) -> None:
    names = ", ".join(f"c{number}" for number in range(columns))
    connection.execute(f"CREATE TABLE t ({names})")
    marks = ", ".join("?" * columns)
    connection.execute(" ".join(("INSERT INTO t VALUES (", marks, ")")), [value] * columns)


KEYS = {
    "self-reference": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, parent INTEGER REFERENCES t (id));"
        "INSERT INTO t VALUES (1, 2), (2, 1), (3, 3), (4, NULL)"
    ),
    "cyclic-references": (
        "CREATE TABLE a (id INTEGER PRIMARY KEY, b INTEGER REFERENCES b (id));"
        "CREATE TABLE b (id INTEGER PRIMARY KEY, a INTEGER REFERENCES a (id));"
        "INSERT INTO a VALUES (1, 1), (2, NULL); INSERT INTO b VALUES (1, 2), (2, 1)"
    ),
    "orphans": (
        "CREATE TABLE p (id INTEGER PRIMARY KEY);"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, p INTEGER NOT NULL REFERENCES p (id));"
        "INSERT INTO p VALUES (1); INSERT INTO t VALUES (1, 1), (2, 99), (3, 99)"
    ),
    "reference-to-no-table": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, gone INTEGER REFERENCES gone (id));"
        "INSERT INTO t VALUES (1, 7)"
    ),
    "composite-keys": (
        "CREATE TABLE p (a TEXT, b INTEGER, v TEXT, PRIMARY KEY (b, a));"
        "CREATE TABLE t (id INTEGER PRIMARY KEY, pa TEXT, pb INTEGER,"
        " FOREIGN KEY (pb, pa) REFERENCES p (b, a));"
        "INSERT INTO p VALUES ('x', 2, 'one'), ('y', 1, 'two'); INSERT INTO t VALUES (1, 'x', 2)"
    ),
    "null-primary-key": (
        "CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT);"
        "INSERT INTO t VALUES (NULL, 'a'), (NULL, 'b'), ('k', 'c')"
    ),
    "nocase-unique": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE, w TEXT UNIQUE,"
        " UNIQUE (v)); INSERT INTO t VALUES (1, 'Anna', 'x'), (2, 'É', 'X'), (3, 'é', 'x ')"
    ),
    "rtrim-unique": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT COLLATE RTRIM UNIQUE);"
        "INSERT INTO t VALUES (1, 'a  '), (2, 'b'), (3, NULL), (4, NULL)"
    ),
    "mixed-classes-unique": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v UNIQUE);"
        "INSERT INTO t VALUES (1, 1), (2, '1'), (3, X'31'), (4, 1.5), (5, '1.5')"
    ),
    "integer-key-negative-and-huge": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT); INSERT INTO t VALUES"
        " (-5, 'a'), (0, 'b'), (9223372036854775807, 'c'), (-9223372036854775808, 'd')"
    ),
    "autoincrement-above-max": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);"
        "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, 'c'), (10, 'd');"
        "DELETE FROM t WHERE id = 10"
    ),
    "autoincrement-emptied": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, v TEXT);"
        "INSERT INTO t (v) VALUES ('a'), ('b'), ('c'), ('d'), ('e'); DELETE FROM t"
    ),
    "equal-rows": "CREATE TABLE t (a, b); INSERT INTO t VALUES (1, 'x'), (1, 'x'), (1, 'x')",
}

# The rules of tables that the archive does not have.
RULES = {
    "self-reference": ("foreign key t.parent",),
    "cyclic-references": ("foreign key a.b", "foreign key b.a"),
    "orphans": ("foreign key t.p",),
    "reference-to-no-table": ("foreign key t.gone",),
    "composite-keys": ("foreign key t.pb, pa",),
    "nocase-unique": ("collation t.v", "unique t.v", "unique t.w"),
    "rtrim-unique": ("collation t.v", "unique t.v"),
    "mixed-classes-unique": ("unique t.v",),
    "default-of-an-expression": ("default t.v", "default t.w", "default t.x"),
}

SHAPES = {
    "without-rowid": (
        "CREATE TABLE t (a TEXT, b INTEGER, v BLOB, PRIMARY KEY (b, a)) WITHOUT ROWID;"
        "INSERT INTO t VALUES ('x', 2, X'00'), ('y', 1, NULL), ('x', 1, 'text')"
    ),
    "strict": (
        "CREATE TABLE t (a ANY, b INT, c REAL, d TEXT, e BLOB) STRICT;"
        "INSERT INTO t VALUES ('1', 2, 3, '4', X'05'), (X'01', NULL, 1e308, '', X'')"
    ),
    "column-named-rowid": (
        "CREATE TABLE t (rowid TEXT, _rowid_ TEXT, oid TEXT, v TEXT);"
        "INSERT INTO t VALUES ('a', 'b', 'c', 'd'), ('a', 'b', 'c', 'd')"
    ),
    "without-any-value": "CREATE TABLE t (a TEXT, b INTEGER); INSERT INTO t DEFAULT VALUES;"
    "INSERT INTO t DEFAULT VALUES",
    "empty-tables": "CREATE TABLE t (a TEXT, b INTEGER); CREATE TABLE u (c)",
    "default-of-an-expression": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT DEFAULT (strftime('%Y', 'now')),"
        " w TEXT DEFAULT 'it''s', x DEFAULT (1 + 1)); INSERT INTO t (id) VALUES (1);"
    ),
    "odd-declared-types": (
        "CREATE TABLE t (a UNSIGNED BIG INT, b \"VARCHAR(MAX)\", c POINT, d 'my type',"
        " e \"ENUM('x')\", f); INSERT INTO t VALUES (1, 'x', 'p', 1.5, 'x', X'00')"
    ),
    "declared-without-affinity": (
        "CREATE TABLE t (a STRING, b FLOATING POINT, c CHARINT);"
        "INSERT INTO t VALUES ('007', '1.50', '12'), ('abc', 1.5, 'x')"
    ),
}  # fmt: skip

NAMES = {
    "reserved-names": ("select", "user", "order", "table", "group", "default", "end"),
    "mixed-case-names": ("CamelCase", "UPPER", "lower", "snake_Case"),
    "70-byte-names-that-collide": (LONG + "a", LONG + "b"),
    "multi-byte-name-cut-in-a-character": ("é" * 40, "é" * 41),
    "names-equal-after-folding": ("É", "é", "straße", "strasse", "İ", "i"),
    "statement-as-a-name": ('x"; DROP TABLE t;--', "t", "x'; DROP TABLE t;--"),
    "dots-spaces-and-signs-in-names": ("a.b", "a b", " a", "a%sb", "%(x)s", ":x", "a-b", "{}", "1"),
    "line-ends-in-names": ("a\nb", "a\tb", "a\\b", "a\r"),
    "names-of-any-script": ("表", "таблица", "😀", "a\u0301", "\u202ex"),
    "names-of-system-tables": ("pg_class", "pg_toast", "information_schema"),
    "names-of-the-bookkeeping": ("imports", "columns", "rejects", "id_map"),
}

OBJECTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "generated-column-stored": (
        "CREATE TABLE t (a INT, s TEXT AS (a || 'x') STORED); INSERT INTO t VALUES (21), (NULL)",
        ("generated column t.s",),
    ),
    "generated-column-virtual": (
        "CREATE TABLE t (a INT, v INT GENERATED ALWAYS AS (a * 2)); INSERT INTO t VALUES (21)",
        ("generated column t.v",),
    ),
    "partial-index": (
        "CREATE TABLE t (a INT, b TEXT); CREATE INDEX i ON t (b) WHERE a > 1;"
        "INSERT INTO t VALUES (1, 'x'), (2, 'y')",
        ("index i",),
    ),
    "expression-index": (
        "CREATE TABLE t (a INT, b TEXT); CREATE UNIQUE INDEX i ON t (lower(b));"
        "INSERT INTO t VALUES (1, 'x'), (2, 'y')",
        ("index i",),
    ),
    "descending-index": (
        "CREATE TABLE t (a INT, b TEXT); CREATE INDEX i ON t (a DESC, b);"
        "INSERT INTO t VALUES (1, 'x'), (3, 'y'), (2, 'z')",
        (),
    ),
    "view": (
        "CREATE TABLE t (a INT); CREATE VIEW v AS SELECT a * 2 AS b FROM t;"
        "CREATE VIEW broken AS SELECT * FROM gone; INSERT INTO t VALUES (1), (2)",
        ("view broken", "view v"),
    ),
    "trigger": (
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1);"
        "CREATE TRIGGER r AFTER INSERT ON t BEGIN UPDATE t SET a = a + 1; END",
        ("trigger r",),
    ),
    "check-constraint": (
        "CREATE TABLE t (a INT CHECK (a > 0), b TEXT CHECK (b IN ('x', 'y')));"
        "PRAGMA ignore_check_constraints = 1; INSERT INTO t VALUES (1, 'x'), (-1, 'z')",
        ("check t",),
    ),
    "full-text-search": (
        "CREATE VIRTUAL TABLE f USING fts5 (title, body);"
        "INSERT INTO f VALUES ('hello', 'world'), ('é', '')",
        ("virtual table f",),
    ),
    "full-text-search-of-another-table": (
        "CREATE TABLE t (id INTEGER PRIMARY KEY, body TEXT); INSERT INTO t VALUES (1, 'hello');"
        "CREATE VIRTUAL TABLE f USING fts5 (body, content='t', content_rowid='id');"
        "INSERT INTO f (f) VALUES ('rebuild')",
        ("virtual table f",),
    ),
    "r-tree": (
        "CREATE VIRTUAL TABLE r USING rtree (id, low, high); INSERT INTO r VALUES (1, 0.5, 2.5)",
        ("virtual table r",),
    ),
    "statistics-of-analyze": (
        "CREATE TABLE t (a INT); CREATE INDEX i ON t (a); INSERT INTO t VALUES (1), (2); ANALYZE",
        (),
    ),
}

STRUCTURES: tuple[Case, ...] = (
    *(Case(name, "key", script(sql), unplaced=RULES.get(name, ())) for name, sql in KEYS.items()),
    *(
        Case(name, "shape", script(sql), unplaced=RULES.get(name, ()))
        for name, sql in SHAPES.items()
    ),
    Case("1500-columns-of-text", "shape", lambda c: wide(c, 1500, "a")),
    Case("1600-columns", "shape", lambda c: wide(c, 1600, None), refused="source-too-wide"),
    Case(
        "1100-columns-of-integers",
        "shape",
        lambda c: wide(c, 1100, 7),
        refused="source-too-wide",
    ),
    Case(
        "500-columns-that-do-not-compress",
        "shape",
        lambda c: wide(c, 500, hashlib.sha512().hexdigest()),
        refused="source-too-wide",
    ),
    Case(
        "rows-of-megabytes",
        "shape",
        script(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB, c)",
            (
                "INSERT INTO t VALUES (?, ?, ?, ?)",
                [(n, "é" * 1_500_000, b"\\" * 2_000_000, "'" * 1_000_000) for n in range(2)],
            ),
        ),
    ),
    Case(
        "2000-rows-and-one-odd",
        "shape",
        script(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, v TEXT)",
            (
                "INSERT INTO t VALUES (?, ?, ?)",
                [(n, "?" if n == 1321 else n, f"row {n}") for n in range(2000)],
            ),
        ),
    ),
    *(Case(name, "name", named(*names)) for name, names in NAMES.items()),
    Case(
        "column-names-that-collide",
        "name",
        script(
            f'CREATE TABLE t ("{LONG}a", "{LONG}b", "É", "é", "", " ", "a.b", "a""b", "%s")',
            (
                "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [list(range(9)), list("abcdefghi")],
            ),
        ),
    ),
    Case(
        "columns-named-as-postgresql-names-its-own",
        "name",
        script(
            "CREATE TABLE t (ctid, xmin, Xmax, cmin, cmax, tableoid, user, row, id);"
            "INSERT INTO t VALUES (1, 2, 3, 4, 5, 6, 7, 8, 9)"
        ),
    ),
    *(
        Case(name, "object", script(sql), unplaced=unplaced)
        for name, (sql, unplaced) in OBJECTS.items()
    ),
)
