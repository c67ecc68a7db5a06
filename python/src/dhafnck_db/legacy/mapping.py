"""The reviewed mapping from legacy generations to the models.

It never looks at a file or a database: mapping.toml is all it knows.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources


@dataclass(frozen=True)
class OwnerPath:
    """The column of a table that leads to the row whose owner the row shares."""

    column: str
    parent: str


@dataclass(frozen=True)
class Generation:
    """A state of the application's SQLite schema."""

    name: str
    tables: frozenset[str]


@dataclass(frozen=True)
class LegacyMapping:
    """Where what goes; by target table, except `tables`, which leads to it."""

    tables: Mapping[str, str]
    columns: Mapping[str, Mapping[str, str]]
    ids: Mapping[str, tuple[str, ...]]
    owners: Mapping[str, OwnerPath]
    folds: Mapping[str, str]
    references: Mapping[str, Mapping[str, str]]
    generations: tuple[Generation, ...]

    def generation(self, tables: Iterable[str]) -> str:
        """Return the name of the generation that a file with these tables belongs to."""
        present = {table.casefold() for table in tables}
        for generation in self.generations:
            if generation.tables <= present:
                return generation.name
        return "unknown"


@cache
def load_mapping() -> LegacyMapping:
    """Return what mapping.toml says. Read-only."""
    data = tomllib.loads((resources.files(__package__) / "mapping.toml").read_text("utf-8"))
    return LegacyMapping(
        tables=data["tables"],
        columns=data["columns"],
        ids={table: tuple(columns) for table, columns in data["ids"].items()},
        owners={table: OwnerPath(**path) for table, path in data["owners"].items()},
        folds=data["folds"],
        references=data["references"],
        generations=tuple(
            Generation(entry["name"], frozenset(entry["tables"])) for entry in data["generations"]
        ),
    )
