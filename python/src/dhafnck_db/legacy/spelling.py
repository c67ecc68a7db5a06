"""Whether values are spelled as PostgreSQL spells them, asked of a whole batch of values at once.

It never looks at a single value, and a no only means that somebody has to look at each.
"""

from __future__ import annotations

import re
import secrets
from calendar import isleap

import orjson

from dhafnck_db.legacy.compare import as_json

# What separates rows and fields and stands for NULL in a batch: values never hold them, or the
# batch is not taken.
ROW, FIELD, NULL = b"\x1d", b"\x1f", b"\x1e"

_DAYS = {1: 31, 2: 29, 3: 31, 4: 30, 5: 31, 6: 30, 7: 31, 8: 31, 9: 30, 10: 31, 11: 30, 12: 31}
_DAYS_OF_YEAR = frozenset(
    tuple(b"%02d%02d" % (month, day)) for month, last in _DAYS.items() for day in range(1, last + 1)
)
_HOURS = frozenset(tuple(b"%02d" % hour) for hour in range(24))
_LEAP_DAY = tuple(b"0229")
_NONCE = b',"' + secrets.token_hex(5).encode() + b'",'
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


def are_times(heads: bytes, tails: bytes, count: int) -> bool:
    """Whether `count` values are times without an offset that exist.

    Args:
        heads: the first 19 characters of each, joined by ROW.
        tails: what follows them, joined by ROW.
        count: how many there are.
    """
    digits = heads.translate(None, b"-: " + ROW)
    return (
        len(heads) == 20 * count - 1
        and len(digits) == 14 * count
        and digits.isdigit()
        and all(heads[at::20].count(b"-") == count for at in (4, 7))
        and heads[10::20].count(b" ") == count
        and all(heads[at::20].count(b":") == count for at in (13, 16))
        and heads[19::20].count(ROW) == count - 1
        and _HOURS.issuperset(zip(heads[11::20], heads[12::20], strict=True))
        and max(heads[14::20]) <= ord("5") >= max(heads[17::20])
        and min(heads[0::20]) > ord("0")
        and _are_dates(heads)
        and _are_microseconds(tails, count)
    )


def _are_dates(heads: bytes) -> bool:
    days = set(zip(heads[5::20], heads[6::20], heads[8::20], heads[9::20], strict=True))
    if _LEAP_DAY in days and not all(
        isleap(int(heads[at : at + 4]))
        for at in range(0, len(heads), 20)
        if heads[at + 5 : at + 10] == b"02-29"
    ):
        return False
    return days <= _DAYS_OF_YEAR


def _are_microseconds(tails: bytes, count: int) -> bool:
    fractions = tails.split(ROW)
    if len(fractions) != count or not {0, 7}.issuperset(map(len, fractions)):
        return False
    joined = b"".join(fractions)
    digits = joined.translate(None, b".")
    some = len(joined) // 7
    return not some or (
        joined[::7].count(b".") == some and len(digits) == 6 * some and digits.isdigit()
    )


def are_texts(joined: bytes, *, rows: int, fields: int, nulls: int) -> bool:
    """Whether rows of fields, joined by ROW and FIELD, are texts that PostgreSQL can hold.

    Args:
        joined: the rows; NULL is spelled as NULL.
        rows: how many there are.
        fields: how many fields a row has.
        nulls: how many fields are NULL.
    """
    if (
        joined.count(ROW) != rows - 1
        or joined.count(FIELD) != rows * (fields - 1)
        or joined.count(NULL) != nulls
        or b"\x00" in joined
    ):
        return False
    if joined.isascii():
        return True
    try:
        joined.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def are_exact_json(joined: bytes, values: int) -> bool:
    """Whether values, joined by ROW and FIELD, are JSON that jsonb keeps without losing anything.

    The separators are known to be none of the values' own.
    """
    text = _as_array(joined)
    if b"\\u00" in text and _ESCAPED.search(text):
        return False
    if _NEGATIVE_ZERO.search(text):
        return False
    if any(number.search(text) for number in _TINY_NUMBERS) and _TINY_NUMBER.search(text):
        return False
    if max(map(len, _values(joined))) > _LONG and _LONG_NUMBER.search(text):
        return False
    try:
        parsed = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    nonce = orjson.loads(_NONCE[1:-1])
    # With the nonce at every other place each value is whole: none ends what another began.
    if len(parsed) != 2 * values - 1 or parsed[1::2].count(nonce) != values - 1:
        return False
    # A key that stands twice in an object is there once afterwards.
    return _keys_in(orjson.dumps(parsed)) == _keys_in(text)


def _keys_in(text: bytes) -> int:
    """Return how many keys JSON has, plus what looks like one in its strings."""
    spaced = text.count(b'" :')
    if b"  :" in text or any(space in text for space in (b"\n", b"\t", b"\r")):
        spaced = len(_SPACED_KEY.findall(text))
    return text.count(b'":') + spaced


def same_json(one: bytes, other: bytes) -> bool:
    """Whether two batches of exact JSON values, joined by ROW and FIELD, are the same values."""
    if one == other:
        return True
    if NULL in one or NULL in other:
        nulls, found = ([value == NULL for value in _values(batch)] for batch in (one, other))
        if nulls != found:
            return False  # NULL is not JSON's null
    first, second = (
        orjson.dumps(orjson.loads(_as_array(batch)), option=orjson.OPT_SORT_KEYS)
        for batch in (one, other)
    )
    if first != second:
        return False
    if _long_numbers(one) == _long_numbers(other):
        return True
    pairs = zip(_values(one), _values(other), strict=True)
    return all(
        _as_json(value) == _as_json(found) for value, found in pairs if NULL not in (value, found)
    )


def _long_numbers(joined: bytes) -> list[bytes]:
    return sorted(part for part in joined.translate(_NUMBERS).split() if len(part) > _DIGITS)


def _values(joined: bytes) -> list[bytes]:
    return joined.replace(FIELD, ROW).split(ROW)


def _as_json(value: bytes) -> object:
    return as_json(value.decode())


def _as_array(joined: bytes) -> bytes:
    separated = joined.replace(NULL, b"null").replace(ROW, _NONCE).replace(FIELD, _NONCE)
    return b"[" + separated + b"]"
