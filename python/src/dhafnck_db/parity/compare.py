"""What one snapshot has otherwise than another.

It never connects, and it does not judge: `classify` says what a difference means.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dhafnck_db.parity.deparsed import settled
from dhafnck_db.parity.snapshot import Key, Snapshot, Thing

ORDER = "column order"
RIGHTS = ("grant", "default privilege")
NEW_IN_17 = "MAINTAIN"  # a privilege that the owner of a table then has too


@dataclass(frozen=True)
class Difference:
    """One property that is not the same, or a thing that one side lacks."""

    left: Thing | None  # None where that side has no such thing
    right: Thing | None
    trait: str | None  # the property; None where the thing itself is missing on one side

    @property
    def thing(self) -> Thing:
        """The thing concerned, as a side has it."""
        found = self.left or self.right
        if found is None:
            raise AssertionError("a difference has a side")
        return found

    def value(self, thing: Thing | None) -> Any:
        """Return what a side has of the property; None where it has no such thing."""
        return thing.properties.get(self.trait) if thing and self.trait else None


def compare(left: Snapshot, right: Snapshot) -> list[Difference]:
    """Return the differences, sorted.

    What belongs to a thing that one side lacks goes with that thing, as a sequence goes with its
    column, and an owner's rights with the owner. Between two major versions, what only the newer
    one knows is no difference of its own.
    """
    gone = {key for key in left.things.keys() ^ right.things.keys() if key[0] != "column"}
    names = {name for _, _, name in gone}
    owners = _owners(left, right)
    found = []
    for key in sorted(left.things.keys() | right.things.keys()):
        one, other = _thing(left, key), _thing(right, key)
        if key[1] in names or (key[1], key[2].rpartition(" TO ")[2]) in owners:
            continue
        if one and other:
            for name in _unlike(one, other, left.major != right.major):
                found.append(Difference(one, other, name))
        elif not (key[0] == "setting" and left.major != right.major) and not (
            key[0] == "sequence" and _column_is_another(key, left, right)
        ):
            found.append(Difference(one, other, None))
    return found


def _thing(snapshot: Snapshot, key: Key) -> Thing | None:
    """Return a thing; whoever is granted nothing has no privileges, which is one too."""
    found = snapshot.things.get(key)
    if found is None and key[0] in RIGHTS:
        return Thing(*key, {"privileges": [], "grantable": []})
    return found


def _owners(left: Snapshot, right: Snapshot) -> set[tuple[str, str]]:
    """Return what has another owner, with each of its two owners."""
    return {
        (key[2], str(side.things[key].properties["owner"]))
        for key in left.things.keys() & right.things.keys()
        if left.things[key].properties.get("owner") != right.things[key].properties.get("owner")
        for side in (left, right)
    }


def _unlike(one: Thing, other: Thing, other_major: bool) -> Iterator[str]:
    """Yield the names of the properties that are not the same."""
    for name in sorted(one.properties.keys() | other.properties.keys()):
        a, b = (settled(thing.kind, thing.properties.get(name)) for thing in (one, other))
        if name == ORDER:
            # A column that one side lacks is a difference of its own.
            a, b = [column for column in a if column in b], [column for column in b if column in a]
        elif other_major and one.kind == "grant":
            a, b = (sorted({*privileges} - {NEW_IN_17}) for privileges in (a, b))
        elif other_major and name == "minor":
            continue
        if a != b and not name.startswith("_"):
            yield name


def _column_is_another(key: Key, left: Snapshot, right: Snapshot) -> bool:
    """Whether a sequence is there on one side alone because its column is, or is an identity."""
    sequence = left.things.get(key) or right.things[key]
    owned = sequence.properties["owned by"]
    kinds = [
        [thing.properties["identity"] for thing in side.things.values()
         if thing.kind == "column" and thing.title == owned]
        for side in (left, right)
    ]  # fmt: skip
    return kinds[0] != kinds[1]
