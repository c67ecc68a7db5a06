"""Whether every value of a SQLite file is in PostgreSQL, judged without the code that imported it.

What is known of the import is what it left in the database: the catalogue of the archive, the
rejects, and the plan's list of which column went where.
"""

import sqlite3
import struct
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction
from json import dumps, loads
from pathlib import Path
from typing import Any

from psycopg2 import sql
from psycopg2.extensions import connection as Connection

from legacy.sqlite_rows import Exact, ExactRow, Rows, counters, exact, opened, read, table_names

NAMESPACE = uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8")  # DNS


def differences(file: Path, connection: Connection, plan: Mapping[str, Any]) -> list[str]:
    """Return one line for each row or counter of the file that is not where it should be.

    Args:
        file: the SQLite file.
        connection: the database after the import, read as its owner. Read-only.
        plan: the result of the import as JSON-ready values.
    """
    with opened(file) as source, connection.cursor() as cursor:
        cursor.execute("SET timezone = 'UTC'")
        return list(_differences(source, connection, plan))


def _differences(
    source: sqlite3.Connection, connection: Connection, plan: Mapping[str, Any]
) -> Iterator[str]:
    planned = {table["name"]: table for table in plan["tables"]}
    given = counters(source)
    arrived: Counter[str] = Counter()
    for name in table_names(source):
        if name not in planned:
            yield f"{name!r} is not in the plan"
            continue
        table = read(source, name)
        rejected = _rejected(connection, name, table.columns)
        kept = Counter(table.rows) - Counter(rejected)
        if kept.total() + len(rejected) != len(table.rows):
            yield f"{name!r}: a row of legacy.rejects is not in the file"
        if planned[name]["to"].startswith("public."):
            arrived[planned[name]["to"]] += kept.total()
            yield from _mapped(connection, planned[name], table.columns, kept)
        if planned[name]["archive"]:
            yield from _archived(connection, planned[name], table, kept)
        elif not planned[name]["to"].startswith("public."):
            yield f"{name!r} is nowhere"
        if planned[name]["autoincrement"] != given.get(name):
            yield f"{name!r}: the counter {given.get(name)} is not in the plan"
        yield from _next_id(connection, planned[name], given.get(name) or 0)
    for to, count in arrived.items():
        if (found := len(_fetch(connection, "SELECT 1 FROM {}", to.split(".", 1)))) != count:
            yield f"{to}: {found} rows, {count} were to go in"


def from_literal(literal: str | None) -> Exact:
    """Read a SQLite literal."""
    if literal is None:
        return None
    if literal.startswith("'"):
        return "text", literal[1:-1].replace("''", "'").encode()
    if literal.startswith("CAST(X'"):
        return "text", bytes.fromhex(literal.removeprefix("CAST(X'").removesuffix("' AS TEXT)"))
    if literal.startswith("X'"):
        return "blob", bytes.fromhex(literal[2:-1])
    try:
        return "integer", int(literal)
    except ValueError:
        return exact(float(literal))


def from_archive(value: Any, representation: str) -> Exact:
    """Read a field of an archive table, by what the catalogue says of its column."""
    if value is None:
        return None
    match representation:
        case "bigint":
            return "integer", int(value)
        case "double precision":
            return exact(float(value))
        case "bytea":
            return "blob", bytes(value)
        case "text":
            return "text", value.encode()
        case "sqlite literal":
            return from_literal(value)
    raise ValueError(representation)


def _rejected(connection: Connection, table: str, columns: Sequence[str]) -> list[ExactRow]:
    whole = [
        row
        for of, row in _fetch(connection, 'SELECT "table", "row" FROM {}', ("legacy", "rejects"))
        if of == table
    ]
    if any(set(row) != set(columns) for row in whole):
        raise AssertionError(f"a row of {table!r} in legacy.rejects is not whole")
    return [tuple(from_literal(row[name]) for name in columns) for row in whole]


