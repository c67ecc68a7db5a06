"""Whether two values that come in pieces are the same, wherever each was cut.

It never holds more than a piece of either. JSON is told apart by SHA-256 of what it means, which
nobody has ever made the same for two values.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256, shake_256
from typing import Any

from dhafnck_db.legacy.long import decoded
from dhafnck_db.legacy.long_json import Event, events

_WIDE = 256  # bytes; in so wide a sum nobody finds other members that add up to the same
_CACHED = 10_000  # numbers


def are_equal(one: Iterable[bytes], other: Iterable[bytes]) -> bool:
    """Whether pieces are the same bytes."""
    others = filter(None, other)
    rest = b""
    for piece in one:
        while piece:
            rest = rest or next(others, b"")
            size = min(len(piece), len(rest))
            if not size or piece[:size] != rest[:size]:
                return False
            piece, rest = piece[size:], rest[size:]
    return not rest and not any(others)


def string(pieces: Iterable[bytes]) -> bytes:
    """Return the digest that `document` has for a string of JSON, from the UTF-8 of its text."""
    digest = sha256(b'"')
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def document(pieces: Iterable[bytes]) -> bytes:
    """Return a digest of JSON: the same for the same values, whatever their order and spelling.

    Raises:
        Unreadable: it is no JSON.
    """
    open_: list[_Elements | _Members] = [_Elements()]  # the document is the one element of nothing
    text = None
    for event, told in events(decoded(pieces), _DECODER, _digest):
        match event:
            case Event.OBJECT:
                open_.append(_Members())
            case Event.ARRAY:
                open_.append(_Elements())
            case Event.KEY:
                open_[-1].name(told)
            case Event.VALUES:
                for value in told:
                    open_[-1].add(value)
            case Event.PART:
                text = text or sha256(b'"')
                text.update(_encoded(told))
            case Event.STRING:
                open_[-1].add(text.digest() if text else string([]))
                text = None
            case Event.END:
                done = open_.pop().digest()
                open_[-1].add(done)
    return open_[0].digest()


class _Elements:
    """An array that is open."""

    def __init__(self) -> None:
        self._all = sha256(b"[")

    def add(self, digest: bytes) -> None:
        self._all.update(digest)

    def name(self, key: str) -> None:
        raise TypeError(key)

    def digest(self) -> bytes:
        return self._all.digest()


class _Members:
    """An object that is open; its members come in any order."""

    def __init__(self) -> None:
        self._key = b""
        self._sum = 0

    def name(self, key: str) -> None:
        self._key = _encoded(key)

    def add(self, digest: bytes) -> None:
        self._sum += int.from_bytes(shake_256(digest + self._key).digest(_WIDE))

    def digest(self) -> bytes:
        return sha256(b"{" + (self._sum % (1 << 8 * _WIDE)).to_bytes(_WIDE)).digest()


def _digest(value: Any) -> bytes:
    match value:
        case bytes():
            return value  # of a number or an object
        case str():
            return string([_encoded(value)])
        case list():
            elements = _Elements()
            for element in value:
                elements.add(_digest(element))
            return elements.digest()
    return sha256(repr(value).encode()).digest()


def _object(pairs: list[tuple[str, Any]]) -> bytes:
    members = _Members()
    for key, value in pairs:
        members.name(key)
        members.add(_digest(value))
    return members.digest()


@lru_cache(_CACHED)
def _number(digits: str) -> bytes:
    written = format(Decimal(digits), "f")  # exact: it is not rounded to a context
    if "." in written:
        written = written.rstrip("0").rstrip(".")
    return sha256(b"0" + (written if written != "-0" else "0").encode()).digest()


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_number, parse_int=_number)
