"""Whether a value of the file and what PostgreSQL gives back for it are the same value.

It shares no code with the conversions, so that a fault there does not hide itself here.
"""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import chain
from typing import Any

from dhafnck_db.legacy.literal import Value
from dhafnck_db.legacy.long import LongText, in_hex, in_pieces
from dhafnck_db.legacy.long_compare import are_equal, document, string
from dhafnck_db.legacy.long_json import Unreadable

# A value that the target gives; what is long comes in pieces: of a blob its bytes, else UTF-8.
Given = str | Iterable[bytes] | None


def is_same(value: Value, found: Given, kind: str) -> bool:
    """Whether `found`, the text that PostgreSQL gives for a column, is the value of the file.

    `kind` is the target's type, or the representation in an archive.
    """
    if value is None or found is None:
        return value is None and found is None
    kind = kind.partition("(")[0].partition(" ")[0]
    if isinstance(value, LongText) or not isinstance(found, str):
        return _is_same_long(value, [found.encode()] if isinstance(found, str) else found, kind)
    match kind:
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


def _is_same_long(value: Value, found: Iterable[bytes], kind: str) -> bool:
    match kind:
        case "bytea":
            return isinstance(value, bytes) and are_equal(in_pieces(value), found)
        case "jsonb":
            return not isinstance(value, bytes) and document(_utf8(value)) == document(found)
        case "sqlite":
            return _is_same_long_literal(value, found)
        case "text" | "varchar":
            return not isinstance(value, bytes) and are_equal(_utf8(value), found)
    return isinstance(value, LongText) and is_same(str(value), b"".join(found).decode(), kind)


def _is_same_long_literal(value: Value, found: Iterable[bytes]) -> bool:
    pieces = iter(found)
    first = next(pieces, b"")
    found = chain([first], pieces)
    if isinstance(value, bytes):
        return are_equal(chain([b"X'"], in_hex(value), [b"'"]), found)
    if first.startswith(b"CAST(X'"):
        digits = (piece.hex().encode() for piece in _utf8(value))
        return are_equal(chain([b"CAST(X'"], digits, [b"' AS TEXT)"]), found)
    quoted = (piece.replace(b"'", b"''") for piece in _utf8(value))
    return are_equal(chain([b"'"], quoted, [b"'"]), found)


def is_same_member(value: LongText, found: Iterable[bytes], *, is_json: bool) -> bool:
    """Whether a member of a JSON object is a long text: as JSON where it is, else as a string."""
    given = document(found)
    if given == string(value):
        return True
    try:
        return is_json and given == document(value)
    except Unreadable:
        return False


def _utf8(value: Value) -> Iterable[bytes]:
    return (
        value if isinstance(value, LongText) else [_plain(value).encode("utf-8", "surrogateescape")]
    )


def _plain(value: Value) -> str:
    return value if isinstance(value, str) else repr(value)


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
