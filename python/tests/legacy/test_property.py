"""Any SQLite file goes in exactly: random tables and values, imported and read back."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg2 import sql
from sqlalchemy import Engine, text

from dhafnck_db import legacy
from dhafnck_db.legacy import archive

names = st.text(
    st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00"), max_size=70
)
values = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.text(st.characters(blacklist_categories=["Cs"])),
    st.binary(),
)
tables = st.lists(
    st.tuples(
        names.filter(lambda name: name and not name.lower().startswith("sqlite_")),
        st.lists(names, min_size=1, max_size=5, unique_by=str.casefold),
        st.sampled_from(["", "INTEGER", "REAL", "TEXT", "BLOB", "NUMERIC", "JSON", "DATETIME"]),
        st.lists(st.lists(values, min_size=5, max_size=5), max_size=20),
        st.booleans(),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda table: table[0].casefold(),
)


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def write(file: Path, wanted: list[Any]) -> int:
    """Write what of the tables SQLite itself takes; return the number of rows."""
    rows = 0
    with closing(sqlite3.connect(file)) as connection:
        for name, columns, kind, lines, without_rowid in wanted:
            declared = ", ".join(f"{quoted(column)} {kind}" for column in columns)
            options = " WITHOUT ROWID" if without_rowid else ""
            key = f", PRIMARY KEY ({quoted(columns[0])})" if without_rowid else ""
            try:
                connection.execute(f"CREATE TABLE {quoted(name)} ({declared}{key}){options}")
            except sqlite3.OperationalError:
                continue
            marks = "(" + ", ".join("?" * len(columns)) + ")"
            for line in lines:
                statement = " ".join(("INSERT OR IGNORE INTO", quoted(name), "VALUES", marks))
                rows += connection.execute(statement, line[: len(columns)]).rowcount
        connection.execute("CREATE TABLE IF NOT EXISTS anchor (a)")
        connection.commit()
    return rows


@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(wanted=tables)
def test_any_file_is_archived_whole(target: Engine, tmp_path: Path, wanted: list[Any]) -> None:
    with target.begin() as connection:
        for table in connection.scalars(
            text("SELECT tablename FROM pg_tables WHERE schemaname = 'legacy'")
        ).all():
            if table not in archive.BOOKKEEPING:
                escaped = quoted(table).replace(":", "\\:")
                connection.execute(text(f"DROP TABLE legacy.{escaped}"))
        connection.execute(text("DELETE FROM legacy.imports"))
        connection.execute(text("DELETE FROM legacy.columns"))
    file = tmp_path / "random.db"
    file.unlink(missing_ok=True)
    rows = write(file, wanted)
    with target.connect() as connection:
        result = legacy.import_file(connection, file, owner=None)
    assert result.verified
    assert result.plan.totals == {"rows": rows, "mapped": 0, "archived": rows, "rejected": 0}
    assert read_back(target, file) == originals(file)


def originals(file: Path) -> list[Any]:
    with closing(sqlite3.connect(file)) as connection:
        connection.text_factory = bytes
        found = []
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
            table = name.decode()
            for row in connection.execute(" ".join(("SELECT * FROM", quoted(table)))):
                found.append((table, [exact(value) for value in row]))
    return sorted(found, key=repr)


def exact(value: Any) -> Any:
    return value.hex() if isinstance(value, float) else value


def read_back(target: Engine, file: Path) -> list[Any]:
    """The values as Python's sqlite3 gives them, from the catalogue in the database alone."""
    found = []
    with target.connect() as connection, closing(sqlite3.connect(":memory:")) as lite:
        lite.text_factory = bytes
        described = connection.execute(
            text(
                "SELECT archive, name, source_table, representation FROM legacy.columns"
                " WHERE source_column IS NOT NULL ORDER BY archive, position"
            )
        ).all()
        by_table: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for table, name, source, kind in described:
            by_table.setdefault((table, source), []).append((name, kind))
        raw = connection.connection.cursor()
        for (table, source), columns in by_table.items():
            names = [sql.Identifier(name) for name, _ in columns]
            archived = sql.Identifier(*table.split(".", 1))
            raw.execute(sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(names), archived))
            for row in raw.fetchall():
                values = [
                    decoded(value, kind, lite)
                    for value, (_, kind) in zip(row, columns, strict=True)
                ]
                found.append((source, [exact(value) for value in values]))
    return sorted(found, key=repr)


def decoded(value: Any, kind: str, lite: sqlite3.Connection) -> Any:
    match kind:
        case _ if value is None:
            return None
        case "bytea":
            return bytes(value)
        case "text":
            return value.encode()
        case "sqlite literal" if value[0] not in "'XC":
            # SQLite's own reading of a decimal may be off by its last bit; Python's is not.
            number = lite.execute(f"SELECT {value}").fetchone()[0]
            is_exact = isinstance(number, int) or abs(number) == float("inf")
            return number if is_exact else float(value)
        case "sqlite literal":
            return lite.execute(f"SELECT {value}").fetchone()[0]
    return value
