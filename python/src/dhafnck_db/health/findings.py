"""What a check found, and the report of all of them: for who may know all, and for anybody."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

Status = Literal["ok", "warning", "failed"]


class Finding(NamedTuple):
    """What one check found."""

    status: Status
    finding: str
    public: str | None = None  # for anybody, where the finding names a host or quotes a server


@dataclass(frozen=True)
class Check:
    """A finished check."""

    name: str
    found: Finding
    milliseconds: float

    @property
    def status(self) -> Status:
        return self.found.status

    @property
    def finding(self) -> str:
        return self.found.finding

    def to_dict(self, finding: str | None = None) -> dict[str, Any]:
        return {
            "name": self.name,
            "status": self.status,
            "finding": finding or self.finding,
            "milliseconds": self.milliseconds,
        }


@dataclass(frozen=True)
class Report:
    """All checks of one database at one moment."""

    database_type: str
    target: str
    checks: list[Check]

    @property
    def status(self) -> Literal["healthy", "degraded", "unhealthy"]:
        """unhealthy when a check failed, degraded when one warns."""
        found = {check.status for check in self.checks}
        if "failed" in found:
            return "unhealthy"
        return "degraded" if "warning" in found else "healthy"

    def only(self, names: Iterable[str]) -> Report:
        """Return the report of some checks; one that was not reached has failed."""
        made = {check.name: check for check in self.checks}
        not_reached = Finding("failed", "not measured: a check before it had no answer")
        found = [made.get(name) or Check(name, not_reached, 0.0) for name in names]
        return Report(self.database_type, self.target, found)

    def to_dict(self) -> dict[str, Any]:
        return {
            "changed": False,
            "status": self.status,
            "database_type": self.database_type,
            "target": self.target,
            "checks": [check.to_dict() for check in self.checks],
        }

    def to_public(self) -> dict[str, Any]:
        """Return what anybody may read: no host, no name of a database, no words of an error."""
        return {
            "status": self.status,
            "database_type": self.database_type,
            "checks": [check.to_dict(check.found.public) for check in self.checks],
        }
