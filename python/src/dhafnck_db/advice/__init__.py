"""What there is to do about a database: findings, each with the SQL that proves it.

It never writes: each rule is one query, in a transaction that is read-only, about the project's own
schemas and never about the vendor's.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from sqlalchemy import Connection, func, select, text
from sqlalchemy.exc import DBAPIError

from dhafnck_db import bookkeeping

STATEMENT_LIMIT = "10s"

RULES = (
    "row_security_off",
    "public_grant",
    "definer_without_search_path",
    "extension_among_tables",
    "sequence_near_end",
    "no_primary_key",
    "foreign_key_without_index",
    "duplicate_index",
    "unused_index",
    "dead_rows",
    "bloat",
)
"""What is looked for, the most urgent first; each is a file in rules/ that says why."""


@dataclass(frozen=True)
class Finding:
    """One thing to do something about."""

    rule: str
    object: str  # its name, quoted as SQL wants it
    finding: str
    confirm: str  # a query that has rows as long as it is so
    mend: str | None  # the statement that ends it; None where no statement does


@dataclass(frozen=True)
class Unchecked:
    """A rule that could not be asked, so that it says nothing."""

    rule: str
    reason: str


@dataclass(frozen=True)
class Advice:
    """What all rules found at one moment."""

    findings: list[Finding]
    unchecked: list[Unchecked]

    def to_dict(self) -> dict[str, Any]:
        return {"changed": False, **asdict(self)}


def advise(connection: Connection, schemas: Collection[str]) -> Advice:
    """Ask every rule about the schemas. Read-only; each rule is a transaction of its own.

    Args:
        connection: of a role that owns the tables; it needs no more rights than that.
        schemas: names of the project's schemas; see `metadata.own_schemas`.
    """
    findings: list[Finding] = []
    unchecked: list[Unchecked] = []
    for rule in RULES:
        try:
            findings += _ask(connection, rule, schemas)
        except DBAPIError as failure:
            if connection.invalidated:
                raise
            unchecked.append(Unchecked(named(rule), _first_line(failure)))
    return Advice(findings, unchecked)


def named(rule: str) -> str:
    """Return the name of a rule as people read it."""
    return rule.replace("_", "-")


def _ask(connection: Connection, rule: str, schemas: Collection[str]) -> list[Finding]:
    place = files(__package__)
    query = (place / "own.sql").read_text() + (place / "rules" / f"{rule}.sql").read_text()
    given = {
        "schemas": sorted(schemas),
        "archive": bookkeeping.ARCHIVE_SCHEMA,
        "bookkept": [table.name for table in bookkeeping.metadata.tables.values()],
    }
    asked = text(query)
    with connection.begin():
        for name, value in (
            ("transaction_read_only", "on"),
            ("statement_timeout", STATEMENT_LIMIT),
            ("search_path", "pg_catalog"),  # so that every name is written with its schema
        ):
            connection.execute(select(func.set_config(name, value, True)))
        rows = connection.execute(
            asked, {name: given[name] for name in asked._bindparams}
        ).mappings()
        return [Finding(rule=named(rule), **row) for row in rows]


def _first_line(failure: DBAPIError) -> str:
    return str(failure.orig).strip().splitlines()[0]
