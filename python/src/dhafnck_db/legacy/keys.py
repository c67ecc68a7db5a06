"""The keys seen so far: for duplicates, references, owners and changed ids.

They live in a private file beside the snapshot, so that memory stays flat; it never touches the
source.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from dhafnck_db.legacy.snapshot import CACHE


class Keys:
    """The notes of one run, in the database `scratch` that is attached to a connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{CACHE}"):
            connection.execute(f"PRAGMA scratch.{pragma}")
        for table in (
            # legacy is NULL where it is the key itself.
            "keys (space INTEGER, key TEXT, legacy TEXT, owner TEXT, PRIMARY KEY (space, key))",
            "rejected (target TEXT, legacy TEXT, PRIMARY KEY (target, legacy))",
            "leads (child INTEGER, number INTEGER, owner TEXT, PRIMARY KEY (child, number))",
            "ids (target TEXT, legacy TEXT, id TEXT, PRIMARY KEY (target, legacy))",
        ):
            connection.execute(f"CREATE TABLE scratch.{table} WITHOUT ROWID")
        self._spaces: dict[tuple[str, ...], int] = {}

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keep what is added within; other connections see it afterwards."""
        self._db.execute("BEGIN")
        yield
        self._db.execute("COMMIT")

    def add(
        self,
        target: str,
        columns: Sequence[str],
        key: Sequence[str],
        legacy: str,
        owner: str | None,
    ) -> None:
        """Remember a key of a table, with what it was in the file and whose row it is."""
        self._db.execute(
            "INSERT INTO scratch.keys VALUES (?, ?, ?, ?)",
            (self.space(target, columns), "\x00".join(key), legacy, owner),
        )

    def legacy(self, target: str, columns: Sequence[str], key: Sequence[str]) -> str | None:
        """Return what a key was in the file, or None for a key that was not added."""
        found = self._db.execute(
            "SELECT coalesce(legacy, key) FROM scratch.keys WHERE space = ? AND key = ?",
            (self.space(target, columns), "\x00".join(key)),
        ).fetchone()
        return found[0] if found else None

    def owner(self, target: str, columns: Sequence[str], key: str) -> str | None:
        """Return the owner of a row, or None where there is no such row."""
        found = self._db.execute(
            "SELECT owner FROM scratch.keys WHERE space = ? AND key = ?",
            (self.space(target, columns), key),
        ).fetchone()
        return found[0] if found else None

    def reject(self, target: str, legacy: str) -> None:
        """Remember that the row of this legacy key does not go in."""
        self._db.execute("INSERT OR IGNORE INTO scratch.rejected VALUES (?, ?)", (target, legacy))

    def is_rejected(self, target: str, legacy: str) -> bool:
        """Whether a row of this legacy key does not go in."""
        found = self._db.execute(
            "SELECT 1 FROM scratch.rejected WHERE target = ? AND legacy = ?", (target, legacy)
        )
        return found.fetchone() is not None

    def add_id(self, target: str, legacy: str, id_: str) -> None:
        """Remember the UUID that a legacy id became."""
        self._db.execute(
            "INSERT OR IGNORE INTO scratch.ids VALUES (?, ?, ?)", (target, legacy, id_)
        )

    def ids(self) -> Iterator[tuple[str, str, str]]:
        """Yield table, legacy id and UUID of every id that changed."""
        yield from self._db.execute(
            "SELECT target, legacy, id FROM scratch.ids ORDER BY target, legacy"
        )

    def space(self, target: str, columns: Sequence[str]) -> int:
        """Return the number under which the keys of these columns are kept."""
        return self._spaces.setdefault((target, *columns), len(self._spaces))


class KeySet:
    """A set of keys of any number; a context manager that removes it."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute("CREATE TABLE keys (key TEXT PRIMARY KEY) WITHOUT ROWID")

    def __enter__(self) -> KeySet:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def update(self, keys: Iterable[Sequence[str]]) -> None:
        """Add keys."""
        self._db.execute("BEGIN")
        rows = (("\x00".join(key),) for key in keys)
        self._db.executemany("INSERT OR IGNORE INTO keys VALUES (?)", rows)
        self._db.execute("COMMIT")

    def __contains__(self, key: Sequence[str]) -> bool:
        found = self._db.execute("SELECT 1 FROM keys WHERE key = ?", ("\x00".join(key),))
        return found.fetchone() is not None
