"""What is wrong with this system, and what mends it: named checks in an order of dependence.

It never writes, neither to the database nor to a file.
"""

from __future__ import annotations

from dhafnck_db.doctor import checks, connection, files, pool, schema, server
from dhafnck_db.doctor.checks import Report
from dhafnck_db.doctor.context import Context

CHECKS = (*files.CHECKS, *server.CHECKS, *connection.CHECKS, *schema.CHECKS, *pool.CHECKS)


def examine(only: str | None = None) -> Report:
    """Ask every check, or one with all that it needs. Read-only; nothing raises for a fault.

    Args:
        only: the name of a check.

    Raises:
        UsageError: there is no check of that name.
    """
    wanted = checks.up_to(CHECKS, only) if only else CHECKS
    with Context() as context:
        return checks.run(wanted, context)
