"""What a difference means: that a query can fail or answer otherwise, or that somebody changed it.

The differences that are meant to be are declared in expected.toml, each with its reason.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from dhafnck_db.errors import ConfigurationError
from dhafnck_db.parity.compare import Difference
from dhafnck_db.parity.observe import settings_by_effect
from dhafnck_db.parity.snapshot import Snapshot

Verdict = Literal["breaks", "drift", "expected"]
OURS = files(__package__).joinpath("expected.toml")
ANY = "*"
MISSING = "missing"  # in the place of a property: one side lacks the thing

# What no query notices: how fast it is, what a person reads, and what is made later. All else
# breaks something: a kind or property that nobody thought of is taken for the worse.
UNNOTICED = {
    ("server", "minor"),
    ("table", "options"),
    ("column", "options"),
    ("column", "statistics"),
    ("column", "storage"),
    ("sequence", "cache"),
    ("membership", "admin"),
    (ANY, "comment"),
}
UNNOTICED_KINDS = {
    "statistics",
    "publication",
    "published table",
    "default privilege",
}


@dataclass(frozen=True)
class Expectation:
    """A difference that is meant to be."""

    kind: str
    name: str  # may have * and ?
    reason: str
    property: str | None = None  # or MISSING; None is any of them
    between: tuple[str, ...] = ()  # environments that have to be among the two
    values: dict[str, Any] = field(default_factory=dict)  # what an environment must have

    def covers(self, difference: Difference, left: Snapshot, right: Snapshot) -> bool:
        """Whether this is the difference that is meant."""
        environments = (left.environment, right.environment)
        sides = dict(zip(environments, (difference.left, difference.right), strict=True))
        return (
            self.kind == difference.thing.kind
            and fnmatchcase(difference.thing.title, self.name)
            and self.property in (None, difference.trait or MISSING)
            and self._between(*environments)
            and all(
                name in sides and difference.value(sides[name]) == value
                for name, value in self.values.items()
            )
        )

    def _between(self, one: str, other: str) -> bool:
        """Whether these environments are meant; of one and the same nothing is."""
        return not self.between or (one != other and {*self.between} <= {one, other})


def load(file: Path | None) -> list[Expectation]:
    """Return the declared differences: the package's own, then those of the file. Read-only.

    Raises:
        ConfigurationError: the file cannot be read, or an entry lacks a kind, a name or a reason.
    """
    found = _parsed(OURS.read_text("utf-8"), "expected.toml")
    if file is not None:
        try:
            found += _parsed(file.read_text("utf-8"), str(file))
        except (OSError, UnicodeDecodeError) as failure:
            reason = failure.strerror if isinstance(failure, OSError) else "not UTF-8"
            raise _unreadable(str(file), reason) from None
    return found


def judge(
    difference: Difference, left: Snapshot, right: Snapshot, expected: Sequence[Expectation]
) -> tuple[Verdict, str | None]:
    """Return what a difference means, and the reason where it is meant to be."""
    for expectation in expected:
        if expectation.covers(difference, left, right):
            return "expected", expectation.reason
    return ("drift" if _unnoticed(difference) else "breaks"), None


def _unnoticed(difference: Difference) -> bool:
    thing, name = difference.thing, difference.trait
    if thing.kind == "setting":
        return thing.name in settings_by_effect()["plans"]
    if thing.kind == "index":  # a unique one refuses rows
        sides = (difference.left, difference.right)
        return not any(side.properties["unique"] for side in sides if side)
    if thing.kind == "schema" and name is None:  # the migrations make their own
        return True
    known = {(thing.kind, name), (ANY, name)} & UNNOTICED
    return thing.kind in UNNOTICED_KINDS or bool(known)


def _parsed(text: str, source: str) -> list[Expectation]:
    try:
        entries = tomllib.loads(text).get("expected", [])
        found = []
        for number, entry in enumerate(entries, 1):
            between = tuple(entry.pop("between", ()))
            expectation = Expectation(**entry, between=between)
            if not expectation.reason.strip():
                raise ValueError(f"entry {number} gives no reason")
            found.append(expectation)
    except (ValueError, TypeError, AttributeError) as failure:
        reason = str(failure).replace("Expectation.__init__() ", "an entry is ")
        raise _unreadable(source, reason) from None
    return found


def _unreadable(source: str, reason: str | None) -> ConfigurationError:
    return ConfigurationError(
        "expected-unreadable",
        f"{source} cannot be read as a list of expected differences",
        cause=reason,
        help="each [[expected]] has kind, name and reason, and may have property, between, values",
    )
