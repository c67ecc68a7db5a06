"""SQLite values as SQLite literals: text that says exactly which value of which type it is.

It never rounds, and never leaves a character that PostgreSQL's text cannot hold.
"""

from __future__ import annotations

import math
import re

Value = int | float | str | bytes | None
Row = tuple[Value, ...]

SHOWN = 200  # characters of a value in a list of rejects
_UNCLEAN = re.compile("[\x00\ud800-\udfff]")


def is_clean(text: str) -> bool:
    """Whether PostgreSQL can hold a text: valid UTF-8 without NUL."""
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
    return repr(value)


def escaped(text: str) -> str:
    """Return text for people to read, with a mark for each character that is none."""
    return text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode()


def spelled(value: Value) -> str:
    """Return an id as the file spells it; one that is no clean text or integer as its literal."""
    if isinstance(value, int) or (isinstance(value, str) and is_clean(value)):
        return str(value)
    return literal(value) or "NULL"


def shown(value: Value) -> str:
    """Return the literal, shortened for a list that people read."""
    # Cut before it is written out: a value may be as big as the memory a list may take.
    cut = isinstance(value, str | bytes) and len(value) > SHOWN
    text = literal(value[:SHOWN] if isinstance(value, str | bytes) else value) or "NULL"
    return text + " …" if cut else text
