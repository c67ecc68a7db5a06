"""SQLite values as SQLite literals: text that says exactly which value of which type it is.

It never rounds, and never leaves a character that PostgreSQL's text cannot hold.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

from dhafnck_db.legacy.long import LongText, in_hex, is_clean_long

Value = int | float | str | bytes | LongText | None
Row = tuple[Value, ...]

SHOWN = 200  # characters of a value in a list of rejects
_UNCLEAN = re.compile("[\x00\ud800-\udfff]")


def is_clean(text: str | LongText) -> bool:
    """Whether PostgreSQL can hold a text: valid UTF-8 without NUL."""
    if isinstance(text, LongText):
        return is_clean_long(text)
    return _UNCLEAN.search(text) is None


def literal(value: Value) -> str | None:
    """Return the literal that SQLite reads as this value; NULL stays None."""
    match value:
        case None:
            return None
        case str() if is_clean(value):
            return "'" + value.replace("'", "''") + "'"
        case str():
            return f"CAST(X'{value.encode('utf-8', 'surrogateescape').hex()}' AS TEXT)"
        case bytes():
            return f"X'{value.hex()}'"
        case float() if math.isinf(value):
            return "9e999" if value > 0 else "-9e999"
        case LongText():
            return b"".join(literal_in_pieces(value)).decode()
    return repr(value)


def literal_in_pieces(value: LongText | bytes) -> Iterator[bytes]:
    """Yield the literal of a long value, in pieces of UTF-8."""
    if isinstance(value, LongText) and is_clean(value):
        yield b"'"
        yield from (piece.replace(b"'", b"''") for piece in value)
        yield b"'"
        return
    is_blob = isinstance(value, bytes)
    yield b"X'" if is_blob else b"CAST(X'"
    yield from in_hex(value if isinstance(value, bytes) else value.utf8)
    yield b"'" if is_blob else b"' AS TEXT)"


def escaped(text: str) -> str:
    """Return text for people to read, with a mark for each character that is none."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def spelled(value: Value) -> str:
    """Return an id as the file spells it; one that is no clean text or integer as its literal."""
    if isinstance(value, int) or (isinstance(value, str | LongText) and is_clean(value)):
        return str(value)
    return literal(value) or "NULL"


def shown(value: Value) -> str:
    """Return the literal, shortened for a list that people read."""
    # Cut before it is written out: a value may be as big as the memory a list may take.
    if isinstance(value, LongText):
        value = value.start(SHOWN + 1)
    cut = isinstance(value, str | bytes) and len(value) > SHOWN
    text = literal(value[:SHOWN] if isinstance(value, str | bytes) else value) or "NULL"
    return text + " …" if cut else text
