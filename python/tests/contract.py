"""The application's tables as its server declares them, made from data/contract.json.

They never come from the models, so that a test can hold the two against each other.
"""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    DateTime,
    FetchedValue,
    Float,
    ForeignKey,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    Uuid,
    insert,
)
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.types import TypeEngine

CONTRACT: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parent / "data" / "contract.json").read_text()
)
PROGRESS_STATES = ["INITIAL", "IN_PROGRESS", "COMPLETE"]

TYPES: dict[str, TypeEngine[Any]] = {
    "BOOLEAN": Boolean(),
    "FLOAT": Float(),
    "INTEGER": Integer(),
    "JSON": JSON(),
    "TEXT": Text(),
    "TIMESTAMP WITHOUT TIME ZONE": DateTime(),
    "UUID": Uuid(),
    "VARCHAR": String(),
    "progressstate": ENUM(*PROGRESS_STATES, name="progressstate", create_type=False),
    **{f"VARCHAR({length})": String(length) for length in (45, 50, 150, 254, 255)},
}

Inserted = tuple[str, dict[str, Any], dict[str, Any]]

# Columns of which a check allows only some values.
ALLOWED = {
    "source_level": "task",
    "target_level": "global",
    "trigger_type": "manual",
    "context_level": "branch",
}


def tables() -> list[Table]:
    """Return the server's tables, each after those it refers to."""
    metadata = MetaData()
    for name, table in CONTRACT.items():
        columns: list[Column[Any]] = []
        for column, facts in table["columns"].items():
            target = facts["fk"].split()[0] if "fk" in facts else None
            columns.append(
                Column(
                    column,
                    TYPES[facts["type"]],
                    *([ForeignKey(target)] if target else []),
                    primary_key="pk" in facts,
                    nullable=facts["null"],
                    server_default=FetchedValue() if "default" in facts else None,
                )
            )
        Table(name, metadata, *columns)
    return metadata.sorted_tables


def is_required(table: str, column: str) -> bool:
    """Whether an insert has to name the column."""
    facts = CONTRACT[table]["columns"][column]
    numbered = facts["type"] == "INTEGER" and "pk" in facts
    return not (facts["null"] or "default" in facts or numbered)


def insert_rows(connection: Connection, *, complete: bool) -> list[Inserted]:
    """Insert two rows into every table, with every column or with the required ones only.

    Returns for each row the table, what was given, and what the database then held.
    """
    keys: dict[str, list[Any]] = {}
    inserted: list[Inserted] = []
    for table in tables():
        for row in (0, 1):
            given: dict[str, Any] = {}
            references = 0
            for number, column in enumerate(table.columns):
                if not (complete or is_required(table.name, column.name)):
                    continue
                if column.foreign_keys:
                    (reference,) = column.foreign_keys
                    # Alternating, so that a task depends on the other one.
                    parents = keys[reference.column.table.name]
                    given[column.name] = parents[(row + references) % 2]
                    references += 1
                else:
                    facts = CONTRACT[table.name]["columns"][column.name]
                    sample = _sample(facts["type"], 100 * row + number)
                    given[column.name] = ALLOWED.get(column.name, sample)
            found = connection.execute(insert(table).values(given).returning(*table.columns))
            held = dict(found.mappings().one())
            keys.setdefault(table.name, []).append(next(iter(held.values())))
            inserted.append((table.name, given, held))
    return inserted


def _sample(kind: str, number: int) -> Any:
    """Return a value of a type of the contract, another one for every number."""
    if kind.startswith("VARCHAR") or kind == "TEXT":
        return f"text {number}"
    return {
        "BOOLEAN": number % 2 == 0,
        "FLOAT": number / 4,
        "INTEGER": number,
        "JSON": {"ключ": [number, None, 1.5, {"a": "'"}]},
        "TIMESTAMP WITHOUT TIME ZONE": datetime(2026, 1, 1) + timedelta(microseconds=number),
        "UUID": UUID(int=number),
        "progressstate": PROGRESS_STATES[number % 3],
    }[kind]
