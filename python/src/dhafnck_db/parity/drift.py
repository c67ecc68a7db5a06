"""Models, migrations and database held against each other, to find what was changed by hand.

Read-only for the database; what the migrations make is made in a scratch server.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from dhafnck_db import identity, revision, schema
from dhafnck_db.parity import built
from dhafnck_db.parity.classify import Expectation
from dhafnck_db.parity.examine import Finding, counts, examine
from dhafnck_db.parity.observe import CATALOG, observe
from dhafnck_db.target import Target


@dataclass(frozen=True)
class Drift:
    """How the three differ."""

    revision: str | None  # of the database
    pending: list[str]  # revisions that it lacks; no drift
    models: list[str]  # how the newest revision differs from the models
    findings: list[Finding]  # how the database differs from what its revision makes
    made_in: int  # the major version of the server that the migrations were applied in
    server: int  # and that of the database

    @property
    def clean(self) -> bool:
        """Whether nothing but what is expected differs."""
        return not self.models and all(found.verdict == "expected" for found in self.findings)

    def to_dict(self) -> dict[str, Any]:
        return {
            "changed": False,
            "clean": self.clean,
            "revision": self.revision,
            "pending": self.pending,
            "models": self.models,
            "counts": counts(self.findings),
            "differences": [found.to_dict() for found in self.findings],
            "made_in": self.made_in,
            "server": self.server,
        }


def look(connection: Connection, target: Target, expected: Sequence[Expectation]) -> Drift:
    """Return how models, migrations and database differ. Read-only for the target.

    Args:
        connection: to the target, in no transaction.
        target: the database concerned.
        expected: the differences that are meant to be.

    Raises what `built.make`, `identity.require` and `schema.plan` raise.
    """
    identity.require(connection, target)
    connection.rollback()
    at = revision.current(connection, target.settings.db_version_table)
    connection.rollback()
    pending = schema.plan(connection, target, "upgrade", "head").revisions
    connection.rollback()
    made = built.make(connection, target, at)
    found = observe(connection, target.settings, target.environment, CATALOG)
    findings = examine(made.snapshot, found, expected)
    return Drift(at, pending, made.models, findings, made.snapshot.major, found.major)