def _archived(
    connection: Connection,
    planned: Mapping[str, Any],
    table: Rows,
    kept: Counter[ExactRow],
) -> Iterator[str]:
    """Compare an archive table: row by row where the rows have numbers, else as whole rows."""
    columns = table.columns
    numbered = table.numbers and dict(zip(table.numbers, table.rows, strict=True))
    name = planned["name"]
    archive = f"legacy.{planned['archive']['table']}"
    described = [
        row[2:]
        for row in _fetch(
            connection,
            "SELECT archive, source_table, name, source_column, representation FROM {}"
            " ORDER BY position",
            ("legacy", "columns"),
        )
        if row[:2] == (archive, name)
    ]
    stored = [(column, source, kind) for column, source, kind in described if source is not None]
    missing = set(columns) - {source for _, source, _ in stored}
    if not planned["to"].startswith("public.") and missing:
        yield f"{name!r}: columns {missing} are in no archive"
    (number,) = [column for column, source, _ in described if source is None]
    wanted = [number, *(column for column, _, _ in stored)]
    places = [columns.index(source) for _, source, _ in stored]
    found = Counter[ExactRow]()
    for at, *fields in _fetch(
        connection, "SELECT {columns} FROM {}", archive.split(".", 1), wanted
    ):
        row = tuple(
            from_archive(field, kind) for field, (_, _, kind) in zip(fields, stored, strict=True)
        )
        found[row] += 1
        if numbered:
            original = numbered.get(at)
            if original is None or tuple(original[place] for place in places) != row:
                yield f"{archive}[{at}]: {_shown(row)}, not {_shown(original)}"
    expected = Counter[ExactRow]()
    for row, times in kept.items():
        expected[tuple(row[place] for place in places)] += times
    yield from _unlike(archive, expected, found)


def _mapped(
    connection: Connection,
    planned: Mapping[str, Any],
    columns: Sequence[str],
    kept: Counter[ExactRow],
) -> Iterator[str]:
    """Compare the mapped columns as whole rows, each with the id that it should have."""
    to = planned["to"].split(".", 1)
    types = dict(
        _fetch(
            connection,
            "SELECT column_name, data_type FROM {} WHERE table_schema = 'public'"
            " AND table_name = {of}",
            ("information_schema", "columns"),
            of=to[1],
        )
    )
    went = {
        column["name"]: column["to"].removeprefix(f"{planned['to']}.")
        for column in planned["columns"]
        if column["to"] and column["to"].startswith("public.")
    }
    homes = {column["name"] for column in planned["columns"] if column["to"]}
    if missing := set(columns) - homes:
        if kept:
            yield f"{planned['name']!r}: columns {missing} are nowhere"
        return
    sources = [source for source in columns if source in went]
    made = [derived for derived in planned["derived"] if derived["kind"] == "id"]
    expected = Counter[tuple[Any, ...]]()
    for row, times in kept.items():
        value = dict(zip(columns, row, strict=True))
        ids = [
            as_uuid("/".join(_plain(value[source]) for source in derived["sources"]))
            for derived in made
        ]
        fields = [as_type(value[source], types[went[source]]) for source in sources]
        expected[(*fields, *ids)] += times
    wanted = [*(went[source] for source in sources), *(derived["column"] for derived in made)]
    found = Counter(
        tuple(from_model(field, types[name]) for field, name in zip(row, wanted, strict=True))
        for row in _fetch(connection, "SELECT {columns} FROM {}", to, wanted, as_text=True)
    )
    yield from _unlike(planned["to"], expected, found)


def as_type(value: Exact, kind: str) -> Any:
    """Return what a value of the file should be in a column of a type, in a form to compare."""
    if value is None:
        return None
    storage, plain = value
    match kind:
        case "uuid":
            return as_uuid(_plain(value))
        case "timestamp with time zone" if storage == "text":
            return moment(plain.decode())
        case "jsonb" if storage in ("text", "integer"):
            return one_spelling(_plain(value))
        case "jsonb" if storage == "real":
            return one_spelling(repr(struct.unpack(">d", plain)[0]))
        case "boolean" if storage == "integer" and plain in (0, 1):
            return bool(plain)
        case "integer" | "bigint" | "smallint" if storage == "integer":
            return plain
        case "double precision" if storage == "integer" and int(float(plain)) == plain:
            return struct.pack(">d", plain)
        case "double precision" if storage == "real":
            return plain
        case "text" | "character varying" | "USER-DEFINED" if storage in ("text", "integer"):
            return _plain(value)
    return f"{storage} {plain!r} is no {kind}"  # equal to nothing that PostgreSQL gives


