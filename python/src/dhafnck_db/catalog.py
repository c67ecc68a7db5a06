"""The catalog of the project's schemas at one moment, to tell whether a failure left anything.

It never looks at rows of tables, nor at schemas that are not the project's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files

from sqlalchemy import Connection, text


@dataclass(frozen=True)
class Catalog:
    """Columns, constraints, indexes, policies, triggers, functions, grants and the like."""

    entries: frozenset[tuple[str, str, str]]  # kind, name, definition

    @property
    def sha256(self) -> str:
        """The hash of all of it, the same as long as nothing changes."""
        lines = sorted("\0".join(entry) for entry in self.entries)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def changed(self, later: Catalog) -> list[str]:
        """Return what another moment has more, less or otherwise, as "kind name"."""
        return sorted({f"{kind} {name}" for kind, name, _ in self.entries ^ later.entries})


def read(connection: Connection, schemas: Collection[str]) -> Catalog:
    """Return the catalog of the schemas. Read-only; ends its transaction."""
    query = text(files(__package__).joinpath("catalog.sql").read_text())
    rows = connection.execute(query, {"schemas": sorted(schemas)})
    found = frozenset((str(kind), str(name), str(definition)) for kind, name, definition in rows)
    connection.rollback()
    return Catalog(found)
