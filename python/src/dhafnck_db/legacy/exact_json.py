"""Whether JSON is one that jsonb keeps without losing a key, a digit or a character.

It never changes the text; jsonb is given it as it is.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import Any

from dhafnck_db.legacy.literal import is_clean
from dhafnck_db.legacy.long import LongText, decoded
from dhafnck_db.legacy.long_json import Event, Unreadable, events
from dhafnck_db.legacy.unfit import Unfit

# What PostgreSQL's numeric, which jsonb keeps numbers in, has room for.
_DIGITS_BEFORE_POINT, _DIGITS_AFTER_POINT = 131072, 16383


def require_exact_json(text: str) -> None:
    """Raise Unfit for a text that jsonb would refuse, or give back otherwise."""
    try:
        parsed = _DECODER.decode(text)
    except json.JSONDecodeError as failure:
        raise Unfit("json-syntax", f"is no JSON: {failure.msg} at {failure.pos}") from None
    except RecursionError:
        raise Unfit("json-depth", "is nested too deeply") from None
    if "\\u" in text and not all(map(is_clean, _strings(parsed))):
        raise Unfit("json-character", "holds \\u0000 or half a surrogate pair")


def require_exact_long_json(text: LongText) -> None:
    """Raise Unfit as `require_exact_json` does, for a text that is never in memory whole."""

    def finish(parsed: Any) -> None:
        if not all(map(is_clean, _strings(parsed))):
            raise Unfit("json-character", "holds \\u0000 or half a surrogate pair")

    keys: list[array[int]] = []  # of the objects and arrays that were begun, as hashes
    try:
        for event, told in events(decoded(text), _DECODER, finish):
            match event:
                case Event.OBJECT | Event.ARRAY:
                    keys.append(array("q"))
                case Event.KEY:
                    finish(told)
                    keys[-1].append(hash(told))
                case Event.PART:
                    finish(told)
                case Event.END if _has_twins(keys.pop()):
                    return require_exact_json(str(text))  # two keys may have the same hash
    except Unreadable as failure:
        raise Unfit(failure.code, failure.reason) from None


def _has_twins(numbers: array[int]) -> bool:
    # A set of all of them would take many times the room.
    parts = len(numbers) // _AT_ONCE + 1
    for part in range(parts):
        some = [number for number in numbers if number % parts == part]
        if len(set(some)) < len(some):
            return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unfit("json-duplicate-key", "has the same key twice in one object")
    return found


def _number(digits: str) -> None:
    if len(digits) < 300 and "e" not in digits and "E" not in digits and digits[0] != "-":
        return
    try:
        number = Decimal(digits)
    except InvalidOperation:
        raise Unfit("json-number", "holds a number beyond the range of numeric") from None
    if number.is_zero() and number.is_signed() and digits != "-0":
        raise Unfit("json-number", "holds -0.0, which jsonb turns into 0.0")
    exponent = int(number.as_tuple().exponent)
    if number.adjusted() >= _DIGITS_BEFORE_POINT or -exponent > _DIGITS_AFTER_POINT:
        raise Unfit("json-number", "holds a number beyond the range of numeric")


def _constant(name: str) -> None:
    raise Unfit("json-syntax", f"holds {name}, which is no JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_number, parse_constant=_constant
)
_AT_ONCE = 200_000  # hashes of keys


def _strings(parsed: Any) -> Iterable[str]:
    waiting = [parsed]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as members:
                yield from members
                waiting += members.values()
            case list() as items:
                waiting += items
