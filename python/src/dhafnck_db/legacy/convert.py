"""From a SQLite value to the text that PostgreSQL reads as the same value.

It never rounds, shortens or guesses: what is not exactly representable is refused.
"""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Enum,
    Float,
    Integer,
    Numeric,
    SmallInteger,
    String,
    Uuid,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from dhafnck_db.legacy.exact_json import require_exact_json, require_exact_long_json
from dhafnck_db.legacy.literal import Value, is_clean
from dhafnck_db.legacy.long import LongText, Written, decoded
from dhafnck_db.legacy.unfit import Unfit
from dhafnck_db.legacy.uuids import name_uuid

Convert = Callable[[Value], str]
ConvertLong = Callable[[Value], Written]

_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[ T](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)


@dataclass(frozen=True)
class Conversion:
    """How values get into a column: the name for the plan, and the function. NULL is not its."""

    name: str
    convert: ConvertLong


def conversion_to(kind: TypeEngine[Any]) -> Conversion | None:
    """Return how values get into a column of a type, or None for a type that is not known."""
    match kind:
        case Enum():
            return Conversion(f"enum {kind.name}", _enum(kind.enums))
        case Uuid():
            return Conversion("uuid", to_uuid)
        case JSONB():
            return Conversion("jsonb", to_jsonb)
        case DateTime(timezone=True):
            return Conversion("timestamptz", to_timestamptz)
        case Boolean():
            return Conversion("boolean", to_boolean)
        case SmallInteger():
            return Conversion("smallint", _integer(16))
        case BigInteger():
            return Conversion("bigint", _integer(64))
        case Integer():
            return Conversion("integer", _integer(32))
        case Float(precision=None):
            return Conversion("double precision", to_double)
        case Numeric():
            return None
        case String(length=None):
            return Conversion("text", _text(None))
        case String():
            return Conversion(f"varchar({kind.length})", _text(kind.length))
    return None


def to_uuid(value: Value) -> str:
    """Return the UUID that the application finds this id under."""
    match value:
        case str() | LongText():
            _require_clean(value)
            text = str(value).strip()
        case int():
            text = str(value)
        case _:
            raise _mismatch(value, "an id")
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return name_uuid(text)


def to_timestamptz(value: Value) -> str:
    """Return a time with its offset; without one it is UTC, as SQLite and the application wrote."""
    if not isinstance(value, str):
        raise _mismatch(value, "a time")
    found = _TIME.fullmatch(value)
    if not found:
        raise Unfit("time-shape", "is no time of the form YYYY-MM-DD HH:MM:SS[.ffffff][±HH:MM]")
    year, month, day, hour, minute, second, fraction, offset = found.groups()
    if fraction and fraction[6:].strip("0"):
        raise Unfit("time-precision", "is finer than a microsecond")
    if offset and offset != "Z" and (int(offset[1:3]) > 15 or int(offset[-2:]) > 59):
        raise Unfit("time-shape", "has an offset that no clock uses")
    try:
        local = datetime(int(year), int(month), int(day), int(hour), int(minute), int(second))
        local - _offset(offset)
    except (ValueError, OverflowError) as failure:
        raise Unfit("time-nonexistent", f"does not exist: {failure}") from None
    return value if offset else value + "+00"


def _offset(offset: str | None) -> timedelta:
    if not offset or offset == "Z":
        return timedelta()
    size = timedelta(hours=int(offset[1:3]), minutes=int(offset[-2:]))
    return -size if offset[0] == "-" else size


def to_boolean(value: Value) -> str:
    """Return true or false, which SQLite stores as 1 and 0 and nothing else."""
    if value == 1 and isinstance(value, int):
        return "t"
    if value == 0 and isinstance(value, int):
        return "f"
    raise Unfit("boolean-value", "is neither 0 nor 1")


def to_double(value: Value) -> str:
    """Return a double to its last bit."""
    match value:
        case float():
            return repr(value)
        case int():
            try:
                if int(float(value)) == value:
                    return str(value)
            except OverflowError:
                pass
            raise Unfit("double-inexact", "is an integer that no double equals")
    raise _mismatch(value, "a number")


def to_jsonb(value: Value) -> str | LongText:
    """Return JSON that jsonb keeps without losing a key or a digit."""
    match value:
        case LongText():
            _require_clean(value)
            require_exact_long_json(value)
            return value
        case str():
            _require_clean(value)
            require_exact_json(value)
            return value
        case int():
            return str(value)  # columns declared JSON turn the text of a number into the number
        case float() if math.isfinite(value) and not _is_negative_zero(value):
            return repr(value)
        case float():
            raise Unfit("json-number", "is a number that JSON has not")
    raise _mismatch(value, "JSON")


def _integer(bits: int) -> Convert:
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1

    def to_integer(value: Value) -> str:
        if not isinstance(value, int):
            raise _mismatch(value, "an integer")
        if not low <= value <= high:
            raise Unfit("integer-range", f"is outside {low} to {high}")
        return str(value)

    return to_integer


def _text(length: int | None) -> ConvertLong:
    def to_text(value: Value) -> str | LongText:
        if isinstance(value, int):
            value = str(value)
        if not isinstance(value, str | LongText):
            raise _mismatch(value, "text")
        _require_clean(value)
        if length is not None and (size := _characters(value)) > length:
            raise Unfit("text-length", f"has {size} characters, {length} fit")
        return value

    return to_text


def _characters(text: str | LongText) -> int:
    return len(text) if isinstance(text, str) else sum(map(len, decoded(text)))


def _enum(labels: Iterable[str]) -> Convert:
    allowed = frozenset(labels)

    def to_label(value: Value) -> str:
        if value not in allowed or not isinstance(value, str):
            raise Unfit("enum-label", f"is none of {', '.join(sorted(allowed))}")
        return value

    return to_label


def _require_clean(text: str | LongText) -> None:
    if "\x00" in text if isinstance(text, str) else 0 in text.utf8:
        raise Unfit("text-nul", "holds a NUL character")
    if not is_clean(text):
        raise Unfit("text-encoding", "is no valid UTF-8")


def _is_negative_zero(value: float) -> bool:
    return value == 0 and math.copysign(1, value) < 0


def _mismatch(value: Value, wanted: str) -> Unfit:
    return Unfit("type-mismatch", f"is {_NAMES[type(value)]}, not {wanted}")


_NAMES = {int: "an integer", float: "a real", str: "text", LongText: "text", bytes: "a blob"}
