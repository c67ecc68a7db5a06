"""The tables of schema legacy: their names, and how they represent what SQLite holds.

It never lower-cases a name, and never executes the statements that it gives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any

from sqlalchemy import BigInteger, Column, Double, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

from dhafnck_db.bookkeeping import ARCHIVE_SCHEMA
from dhafnck_db.bookkeeping import metadata as bookkeeping
from dhafnck_db.legacy.literal import Value, literal, literal_in_pieces
from dhafnck_db.legacy.long import LongText, Written, in_hex, is_long
from dhafnck_db.legacy.plan import Archive, TablePlan

LITERAL = "sqlite literal"
ROWID = "rowid"  # what the plan calls the representation of the added column
MOST_COLUMNS = 1599  # of PostgreSQL's 1600 one is added: the number of the row
# What a row may take of a page of 8 KiB, and what of it a value takes that is kept elsewhere.
ROOM, POINTER = 8160 - 24, 18
_LONGEST_NAME = 63  # bytes
# PostgreSQL has columns of these names in every table.
SYSTEM_COLUMNS = ("tableoid", "xmin", "cmin", "xmax", "cmax", "ctid")
BOOKKEEPING = tuple(
    table.name for table in bookkeeping.tables.values() if table.schema == ARCHIVE_SCHEMA
)

_BY_STORAGE_CLASS = {
    "integer": "bigint",
    "real": "double precision",
    "blob": "bytea",
    "text": "text",
}
_TYPES: dict[str, type[TypeEngine[Any]]] = {
    "bigint": BigInteger,
    "double precision": Double,
    "bytea": LargeBinary,
}


def representation(types: Mapping[str, int], *, clean: bool) -> str:
    """Return how a column is represented, from the storage classes that it holds.

    Args:
        types: how many values there are of each storage class.
        clean: whether PostgreSQL can hold every text in it.
    """
    classes = set(types) - {"null"}
    if not classes:
        return "text"
    if len(classes) > 1 or (classes == {"text"} and not clean):
        return LITERAL
    return _BY_STORAGE_CLASS[classes.pop()]


def write_as(kind: str) -> Callable[[Value], Written]:
    """Return the function from a value to the text that PostgreSQL reads for a representation."""
    if kind == LITERAL:
        return lambda value: literal_in_pieces(value) if is_long(value) else literal(value)
    if kind == "bytea":
        return lambda value: None if value is None else _digits(_bytes(value))
    return lambda value: None if value is None else _plain(value)


def least_size(values: Iterable[tuple[Value, str]]) -> int:
    """Return the bytes that a row takes at least in its page, from its values and their kinds."""
    columns, size = 1, 8  # the number of the row
    for value, kind in values:
        columns += 1
        if kind in ("bigint", "double precision"):
            size += 8 if value is not None else 0
        elif (text := write_as(kind)(value)) is not None:
            if not isinstance(text, str):
                length = POINTER
            else:
                length = (len(text) - 2) // 2 if kind == "bytea" else len(text.encode())
            size += min(length + 1, POINTER)
    return size + (columns + 7) // 8


def _bytes(value: Value) -> bytes:
    if not isinstance(value, bytes):
        raise TypeError(value)
    return value


def _digits(value: bytes) -> Written:
    return chain([b"\\x"], in_hex(value)) if is_long(value) else "\\x" + value.hex()


def _plain(value: Value) -> Written:
    return value if isinstance(value, str | LongText) else repr(value)


def unique_names(names: Iterable[str], taken: Iterable[str] = ()) -> list[str]:
    """Return the names as PostgreSQL can hold them, each different in more than case.

    A name stays as it is unless it is too long, empty, or taken: then it is cut and numbered.
    """
    used = {name.casefold() for name in taken}
    found = []
    for name in names:
        unique, number = _cut(name, _LONGEST_NAME) or "_", 1
        while unique.casefold() in used:
            number += 1
            unique = _cut(name, _LONGEST_NAME - len(f"_{number}")) + f"_{number}"
        used.add(unique.casefold())
        found.append(unique)
    return found


def _cut(name: str, length: int) -> str:
    return name.encode()[:length].decode(errors="ignore")


def archive_table(plan: TablePlan, archive: Archive) -> Table:
    """Return the table that keeps what of a legacy table has no place in the models."""
    return Table(
        archive.table,
        MetaData(),
        Column(archive.rowid, BigInteger, primary_key=True, autoincrement=False),
        *(
            Column(name, _TYPES.get(kind, Text)())
            for _, name, kind in archived_columns(plan, archive)
        ),
        schema=ARCHIVE_SCHEMA,
        comment=f"legacy table {plan.name}",
    )


def archived_columns(plan: TablePlan, archive: Archive) -> list[tuple[str, str, str]]:
    """Return source column, archive column and representation, without the number of the row."""
    found = [(source, name, kind) for source, (name, kind) in archive.keys.items()]
    for column in plan.columns:
        if column.to and column.to.schema == ARCHIVE_SCHEMA and column.convert:
            found.append((column.name, column.to.column, column.convert))
    return found
