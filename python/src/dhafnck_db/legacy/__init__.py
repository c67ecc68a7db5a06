"""Bring a legacy SQLite file into PostgreSQL without losing a value, and prove it.

It never changes the file, and never overwrites or deletes a row of the target.
"""

from dhafnck_db.legacy.plan import Plan, RejectsFoundError
from dhafnck_db.legacy.run import (
    ImportResult,
    Progress,
    VerifyResult,
    assess,
    import_file,
    verify_file,
)

__all__ = [
    "ImportResult",
    "Plan",
    "Progress",
    "RejectsFoundError",
    "VerifyResult",
    "assess",
    "import_file",
    "verify_file",
]
