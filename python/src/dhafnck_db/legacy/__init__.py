"""Bring a legacy SQLite file into PostgreSQL without losing a value, and prove it.

It never changes the file, and never overwrites or deletes a row of the target.
"""

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from dhafnck_db.legacy.run import (
        ImportResult,
        Plan,
        Progress,
        RejectsFoundError,
        VerifyResult,
        assess,
        import_file,
        verify_file,
    )


def __getattr__(name: str) -> Any:
    # Resolved on first use: the process that helps with the reading needs none of them.
    if name in __all__:
        from dhafnck_db.legacy import run

        return getattr(run, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
