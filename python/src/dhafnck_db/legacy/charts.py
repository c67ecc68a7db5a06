"""The bars of the report: lengths in percent, computed from the figures that they stand for.

It knows no HTML; the template draws what it returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dhafnck_db.legacy.legible import count, size

CHARTED = 30  # bars of one chart; what is left is one more
SLIVER = 0.6  # percent; what is there is seen, however few rows it has


@dataclass(frozen=True)
class Segment:
    """A part of a bar."""

    kind: str
    label: str
    amount: int
    start: float
    width: float


@dataclass(frozen=True)
class Bar:
    """A bar of a chart, with its figure in words."""

    kind: str
    label: str
    text: str
    width: float


def segments(parts: Sequence[tuple[str, str, int]]) -> list[Segment]:
    """Return the parts (kind, label, amount) that are not empty, side by side over the width."""
    found = [part for part in parts if part[2]]
    total = sum(amount for _, _, amount in found)
    widths = [_share(amount, total) for _, _, amount in found]
    made, start = [], 0.0
    for (kind, label, amount), width in zip(found, widths, strict=True):
        width *= 100 / sum(widths)
        made.append(Segment(kind, label, amount, round(start, 2), round(width, 2)))
        start += width
    return made


def phases(seconds: Mapping[str, float]) -> list[Bar]:
    """Return a bar for each phase of a run, in order."""
    most = max(seconds.values(), default=0)
    return [
        Bar("phase", name, f"{spent:.2f} s", _share(spent, most)) for name, spent in seconds.items()
    ]


def rows_by_destination(tables: Iterable[Mapping[str, Any]], rejected_to: str) -> list[Bar]:
    """Return a bar for each table of the target, longest first, and one for the rejected rows."""
    amounts: Counter[tuple[str, str]] = Counter()
    for table in tables:
        amounts[kind_of(table["to"]), table["to"]] += table["rows"] - table["rejects"]
        amounts["rejected", rejected_to] += table["rejects"]
    return _ranked(amounts, count)


def bytes_by_destination(tables: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """Return a bar for each table of the target, longest first; none without such figures."""
    amounts: Counter[tuple[str, str]] = Counter()
    for table in tables:
        amounts[kind_of(table["to"]), table["to"]] += table.get("bytes") or 0
    return _ranked(amounts, size)


def rejects_by_reason(rejects: Iterable[Mapping[str, Any]]) -> list[Bar]:
    """Return a bar for each reason code, longest first."""
    return _ranked(Counter(("rejected", entry["code"]) for entry in rejects), count)


def kind_of(to: str | None) -> str:
    """Return what a destination is: models, archive, or none."""
    return {"public": "models", "legacy": "archive"}.get((to or "").partition(".")[0], "none")


def _ranked(amounts: Counter[tuple[str, str]], write: Callable[[int], str]) -> list[Bar]:
    found = [(key, amount) for key, amount in amounts.most_common() if amount]
    shown, left = found[:CHARTED], found[CHARTED:]
    if left:
        shown.append((("others", f"{len(left)} others"), sum(amount for _, amount in left)))
    most = max((amount for _, amount in shown), default=0)
    return [
        Bar(kind, label, write(amount), _share(amount, most)) for (kind, label), amount in shown
    ]


def _share(amount: float, most: float) -> float:
    return max(SLIVER, round(100 * amount / most, 2)) if amount and most else 0
