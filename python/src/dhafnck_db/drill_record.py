"""How the last drill of a folder's backups ended, as it stands beside them."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULT = "drill.json"


@dataclass(frozen=True)
class Drill:
    """How a drill ended."""

    at: str  # ISO 8601, UTC
    backup: str
    ok: bool
    seconds: float  # from the first step to a database that answers
    tables: int
    rows: int
    finding: str
    checks: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def last(folder: Path) -> Drill | None:
    """Return how the last drill of a folder's backups ended; None where none was. Read-only."""
    try:
        return Drill(**json.loads((folder / RESULT).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def write(drill: Drill, folder: Path) -> None:
    """Write how a drill ended (mode 0600), in one rename."""
    partial = folder / f"{RESULT}.new"
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(drill.to_dict(), file, indent=2)
        file.write("\n")
    partial.rename(folder / RESULT)
