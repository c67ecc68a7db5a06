"""Values too long to be copied: kept as the bytes that the file has, and gone through in pieces.

It never holds more than the value as it was given and a piece or two.
"""

from __future__ import annotations

import json
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TypeGuard

LONG = 1 << 20  # bytes up to which a value goes as a whole, and of a piece of a longer one
SHORT = 1 << 12  # bytes up to which it does in a row of any length

# A field for COPY. What is long comes in pieces of UTF-8, which may end within a character.
Written = str | Iterable[bytes] | None


@dataclass(frozen=True, slots=True)
class LongText:
    """A text of a row with more than LONG bytes, in the UTF-8 of the file, valid or not.

    One character beyond the Latin ones makes a str two or four times as big.
    """

    utf8: bytes

    def __iter__(self) -> Iterator[bytes]:
        return in_pieces(self.utf8)

    def __len__(self) -> int:
        return len(self.utf8)

    def __str__(self) -> str:
        return self.utf8.decode("utf-8", "surrogateescape")

    def start(self, characters: int) -> str:
        """Return its first characters."""
        return self.utf8[: 4 * characters].decode("utf-8", "surrogateescape")[:characters]


def whole(field: Written) -> str | None:
    """Return a field as one text."""
    return field if field is None or isinstance(field, str) else b"".join(field).decode()


def is_long(value: object) -> TypeGuard[LongText | bytes]:
    """Whether a value of the file is to be gone through in pieces."""
    return isinstance(value, LongText) or (isinstance(value, bytes) and len(value) > LONG)


def in_pieces(raw: bytes) -> Iterator[bytes]:
    """Yield bytes in pieces of LONG."""
    return (raw[at : at + LONG] for at in range(0, len(raw), LONG))


def in_hex(raw: bytes) -> Iterator[bytes]:
    """Yield the hexadecimal digits of bytes, in pieces."""
    return (piece.hex().encode() for piece in in_pieces(raw))


def decoded(pieces: Iterable[bytes]) -> Iterator[str]:
    """Yield the text of pieces of UTF-8, wherever they were cut.

    Raises:
        UnicodeDecodeError: they are no UTF-8.
    """
    decoder = getincrementaldecoder("utf-8")()
    for piece in pieces:
        yield decoder.decode(piece)
    yield decoder.decode(b"", final=True)


def is_clean_long(text: LongText) -> bool:
    """Whether a long text is valid UTF-8 without NUL."""
    if 0 in text.utf8:
        return False
    try:
        for _ in decoded(text):
            pass
    except UnicodeDecodeError:
        return False
    return True


def as_json_string(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a text, given in pieces of UTF-8, as a string of JSON in such pieces."""
    yield b'"'
    for part in decoded(pieces):
        yield json.dumps(part, ensure_ascii=False)[1:-1].encode()
    yield b'"'
