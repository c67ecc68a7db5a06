"""The application's tables as the database has them, by the names that people type.

It never writes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from psycopg2 import sql
from sqlalchemy import Connection, text

from dhafnck_db import metadata
from dhafnck_db.errors import UsageError
from dhafnck_db.revision import VERSION_TABLE

TABLES = text("""
    SELECT nspname, relname, nspname = current_schema() FROM pg_class
    JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p') AND NOT relispartition
      AND coalesce(nullif(nspname, current_schema()), '') = ANY (:schemas) AND relname <> :version
    ORDER BY 1, 2
""")


class Relation(NamedTuple):
    """A table of the database."""

    schema: str
    name: str

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def quoted(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)


def application_tables(connection: Connection, reference: str) -> dict[str, Relation]:
    """Return the tables in the schemas of the models, by their names as one may type them.

    Args:
        reference: the models, as module:attribute.

    A table of the default schema is there twice, with and without it. Raises what `metadata.load`
    raises.
    """
    models = metadata.load(reference)[0]
    schemas = sorted({table.schema or "" for table in models.tables.values()})
    rows = connection.execute(TABLES, {"schemas": schemas, "version": VERSION_TABLE}).all()
    found = {}
    for schema, name, default in rows:
        relation = Relation(schema, name)
        found[str(relation)] = relation
        if default:
            found[name] = relation
    return found


def resolve(tables: dict[str, Relation], names: Iterable[str]) -> list[Relation]:
    """Return the tables with these names, each once, in order.

    Raises:
        UsageError: a name is none of them.
    """
    chosen = set()
    for name in names:
        if name not in tables:
            raise UsageError(
                "table-unknown",
                f"{name} is no table of the application",
                help="name a table of the models, with its schema where that is not the default",
            )
        chosen.add(tables[name])
    return sorted(chosen)
