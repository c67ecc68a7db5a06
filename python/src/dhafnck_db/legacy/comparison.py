"""What a verification found.

It never compares anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from dhafnck_db.errors import VerificationError

LISTED = 100  # differences named; all are counted


@dataclass(frozen=True)
class Difference:
    """A value, or a whole row where `column` is None, that is not what the file holds."""

    table: str
    key: str
    column: str | None
    reason: str

    def __str__(self) -> str:
        return f"{self.table}[{self.key}]{'.' + self.column if self.column else ''} {self.reason}"


@dataclass
class Comparison:
    """The rows of the file that were compared, and what was not as it should be."""

    rows: int = 0
    updated: int = 0  # rows that the application changed since the import
    added: int = 0  # rows that the application added since the import
    count: int = 0
    differences: list[Difference] = field(default_factory=list)

    def add(self, table: str, key: str, column: str | None, reason: str) -> None:
        """Count a difference, and list it while the list is short."""
        self.count += 1
        if len(self.differences) < LISTED:
            self.differences.append(Difference(table, key, column, reason))

    def require_equal(self) -> None:
        """Raise VerificationError, naming the first differences, where there is one."""
        if self.count:
            first = "; ".join(map(str, self.differences[:5]))
            more = f"; and {self.count - 5} more" if self.count > 5 else ""
            raise VerificationError(
                "verification-failed",
                f"{self.count} values or rows are not what the file holds",
                cause=first + more,
                help="look at the rows named; what an import had not committed is rolled back",
            )
