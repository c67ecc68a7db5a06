"""JSON too long to be parsed as a whole: read once, from its beginning to its end.

What is small in it is parsed by Python's own parser; only what does not fit into a window of the
text is gone through here. It never holds more than that window, and a little for each object and
array that is open.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from enum import Enum, auto
from typing import Any

WINDOW, SLICE = 1 << 18, 1 << 16  # characters; no number that numeric has room for is longer
DEPTH = 900  # of objects and arrays that do not fit; about as deep as Python's parser goes

_SPACE = re.compile(r"[ \t\n\r]*+")
_NO_STRINGS = re.compile(r'[^"\[\]{}]*,')
_CHARACTERS = re.compile(
    r'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+'
)
# The first half of a surrogate pair at the end, with what tells that its backslash is an escape.
_HALF = re.compile(r"(?<!\\)(?:\\\\)*(\\u[dD][89abAB][0-9a-fA-F]{2})\Z")
_CUT = 12  # characters at the end of a window that may be the beginning of an escape or number


class Unreadable(Exception):
    """The text is no JSON, or none that is read here. Never leaves this package."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class Event(Enum):
    """What comes next in the text, and what is told of it."""

    OBJECT = auto()
    ARRAY = auto()
    END = auto()  # of the last object or array begun
    KEY = auto()  # the key, of an object that was begun
    VALUES = auto()  # a list of values that are whole
    PART = auto()  # characters of a string that is too long
    STRING = auto()  # that string ends here


def events(
    pieces: Iterable[str], decoder: json.JSONDecoder, finish: Callable[[Any], Any]
) -> Iterator[tuple[Event, Any]]:
    """Yield what the text consists of.

    Args:
        pieces: the text.
        decoder: parses the values that fit; what its hooks raise is raised here.
        finish: is given each such value; VALUES has what it returns.

    Raises:
        Unreadable: the text is no JSON.
    """
    text = _Text(pieces, decoder, finish)
    closing: list[str] = []  # what ends the objects and arrays that were begun
    is_due = True  # a value, not what follows one
    while True:
        following = text.peek()
        if not is_due:
            if not closing and not following:
                return
            if closing and following == closing[-1]:
                text.pos += 1
                closing.pop()
                yield Event.END, None
            elif closing and following == ",":
                text.pos += 1
                is_due = True
                if closing[-1] == "}":
                    yield Event.KEY, text.key()
            else:
                raise text.error("more than a value")
            continue
        is_due = False
        if closing and closing[-1] == "]" and (run := text.run()):
            yield Event.VALUES, run
            continue
        failure = text.value()
        if failure is None:
            yield Event.VALUES, [text.found]
        elif following == '"':
            for part in text.string():
                yield Event.PART, part
            yield Event.STRING, None
        elif following in ("{", "["):
            if len(closing) == DEPTH:
                raise Unreadable("json-depth", "is nested too deeply")
            text.pos += 1
            yield Event.OBJECT if following == "{" else Event.ARRAY, None
            closing.append("}" if following == "{" else "]")
            if text.peek() != closing[-1]:
                is_due = True
                if following == "{":
                    yield Event.KEY, text.key()
        else:
            raise failure


class _Text:
    """A window on the text, and the place in it up to which it was read."""

    def __init__(
        self, pieces: Iterable[str], decoder: json.JSONDecoder, finish: Callable[[Any], Any]
    ) -> None:
        self._slices = (
            piece[at : at + SLICE] for piece in pieces for at in range(0, len(piece), SLICE)
        )
        self._parse = decoder.raw_decode
        self._finish = finish
        self._window = ""
        self._before = 0  # characters before the window
        self._has_ended = False
        self.pos = 0
        self.found: Any = None  # the last value

    def peek(self) -> str:
        """Return the next character that is no space, without reading it; "" at the end."""
        while True:
            self.pos = _end(_SPACE, self._window, self.pos)
            if self.pos < len(self._window):
                return self._window[self.pos]
            if not self._read_on():
                return ""

    def value(self) -> Exception | None:
        """Read the value that begins here into `found`; return why it was not read."""
        while True:
            failure: Exception = Unreadable("json-number", "holds a number too long for numeric")
            try:
                found, end = self._parse(self._window, self.pos)
                # Else it might go on: a number has no end of its own.
                if self._has_ended or len(self._window) - end > _CUT:
                    self.found, self.pos = self._finish(found), end
                    return None
            except json.JSONDecodeError:
                failure = self.error("no value")
            # Whatever a hook raises is raised again where there is nothing to be opened or cut.
            except Exception as raised:
                failure = raised
            if self._has_ended or len(self._window) - self.pos >= WINDOW:
                return failure
            self._read_on()

    def run(self) -> list[Any]:
        """Read the values up to a string, object or array; none where one of them is wrong."""
        found = _NO_STRINGS.match(self._window, self.pos)
        if found is None:
            return []
        try:
            values, _ = self._parse(f"[{found[0][:-1]}]", 0)
            finished = [self._finish(value) for value in values]
        except Exception:  # the value that is wrong is met again by itself
            return []
        if finished:
            self.pos = found.end() - 1
        return finished

    def key(self) -> str:
        """Read a key and its colon."""
        if self.peek() != '"':
            raise self.error("no key")
        key = "".join(self.string())
        if self.peek() != ":":
            raise self.error("no colon")
        self.pos += 1
        return key

    def string(self) -> Iterator[str]:
        """Read a string, and yield its characters in parts."""
        self.pos += 1
        while True:
            end = _end(_CHARACTERS, self._window, self.pos)
            has_ended = self._window[end : end + 1] == '"'
            if not has_ended:
                if self._has_ended or len(self._window) - end > _CUT:
                    raise self.error("a string that does not end well")
                if half := _HALF.search(self._window, self.pos, end):
                    end = half.start(1)
            part = self._window[self.pos : end]
            yield json.loads(f'"{part}"') if "\\" in part else part
            self.pos = end
            if has_ended:
                self.pos += 1
                return
            self._read_on()

    def error(self, what: str) -> Unreadable:
        return Unreadable("json-syntax", f"is no JSON: {what} at {self._before + self.pos}")

    def _read_on(self) -> bool:
        """Move the window on to where it was read up to; return whether there is more."""
        more = next(self._slices, None)
        if more is None:
            self._has_ended = True
            return False
        self._before += self.pos
        self._window = self._window[self.pos :] + more
        self.pos = 0
        return True


def _end(pattern: re.Pattern[str], text: str, pos: int) -> int:
    found = pattern.match(text, pos)
    return pos if found is None else found.end()
