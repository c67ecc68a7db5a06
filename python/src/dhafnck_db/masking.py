"""Personal data of production replaced in a copy for development, by the rules of masking.toml.

It never leaves out a column that looks personal: one without a rule stops it.
"""

from __future__ import annotations

import re
import secrets
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from psycopg2 import sql
from sqlalchemy import Connection, text

from dhafnck_db import bookkeeping
from dhafnck_db.errors import ConfigurationError

COLUMNS = text("""
    SELECT nspname, relname, attname, attnotnull FROM pg_class
    JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = pg_class.oid
    WHERE relkind IN ('r', 'p') AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
      AND nspname = ANY (:schemas) ORDER BY 1, 2, attnum
""")
HASH = "encode(sha256(convert_to({salt} || {column}::text, 'UTF8')), 'hex')"
# NULL stays NULL: that there was nothing is nothing personal.
REPLACED = {
    "email": f"left({HASH}, 16) || '@example.invalid'",
    "name": f"'name-' || left({HASH}, 16)",
    "token": HASH,
    "text": "CASE WHEN {column} IS NOT NULL THEN 'redacted' END",
    "json": "CASE WHEN {column} IS NOT NULL THEN '{{}}'::jsonb END",
    "null": "NULL",
}
KEEP = "keep"


@dataclass(frozen=True)
class Rules:
    """What masking.toml says."""

    suspicious: re.Pattern[str]
    emptied: list[str]
    emptied_schema: str
    mask: Mapping[str, Mapping[str, str]]


def load() -> Rules:
    """Return the rules of masking.toml. Read-only."""
    found: dict[str, Any] = tomllib.loads(files(__package__).joinpath("masking.toml").read_text())
    return Rules(re.compile(found.pop("suspicious")), **found)


def require_complete(connection: Connection, schemas: list[str], rules: Rules) -> None:
    """Refuse a database with a column that looks personal and has no rule. Read-only.

    Raises:
        ConfigurationError: there is one; it is named.
    """
    missing = [
        f"{schema}.{table}.{column}"
        for schema, table, column, _ in connection.execute(COLUMNS, {"schemas": schemas})
        if rules.suspicious.search(column)
        and column not in rules.mask.get(f"{schema}.{table}", {})
        and not _is_emptied(schema, table, rules)
        and schema != bookkeeping.PROJECT_SCHEMA
    ]
    if missing:
        raise ConfigurationError(
            "mask-missing",
            f"masking.toml says nothing of {', '.join(missing[:5])}",
            help="give each a rule, or `keep` if it holds nothing personal",
        )


def apply(connection: Connection, schemas: list[str], rules: Rules) -> int:
    """Replace what the rules name and empty what they empty; return the number of masked columns.

    Part of the caller's transaction. Tables that the rules name and the database lacks are passed
    over.
    """
    salt = sql.Literal(secrets.token_hex(16))
    there: dict[tuple[str, str], set[str]] = {}
    for schema, table, column, _ in connection.execute(COLUMNS, {"schemas": schemas}):
        there.setdefault((schema, table), set()).add(column)
    masked = 0
    for (schema, table), columns in there.items():
        rule = rules.mask.get(f"{schema}.{table}", {})
        changes = [
            sql.SQL("{column} = " + REPLACED[kind]).format(column=sql.Identifier(column), salt=salt)
            for column, kind in rule.items()
            if kind != KEEP and column in columns
        ]
        if changes:
            what = {"table": sql.Identifier(schema, table), "changes": sql.SQL(", ").join(changes)}
            _execute(connection, sql.SQL("UPDATE {table} SET {changes}").format(**what))
        masked += len(changes)
    # Last, since a trigger of the audit trail has just recorded what there was before.
    for schema, table in there:
        if _is_emptied(schema, table, rules):
            name = sql.Identifier(schema, table)
            _execute(connection, sql.SQL("TRUNCATE {}").format(name))
    return masked


def _is_emptied(schema: str, table: str, rules: Rules) -> bool:
    kept = {one.name for one in bookkeeping.metadata.tables.values() if one.schema == schema}
    archived = schema == rules.emptied_schema and table not in kept
    return archived or f"{schema}.{table}" in rules.emptied


def _execute(connection: Connection, statement: sql.Composed) -> None:
    driver = connection.connection.cursor()
    driver.execute(statement)
    driver.close()
