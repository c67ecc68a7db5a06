"""Whether values are spelled as PostgreSQL spells them, asked of a whole batch of values at once.

It never looks at a single value, and a no only means that somebody has to look at each.
"""

from __future__ import annotations

import json
import re
import secrets
from collections import deque
from datetime import datetime
from decimal import Decimal

import orjson

from dhafnck_db.legacy.compare import as_json

# What separates rows and fields and stands for NULL in a batch: values never hold them, or the
# batch is not taken.
ROW, FIELD, NULL = b"\x1d", b"\x1f", b"\x1e"

_SHAPE = bytes.maketrans(b"0123456789", b"dddddddddd")
_TIMES = frozenset((b"dddd-dd-dd dd:dd:dd", b"dddd-dd-dd dd:dd:dd.dddddd"))
_NONCE = b',"' + secrets.token_hex(5).encode() + b'",'
_NO_VALUE = b'"' + secrets.token_hex(5).encode() + b'"'  # NULL, which is not JSON's null
_SPACED_KEY = re.compile(rb'"\s+:')
# NUL, which jsonb has not; quote, space and colon, which would spoil the counting of keys.
_ESCAPED = re.compile(rb"\\u00(?:00|2[02]|3[aA])")
# These begin with what is rarely met, which is found fast; some of what they find is in strings.
_NEGATIVE_ZERO = re.compile(rb"-0(?:\.0*)?[eE\s,\]}]")
_TINY_NUMBERS = (re.compile(rb"e-\d{4}"), re.compile(rb"E-\d{4}"))
_TINY_NUMBER = re.compile(rb"[\s:,\[]-?[\d.]+[eE]-\d{4}")
# As many digits after the point numeric has not.
_LONG = 16_000
_LONG_NUMBER = re.compile(rb"\d{%d}" % _LONG)
# More digits than any double has room for are compared as they are written.
_DIGITS = 15
_NUMBERS = bytes(byte if byte in b"0123456789." else ord(" ") for byte in range(256))


def are_uuids(joined: bytes, count: int) -> bool:
    """Whether `count` values, joined by ROW, are UUIDs in PostgreSQL's own spelling."""
    digits = joined.translate(None, b"-" + ROW)
    # Thirty-two digits each, and what is no digit is where it belongs.
    return (
        len(joined) == 37 * count - 1
        and len(digits) == 32 * count
        and all(joined[at::37].count(b"-") == count for at in (8, 13, 18, 23))
        and joined[36::37].count(ROW) == count - 1
        and digits == digits.lower()
        and digits.isalnum()
        and _is_hexadecimal(digits)
    )


def _is_hexadecimal(digits: bytes) -> bool:
    try:
        bytes.fromhex(digits.decode("ascii"))
    except ValueError:
        return False
    return True


def are_times(joined: bytes, count: int) -> bool:
    """Whether `count` values, joined by ROW, are times without an offset that exist."""
    shapes = joined.translate(_SHAPE).split(ROW)
    if len(shapes) != count or not _TIMES.issuperset(shapes):
        return False
    if joined.startswith(b"0") or ROW + b"0" in joined:
        return False  # a year that is not always written with four digits
    try:
        deque(map(datetime.fromisoformat, joined.decode("ascii").split(ROW.decode())), maxlen=0)
    except ValueError:
        return False
    return True


def are_texts(joined: bytes, count: int) -> bool:
    """Whether `count` values, joined by ROW, are texts for PostgreSQL and hold no separator."""
    if joined.count(ROW) != count - 1 or FIELD in joined or NULL in joined or b"\x00" in joined:
        return False
    if joined.isascii():
        return True
    try:
        joined.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def are_exact_json(joined: bytes) -> bool:
    """Whether values, joined by ROW, are JSON that jsonb keeps without losing anything.

    The separators are known to be none of the values' own.
    """
    values = set(joined.split(ROW))  # many are met again and again, such as an empty list
    text = _as_array(ROW.join(values))
    if b"\\u00" in text and _ESCAPED.search(text):
        return False
    if _NEGATIVE_ZERO.search(text):
        return False
    if any(number.search(text) for number in _TINY_NUMBERS) and _TINY_NUMBER.search(text):
        return False
    if max(map(len, values)) > _LONG and _LONG_NUMBER.search(text):
        return False
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    nonce = orjson.loads(_NONCE[1:-1])
    # With the nonce at every other place each value is whole: none ends what another began.
    if len(parsed) != 2 * len(values) - 1 or parsed[1::2].count(nonce) != len(values) - 1:
        return False
    # A key that stands twice in an object is there once afterwards.
    return _keys_in(orjson.dumps(parsed)) == _keys_in(text)


def _keys_in(text: bytes) -> int:
    """Return how many keys JSON has, plus what looks like one in its strings."""
    spaced = text.count(b'" :')
    if b"  :" in text or any(space in text for space in (b"\n", b"\t", b"\r")):
        spaced = len(_SPACED_KEY.findall(text))
    return text.count(b'":') + spaced


def canonical_json(one: bytes, other: bytes) -> tuple[bytes, bytes]:
    """Return two batches of exact JSON values, joined by ROW and FIELD, each in the same form.

    The two are equal where the values are. Nothing of the one is in the other's.
    """
    if one == other:
        return one, other
    first, second = _sorted(one), _sorted(other)
    numbers, others = _long_numbers(one), _long_numbers(other)
    if first == second and numbers != others:
        return _exact(one), _exact(other)
    return first + numbers, second + others


def _sorted(joined: bytes) -> bytes:
    """Return values as orjson writes them: sorted by key, numbers as doubles."""
    parsed = orjson.loads(_as_array(joined))
    text = orjson.dumps(parsed, option=orjson.OPT_SORT_KEYS)
    # The nonces are another in each process.
    return text.replace(_NONCE, ROW).replace(_NO_VALUE, NULL)


def _long_numbers(joined: bytes) -> bytes:
    """Return the numbers that a double may not hold, as they are written."""
    parts = joined.translate(_NUMBERS).split()
    return FIELD.join(sorted(part for part in parts if len(part) > _DIGITS))


def _exact(joined: bytes) -> bytes:
    """Return values with every digit of their numbers, in one way of writing each number."""
    return ROW.join(
        value if value == NULL else _dumped(value)
        for value in joined.replace(FIELD, ROW).split(ROW)
    )


def _dumped(value: bytes) -> bytes:
    return json.dumps(as_json(value.decode()), default=_number, sort_keys=True).encode()


def _number(number: Decimal) -> str:
    sign, digits, exponent = number.as_tuple()
    written = "".join(map(str, digits))
    significant = written.rstrip("0")
    power = int(exponent) + len(written) - len(significant) if significant else 0
    return f"\x00{sign}:{significant}e{power}"  # a NUL is in no string of exact JSON


def _as_array(joined: bytes) -> bytes:
    separated = joined.replace(NULL, _NO_VALUE).replace(ROW, _NONCE).replace(FIELD, _NONCE)
    return b"[" + separated + b"]"
