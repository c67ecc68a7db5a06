"""The catalog of the project's schemas at one moment, to tell whether a failure left anything.

It never looks at rows of tables, nor at schemas that are not the project's.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files

from sqlalchemy import Connection, text

# An expression that is parsed anew comes back with other casts and parentheses: of a varchar in a
# list, PostgreSQL casts the list first, and then each of its members.
DEPARSED = re.compile(
    r"::(character varying|double precision|time(stamp)? with(out)? time zone|[\w.]+)"
    r"(\(\d+(,\d+)?\))?(\[\])*|[()\s]"
)


@dataclass(frozen=True)
class Catalog:
    """Columns, constraints, indexes, policies, triggers, functions, grants and the like."""

    entries: frozenset[tuple[str, str, str]]  # kind, name, definition

    @property
    def sha256(self) -> str:
        """The hash of all of it, the same as long as nothing changes."""
        lines = sorted("\0".join(entry) for entry in self.entries)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    @property
    def portable(self) -> dict[str, str]:
        """The hash of each entry as a copy of the schemas in another database has it too.

        Without the numbers of the tables, and without what a dump of schemas leaves out: which
        publications stream them.
        """
        return {
            f"{kind} {name}": hashlib.sha256(_portable(kind, definition).encode()).hexdigest()
            for kind, name, definition in sorted(self.entries)
            if kind != "publication"
        }

    def changed(self, later: Catalog) -> list[str]:
        """Return what another moment has more, less or otherwise, as "kind name"."""
        return sorted({f"{kind} {name}" for kind, name, _ in self.entries ^ later.entries})


def read(connection: Connection, schemas: Collection[str]) -> Catalog:
    """Return the catalog of the schemas. Read-only; ends its transaction."""
    found = look(connection, schemas)
    connection.rollback()
    return found


def look(connection: Connection, schemas: Collection[str]) -> Catalog:
    """Return the catalog of the schemas.

    Read-only, in the caller's transaction. Names are spelled for its search path: whoever compares
    two databases sets the same in both, such as an empty one.
    """
    query = text(files(__package__).joinpath("catalog.sql").read_text())
    rows = connection.execute(query, {"schemas": sorted(schemas)})
    return Catalog(
        frozenset((str(kind), str(name), str(definition)) for kind, name, definition in rows)
    )


def _portable(kind: str, definition: str) -> str:
    """Return a definition without what a restored copy has otherwise."""
    if kind == "function":
        return definition
    kept = json.dumps(json.loads(definition)[1:]) if kind == "relation" else definition
    return DEPARSED.sub("", kept)
