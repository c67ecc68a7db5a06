"""Two snapshots compared and judged, as the commands and the report show it.

It never connects.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dhafnck_db.parity.classify import MISSING, Expectation, Verdict, judge
from dhafnck_db.parity.close import closing
from dhafnck_db.parity.compare import Difference, compare
from dhafnck_db.parity.create import literal
from dhafnck_db.parity.snapshot import Snapshot

ORDER: tuple[Verdict, ...] = ("breaks", "drift", "expected")


@dataclass(frozen=True)
class Finding:
    """A difference, judged, with the way to close it."""

    verdict: Verdict
    kind: str
    name: str
    property: str | None  # None where one side lacks the thing
    left: str
    right: str
    reason: str | None  # why it is meant to be
    close: str | None  # run on the right side; None where it is meant to be

    def to_dict(self) -> dict[str, Any]:
        return {
            "class": self.verdict,
            "kind": self.kind,
            "name": self.name,
            "property": self.property,
            "from": self.left,
            "to": self.right,
            "reason": self.reason,
            "close": self.close,
        }


@dataclass(frozen=True)
class Side:
    """One of the two that were compared."""

    environment: str
    made_at: str
    server: str | None
    revision: str | None
    recorded: bool = False  # read from a file, and so of another moment

    def to_dict(self) -> dict[str, Any]:
        return {
            "environment": self.environment,
            "made_at": self.made_at,
            "server": self.server,
            "revision": self.revision,
            "recorded": self.recorded,
        }


def side_of(snapshot: Snapshot, *, recorded: bool = False) -> Side:
    """Return what is said of a side."""
    revision = snapshot.things[("revision", "", "alembic")].properties["value"]
    found = snapshot.things.get(("server", "", "version"))
    server = "PostgreSQL {major}.{minor}".format(**found.properties) if found else None
    return Side(snapshot.environment, snapshot.made_at, server, revision, recorded)


def examine(left: Snapshot, right: Snapshot, expected: Sequence[Expectation]) -> list[Finding]:
    """Return how the right side differs from the left, the worst first.

    Args:
        left: how it should be.
        right: what is held against it, and where the closing statements would run.
        expected: the differences that are meant to be.
    """
    found = [_finding(difference, left, right, expected) for difference in compare(left, right)]
    return sorted(found, key=lambda finding: ORDER.index(finding.verdict))


def counts(findings: Sequence[Finding]) -> dict[Verdict, int]:
    """Return how many there are of each class."""
    found = Counter(finding.verdict for finding in findings)
    return {verdict: found[verdict] for verdict in ORDER}


def _finding(
    difference: Difference, left: Snapshot, right: Snapshot, expected: Sequence[Expectation]
) -> Finding:
    verdict, reason = judge(difference, left, right, expected)
    one, other = (_spelled(difference, side) for side in ("left", "right"))
    return Finding(
        verdict,
        difference.thing.kind,
        difference.thing.title,
        difference.trait,
        one,
        other,
        reason,
        None if verdict == "expected" else closing(difference, left, right),
    )


def _spelled(difference: Difference, side: str) -> str:
    thing = difference.left if side == "left" else difference.right
    if thing is None:
        return MISSING
    if difference.trait is None:
        return str(thing.properties.get("definition") or "there")
    value = difference.value(thing)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return literal(value) if value == "" else str(value)
