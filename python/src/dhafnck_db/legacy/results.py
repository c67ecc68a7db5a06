"""What became of a file, as values that go to JSON.

It never does any of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from dhafnck_db.legacy.comparison import Comparison
from dhafnck_db.legacy.plan import Plan


@dataclass(frozen=True)
class TableHashes:
    """What a table of the file, and what stands for it in a table of the target, hash to.

    Of `rows` rows `hashed` are in the two hashes, which were computed apart from each other; the
    others were compared one by one. A hash is None where that was done with all of them.
    """

    table: str
    to: str
    rows: int
    hashed: int
    file: str | None
    database: str | None


@dataclass(frozen=True)
class ImportResult:
    """What an import did. `verified` is None where nothing was compared."""

    plan: Plan
    changed: bool
    verified: bool | None
    seconds: dict[str, float] = field(default_factory=dict)
    kept: Path | None = None  # the copy of the file, where one was kept
    sent: Mapping[str, int] = field(default_factory=dict)  # bytes that COPY took, by table
    hashes: tuple[TableHashes, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values: the plan's, and what became of it."""
        plan = self.plan.to_dict()
        for table in plan["tables"]:
            if self.sent:
                table["bytes"] = self.sent.get(table["name"], 0)
        return {
            **plan,
            "changed": self.changed,
            "verified": self.verified,
            "seconds": self.seconds,
            "kept": self.kept and str(self.kept),
            "hashes": [asdict(hashes) for hashes in self.hashes],
        }


@dataclass(frozen=True)
class VerifyResult:
    """What a comparison found: every row of the file, and those the application changed since."""

    plan: Plan
    comparison: Comparison

    def to_dict(self) -> dict[str, Any]:
        """Return the result as JSON-ready values."""
        return {
            "changed": False,
            "source": self.plan.to_dict()["source"],
            "rows": self.comparison.rows,
            "updated": self.comparison.updated,
            "added": self.comparison.added,
        }
