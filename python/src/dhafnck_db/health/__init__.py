"""What a database is like now: named checks, each with a finding that was measured.

For the command line (`examine`), and for a service that is asked again and again (`router`).
"""

from typing import TYPE_CHECKING, Any

from dhafnck_db.health.checks import CHECKS, judged_audit_log
from dhafnck_db.health.findings import Check, Finding, Report
from dhafnck_db.health.measure import examine

if TYPE_CHECKING:
    from dhafnck_db.health.routes import router

__all__ = ["CHECKS", "Check", "Finding", "Report", "examine", "judged_audit_log", "router"]


def __getattr__(name: str) -> Any:
    # Resolved on first use, so that `dhafnck-db health` does not pay for FastAPI.
    if name == "router":
        from dhafnck_db.health.routes import router

        return router
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
