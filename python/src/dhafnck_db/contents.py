"""What the tables of some schemas hold: rows, and a checksum that their order does not change.

It never writes, and what it returns holds no value of a row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from psycopg2 import sql
from sqlalchemy import Connection, text

TABLES = text("""
    SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'r' AND nspname = ANY (:schemas) ORDER BY 1, 2
""")
SEQUENCES = text("""
    SELECT schemaname || '.' || sequencename, coalesce(last_value, start_value)
    FROM pg_sequences WHERE schemaname = ANY (:schemas) AND NOT cycle AND increment_by > 0
""")
# A row is hashed as text, so everything that text depends on is fixed.
SPELLING = {
    "bytea_output": "hex",
    "datestyle": "ISO, YMD",
    "extra_float_digits": "1",
    "intervalstyle": "iso_8601",
    "search_path": "",
    "timezone": "UTC",
    "xmlbinary": "base64",
}
# The sums of two halves of each row's SHA-256: no order, and a row that is there twice counts so.
ROWS = sql.SQL("""
    SELECT count(*), coalesce(sum(('x' || substr(hash, 1, 16))::bit(64)::bigint::numeric), 0) || ':'
        || coalesce(sum(('x' || substr(hash, 17, 16))::bit(64)::bigint::numeric), 0)
    FROM (
        SELECT encode(sha256(convert_to(kept::text, 'UTF8')), 'hex') AS hash
        FROM ONLY {table} AS kept
    ) AS hashed
""")


@dataclass(frozen=True)
class Content:
    """What one table holds."""

    rows: int
    checksum: str


def read(connection: Connection, schemas: Collection[str]) -> dict[str, Content]:
    """Return what each table of the schemas holds, by its name with schema.

    Read-only, in the caller's transaction, whose settings of spelling it changes until it ends.
    Every row is read. Partitions count by themselves; views and foreign tables do not.
    """
    for name, value in {**SPELLING, "row_security": "off", "statement_timeout": "0"}.items():
        connection.execute(
            text("SELECT set_config(:name, :value, true)"), {"name": name, "value": value}
        )
    found = {}
    for schema, name in connection.execute(TABLES, {"schemas": sorted(schemas)}).all():
        query = ROWS.format(table=sql.Identifier(schema, name))
        found[f"{schema}.{name}"] = Content(*_one(connection, query))
    return found


def sequences(connection: Connection, schemas: Collection[str]) -> dict[str, int]:
    """Return where each ascending sequence of the schemas is. Read-only.

    A sequence is in no snapshot: one that is read before a dump may be behind the dump's.
    """
    rows = connection.execute(SEQUENCES, {"schemas": sorted(schemas)})
    return {str(name): int(value) for name, value in rows}


def _one(connection: Connection, query: sql.Composed) -> tuple[int, str]:
    driver = connection.connection.cursor()
    try:
        driver.execute(query)
        ((rows, checksum),) = driver.fetchall()
    finally:
        driver.close()
    return int(rows), str(checksum)
