"""How long an import of a file takes, from what imports of big files took.

It measures nothing itself, so that an assessment answers without a database.
"""

from __future__ import annotations

from dhafnck_db.legacy.plan import Plan

# `make bench-import SIZE=big`: 1,383 MB with 2.8 million rows take 125 s on 2 cores, PostgreSQL 15
# on the same machine: 11 MB a second. Taken lower, because a longer estimate disappoints nobody.
BYTES_A_SECOND = 10_000_000
LEAST = 1.0  # seconds; connecting and locking take their time for an empty file too


def estimate_seconds(plan: Plan) -> float:
    """Return about how many seconds it takes to assess, load and verify the plan's file."""
    return round(max(LEAST, plan.source.bytes / BYTES_A_SECOND), 1)
