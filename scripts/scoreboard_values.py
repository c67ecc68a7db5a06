"""Whether the values of a SQLite file are in the tables that some tool made of it.

Made to be fair to a tool that chooses its own types: a value is there if its column holds one that
says the same, in whatever row. It never knows how the tool works.
"""

import struct
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
from legacy.roundtrip import moment, one_spelling
from legacy.sqlite_rows import Exact, counters, opened, read, table_names
from psycopg2 import sql

LONGEST_NAME = 63  # bytes that PostgreSQL keeps
# The words that PostgreSQL itself takes.
BOOLEANS = dict.fromkeys(("true", "t", "yes", "y", "on", "1"), True)
BOOLEANS |= dict.fromkeys(("false", "f", "no", "n", "off", "0"), False)
NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")


def losses(file: Path, connection: psycopg2.extensions.connection) -> list[tuple[str, int]]:
    """Return what is not in schema public, as words and the number of rows concerned."""
    with opened(file) as source, connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        return [
            loss
            for name in table_names(source)
            for loss in _of_table(cursor, name, read(source, name), counters(source).get(name, 0))
        ]


def _of_table(cursor: Any, name: str, table: Any, counter: int) -> Iterator[tuple[str, int]]:
    cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    stored = _found(name, [found for (found,) in cursor])
    if stored is None:
        if table.rows:
            yield f"table {name!r} with {len(table.rows)} rows", len(table.rows)
        return
    cursor.execute(
        "SELECT column_name, data_type FROM information_schema.columns"
        " WHERE table_schema = 'public' AND table_name = %s",
        [stored],
    )
    types = dict(cursor.fetchall())
    for at, column in enumerate(table.columns):
        into = _found(column, types)
        wanted = [row[at] for row in table.rows]
        if into is None:
            if wanted:
                yield f"column {name}.{column}", len(wanted)
            continue
        cursor.execute(
            sql.SQL("SELECT {}::text FROM {}").format(
                sql.Identifier(into), sql.Identifier("public", stored)
            )
        )
        have = Counter(_stored(text, types[into]) for (text,) in cursor)
        missing = sum(not _taken(have, value, types[into]) for value in wanted)
        if missing:
            yield f"{name}.{column}: {missing} of {len(wanted)} values", missing
    if counter and (after := _last_number(cursor, stored)) < counter:
        yield f"counter of {name}: {after}, not {counter}", 1


def _found(name: str, among: Any) -> str | None:
    """Return the name as it is, else as one that was folded or cut."""

    def cut(text: str) -> str:
        return text.encode()[:LONGEST_NAME].decode(errors="ignore")

    for same in (str, cut, str.lower, lambda text: cut(text.lower())):
        for found in among:
            if same(found) == same(name):
                return str(found)
    return None


def _last_number(cursor: Any, table: str) -> int:
    cursor.execute(
        "SELECT pg_get_serial_sequence(quote_ident(%s), column_name)"
        " FROM information_schema.columns WHERE table_schema = 'public' AND table_name = %s",
        [table, table],
    )
    sequences = [sequence for (sequence,) in cursor if sequence]
    if not sequences:
        return 0
    cursor.execute(f"SELECT last_value, is_called FROM {sequences[0]}")  # noqa: S608 -- its own
    last, is_called = cursor.fetchone()
    return int(last if is_called else last - 1)


def _taken(have: Counter[Any], value: Exact, kind: str) -> bool:
    for form in _forms(value, kind):
        if have[form] > 0:
            have[form] -= 1
            return True
    return False


def _forms(value: Exact, kind: str) -> Iterator[Any]:
    """Yield the forms that say what the value says, in a column of a type."""
    if value is None:
        yield None
        return
    storage, plain = value
    if storage == "real":
        (plain,) = struct.unpack(">d", plain)
    raw = plain if isinstance(plain, bytes) else str(plain).encode()
    yield raw if kind == "bytea" else _stored(raw.decode(errors="replace"), kind)
    if storage == "real" and kind in ("text", "character varying", "character"):
        yield from (f"{plain:.{digits}g}" for digits in (17, 16, 15))
    if kind.startswith("timestamp") and storage in ("integer", "real"):
        with suppress(OverflowError, OSError, ValueError):
            yield datetime.fromtimestamp(plain, UTC), ""
    if storage == "blob" and kind != "bytea":
        yield "\\x" + plain.hex()


def _stored(text: str | None, kind: str) -> Any:
    """Return a field in a form to compare; one that cannot be read stays the text it is."""
    if text is None:
        return None
    read_as: Callable[[str], Any] | None = None
    if kind in NUMBERS:
        read_as = _number
    elif kind.startswith("timestamp"):
        read_as = _moment
    elif kind in ("json", "jsonb"):
        read_as = one_spelling
    elif kind == "bytea":
        read_as = _bytes
    elif kind == "boolean":
        read_as = BOOLEANS.__getitem__
    elif kind == "uuid":
        read_as = uuid.UUID
    with suppress(ValueError, KeyError, AssertionError, ArithmeticError, RecursionError):
        return read_as(text) if read_as else text
    return text


def _number(text: str) -> int | float:
    try:
        return int(text)
    except ValueError:
        return float(text)


def _moment(text: str) -> tuple[datetime, str]:
    if " 24:00:00" in text:  # the midnight that ends a day, which PostgreSQL writes as the next's
        at, beyond = moment(text.replace(" 24:", " 00:"))
        return at + timedelta(days=1), beyond
    return moment(text)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("\\x"))
