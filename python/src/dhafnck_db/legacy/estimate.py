"""How long an import of a file takes, from what imports of big files took.

It measures nothing itself, so that an assessment answers without a database.
"""

from __future__ import annotations

from dhafnck_db.legacy.plan import Plan

# A file of 1,315 MB with 2.8 million rows, on 2 cores with PostgreSQL 15 on the same machine:
# 20 s to load, 17 s to verify, and about a third of the load to assess; 30 MB a second together.
# Taken lower, because a longer estimate disappoints nobody.
BYTES_A_SECOND = 25_000_000
LEAST = 1.0  # seconds; connecting and locking take their time for an empty file too


def estimate_seconds(plan: Plan) -> float:
    """Return about how many seconds it takes to assess, load and verify the plan's file."""
    return round(max(LEAST, plan.source.bytes / BYTES_A_SECOND), 1)
