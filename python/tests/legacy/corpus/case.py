"""One case of the corpus: a small SQLite file made by code, and what has to become of it."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Build = Callable[[sqlite3.Connection], None]


class RawText(bytes):
    """Bytes to be stored as text, whatever they are."""


@dataclass(frozen=True)
class Case:
    """A file that other importers lose something of, or might."""

    name: str
    group: str
    build: Build
    rejects: tuple[str, ...] = ()  # "table.column code", "table code" for a row as a whole
    unplaced: tuple[str, ...] = ()  # "type name" of what holds no rows and has no place
    refused: str | None = None  # the code of the error where the file as a whole is refused

    def write(self, folder: Path) -> Path:
        """Write the file into a folder and return its path."""
        file = folder / f"{self.name}.db"
        with closing(sqlite3.connect(file, isolation_level=None)) as connection:
            connection.execute("PRAGMA synchronous = OFF")
            self.build(connection)
        return file


def script(*statements: str | tuple[str, list[Any]]) -> Build:
    """A builder that runs statements; a statement may bring rows of values for its parameters."""

    def build(connection: sqlite3.Connection) -> None:
        for statement in statements:
            if isinstance(statement, str):
                connection.executescript(statement)
            else:
                connection.executemany(*statement)

    return build


def column(declared: str, *values: Any) -> Build:
    """A builder of one table `t` whose column `v` is declared so and holds these values."""

    def build(connection: sqlite3.Connection) -> None:
        connection.execute(f"CREATE TABLE t (id INTEGER PRIMARY KEY, v {declared})")
        connection.execute("BEGIN")
        for value in values:
            mark = "CAST(? AS TEXT)" if isinstance(value, RawText) else "?"
            plain = bytes(value) if isinstance(value, RawText) else value
            insert = " ".join(("INSERT INTO t (v) VALUES (", mark, ")"))
            connection.execute(insert, (plain,))
        connection.execute("COMMIT")

    return build
