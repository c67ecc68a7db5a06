"""Figures, sizes and foreign text as people read them.

It never shows a character of a legacy file that a terminal or a browser would act on.
"""

from __future__ import annotations


def count(number: int) -> str:
    """Return a number with its thousands set apart."""
    return f"{number:,}"


def plural(number: int, noun: str) -> str:
    """Return a number of things: `1 row`, `2 rows`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size(number: float) -> str:
    """Return a number of bytes: `512 bytes`, `987 kB`, `1.3 GB`."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000 or unit == "GB":
            break
        number /= 1000
    return f"{number:,.0f} {unit}" if unit == "bytes" or number >= 100 else f"{number:,.1f} {unit}"


def about(seconds: float) -> str:
    """Return an estimate of time: `about 40 s`, `about 3 min`, `about 2.5 h`."""
    if seconds < 100:
        return f"about {seconds:.0f} s"
    if seconds < 100 * 60:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"


def visible(text: object, *, lines: bool = False) -> str:
    """Return text with what cannot be seen, turns the line or steers a terminal spelled out.

    With `lines`, line breaks and tabs stay.
    """
    kept = "\n\t" if lines else ""
    return "".join(
        character
        if character.isprintable() or character in kept
        else character.encode("unicode_escape").decode()
        for character in str(text)
    )