def from_model(text: str | None, kind: str) -> Any:
    """Read a field that PostgreSQL wrote as text, in a form to compare."""
    if text is None:
        return None
    match kind:
        case "timestamp with time zone":
            return moment(text)
        case "jsonb":
            return one_spelling(text)
        case "boolean":
            return text == "true"
        case "integer" | "bigint" | "smallint":
            return int(text)
        case "double precision":
            return struct.pack(">d", float(text))
    return text


def as_uuid(text: str) -> str:
    try:
        return str(uuid.UUID(text.strip()))
    except ValueError:
        return str(uuid.uuid5(NAMESPACE, text.strip()))


def _plain(value: Exact) -> str:
    if value is None or value[0] not in ("text", "integer"):
        raise AssertionError(f"{value} was to be rejected")
    return value[1].decode() if value[0] == "text" else str(value[1])


def moment(text: str) -> tuple[datetime, str]:
    """Return a time in UTC, and what it has beyond microseconds."""
    head, point, rest = text.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))] if point else ""
    offset = rest[len(digits) :]
    read = datetime.fromisoformat(f"{head}.{digits[:6]:0<6}{offset}" if point else text)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).astimezone(UTC), digits[6:].strip(
        "0"
    )


def one_spelling(text: str) -> str:
    """Return JSON in one spelling: numbers by value, members by name."""

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(pairs)) < len(pairs):
            raise AssertionError(f"{text[:80]} was to be rejected")
        return dict(pairs)

    return _spelled(loads(text, parse_float=Decimal, parse_int=Decimal, object_pairs_hook=members))


def _spelled(parsed: Any) -> str:
    match parsed:
        case dict():
            inner = sorted(f"{dumps(name)}: {_spelled(value)}" for name, value in parsed.items())
            return "{" + ", ".join(inner) + "}"
        case list():
            return "[" + ", ".join(map(_spelled, parsed)) + "]"
        case Decimal():
            return str(Fraction(parsed))  # exact, however many digits it has
    return dumps(parsed)


def _next_id(connection: Connection, planned: Mapping[str, Any], counter: int) -> Iterator[str]:
    """SQLite never gives a number of an AUTOINCREMENT column twice; nor may the target."""
    asked = "SELECT pg_get_serial_sequence('{}', 'id')"
    if not planned["to"].startswith("public.") or counter == 0:
        return
    with connection.cursor() as cursor:
        cursor.execute(asked.format(planned["to"]))
        (sequence,) = cursor.fetchone() or (None,)
        if sequence:
            cursor.execute(f"SELECT last_value FROM {sequence}")  # noqa: S608 -- the server's own
            (last,) = cursor.fetchone() or (0,)
            if last < min(counter, 2**31 - 1):  # after the largest integer the server has none
                yield f"{planned['to']}: the next id comes after {last}, not after {counter}"


def _fetch(
    connection: Connection,
    statement: str,
    table: Sequence[str],
    columns: Sequence[str] = (),
    *,
    as_text: bool = False,
    of: str | None = None,
) -> list[tuple[Any, ...]]:
    names = [sql.Identifier(name) for name in columns]
    wanted = [sql.SQL("{}::text").format(name) for name in names] if as_text else names
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL(statement).format(
                sql.Identifier(*table), columns=sql.SQL(", ").join(wanted), of=sql.Literal(of)
            )
        )
        return cursor.fetchall()


def _unlike(where: str, expected: Counter[Any], found: Counter[Any]) -> Iterator[str]:
    for row, times in (expected - found).items():
        yield f"{where}: {times} of {_shown(row)} is missing"
    for row, times in (found - expected).items():
        yield f"{where}: {times} of {_shown(row)} is not of the file"


def _shown(row: Any) -> str:
    return repr(row)[:200]
