"""Whether a value of the file and what PostgreSQL gives back for it are the same value.

It shares no code with the conversions, so that a fault there does not hide itself here.
"""

from __future__ import annotations

import json
import struct
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from dhafnck_db.legacy.literal import Value


def is_same(value: Value, found: str | None, kind: str) -> bool:
    """Whether `found`, the text that PostgreSQL gives for a column, is the value of the file.

    `kind` is the target's type, or the representation in an archive.
    """
    if value is None or found is None:
        return value is None and found is None
    match kind.partition("(")[0].partition(" ")[0]:
        case "uuid":
            return found == same_uuid(value)
        case "timestamptz":
            return isinstance(value, str) and as_time(found) == as_time(value)
        case "jsonb":
            return _is_same_json(value, found)
        case "boolean":
            return type(value) is int and value == {"true": 1, "false": 0}[found]
        case "double":
            return isinstance(value, int | float) and _bits(float(found)) == _bits(float(value))
        case "bytea":
            return isinstance(value, bytes) and bytes.fromhex(found.removeprefix("\\x")) == value
        case "sqlite":
            return _is_same_literal(value, found)
        case "text" | "varchar" | "enum":
            return (value if isinstance(value, str) else str(value)) == found
    return type(value) is int and str(value) == found


def same_uuid(value: Value) -> str:
    """Return the UUID that an id has in the target, as text."""
    words = str(value).strip()
    try:
        return str(uuid.UUID(words))
    except ValueError:
        return str(uuid.uuid5(uuid.UUID("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), words))


def as_time(text: str) -> datetime:
    """Return the instant; one without an offset is in UTC."""
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def as_json(text: str) -> Any:
    """Return JSON as values of which no two different ones are equal: true is not 1."""
    return json.loads(text, parse_int=_Number, parse_float=_Number)


class _Number(Decimal):
    """A number of JSON, exact, and unlike Decimal never equal to true or false."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Number) and Decimal.__eq__(self, other)

    __hash__ = Decimal.__hash__


def _is_same_json(value: Value, found: str) -> bool:
    if isinstance(value, bytes):
        return False
    return bool(as_json(value if isinstance(value, str) else repr(value)) == as_json(found))


def _bits(value: float) -> bytes:
    return struct.pack(">d", value)


def _is_same_literal(value: Value, found: str) -> bool:
    if isinstance(value, bytes):
        return found[:2] == "X'" and bytes.fromhex(found[2:-1]) == value
    if isinstance(value, str):
        if found.startswith("CAST(X'"):
            raw = bytes.fromhex(found.removeprefix("CAST(X'").removesuffix("' AS TEXT)"))
            return raw == value.encode("utf-8", "surrogateescape")
        return found[:1] + found[-1:] == "''" and found[1:-1].replace("''", "'") == value
    if isinstance(value, float):
        is_real = any(mark in found for mark in ".en")
        return is_real and _bits(float(found)) == _bits(value)
    return found.lstrip("-").isdigit() and int(found) == value
