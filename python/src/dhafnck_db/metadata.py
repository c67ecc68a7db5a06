"""Which models the migrations follow, and which objects of a database they look at.

It never connects, and it never changes what it looks at.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import Any

from sqlalchemy import Connection, MetaData, text

from dhafnck_db import bookkeeping
from dhafnck_db.errors import ConfigurationError

# Reflection takes every table on the search path for one of the default schema, for example
# PostGIS's in schema `extensions`. And a table of nothing but Alembic's column is the version table
# of another history, of an application that has one beside this project's.
ELSEWHERE = text("""
    SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE pg_table_is_visible(c.oid) AND (
        nspname <> current_schema()
        OR ARRAY(SELECT attname::text FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0)
            = ARRAY['version_num']
    )
""")


def load(reference: str) -> list[MetaData]:
    """Return the application's metadata, named as module:attribute, and the project's own.

    Raises:
        ConfigurationError: the module or the attribute does not exist, or is no MetaData.
    """
    module_name, _, attribute = reference.partition(":")
    try:
        found: Any = importlib.import_module(module_name)
        for name in attribute.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as failure:
        raise ConfigurationError(
            "metadata-missing",
            f"DB_METADATA names {reference}, which cannot be loaded",
            cause=str(failure),
            help="give module:attribute of a MetaData, for example myapp.models:Base.metadata",
        ) from None
    if not isinstance(found, MetaData):
        raise ConfigurationError(
            "metadata-missing", f"DB_METADATA names {reference}, which is no sqlalchemy.MetaData"
        )
    return [found, bookkeeping.metadata]


def own_schemas(reference: str, connection: Connection) -> set[str]:
    """Return the names of the schemas that hold the models, what they refer to, and our own tables.

    Without what a foreign key refers to, a dump of an application's models could not be restored.
    """
    default = connection.dialect.default_schema_name or "public"
    tables = [table for part in load(reference) for table in part.tables.values()]
    # schema.table.column; the schema is left out where it is the default.
    keys = [key.target_fullname.split(".") for table in tables for key in table.foreign_keys]
    return {table.schema or default for table in tables} | {
        key[0] if len(key) > 2 else default for key in keys
    }


def table_names(reference: str, connection: Connection) -> set[str]:
    """Return the names of the models' tables, with their schema."""
    default = connection.dialect.default_schema_name or "public"
    tables = load(reference)[0].tables.values()
    return {f"{table.schema or default}.{table.name}" for table in tables}


def comparison(reference: str, connection: Connection | None = None) -> dict[str, Any]:
    """Return the options under which Alembic compares the models with a database, and drafts.

    Args:
        reference: the models, as module:attribute.
        connection: to the database; None where nothing is compared.

    Own schemas only, never Supabase's. In schema `legacy` only the bookkeeping counts: the
    archive's tables are as the legacy files were.
    """
    models = load(reference)
    schemas = {table.schema for part in models for table in part.tables.values()}
    bookkept = {table.name for table in bookkeeping.metadata.tables.values()}

    @cache
    def elsewhere() -> set[str]:
        return set(connection.scalars(ELSEWHERE)) if connection is not None else set()

    def include(name: str | None, kind: str, parents: Any) -> bool:
        if kind == "schema":
            return name in schemas  # None is the default schema
        if kind == "table" and parents.get("schema_name") is None:
            return name not in elsewhere()
        if kind == "table" and parents.get("schema_name") == bookkeeping.ARCHIVE_SCHEMA:
            return name in bookkept
        return True

    def process(context: Any, _revision: Any, directives: Any) -> None:
        from dhafnck_db import drafting  # only here, since it loads Alembic

        drafting.complete(context, directives)

    return {
        "target_metadata": models,
        "include_schemas": True,
        "include_name": include,
        "compare_server_default": True,
        "process_revision_directives": process,
    }
