"""Lint of revisions: hazards of what they would do to a database that is in use.

It reads the revision files and connects to nothing; a production upgrade that it finds something in
is refused.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from alembic.config import Config
from alembic.script import Script

from dhafnck_db import ddl, metadata, offline
from dhafnck_db.errors import GuardError
from dhafnck_db.lint import rules, squawk
from dhafnck_db.lint.findings import Finding, judge
from dhafnck_db.settings import Settings

SHOWN = 3  # findings of one refusal


@dataclass(frozen=True)
class Report:
    """The revisions that were examined, oldest first, and what was found in them."""

    revisions: list[str]
    findings: list[Finding]
    waived: list[Finding]

    def to_dict(self) -> dict[str, Any]:
        return {
            "changed": False,
            "revisions": self.revisions,
            "findings": [finding.to_dict() for finding in self.findings],
            "waived": [finding.to_dict() for finding in self.waived],
        }


def examine(steps: Sequence[Script], config: Config, settings: Settings) -> Report:
    """Return what is dangerous in revisions. Read-only; nothing is connected.

    Args:
        steps: the revisions, oldest first.
        config: Alembic's configuration.
        settings: name the models.

    Raises:
        ConfigurationError: squawk is missing, or the models cannot be loaded.
    """
    read = offline.read(steps, config, settings)
    tables = _tables(settings)
    by_squawk = squawk.examine(read)
    found: list[Finding] = []
    for number, step in enumerate(read):
        of_step = [
            *(finding for finding in by_squawk if finding.revision == step.revision),
            *rules.readable(step),
            *rules.closed(step),
            *rules.reversible(step),
            *rules.still_used(step, read[number + 1 :], tables),
        ]
        of_step.sort(key=lambda finding: (finding.line, finding.rule))
        found += judge(step, of_step)
    return Report(
        [step.revision for step in read],
        [finding for finding in found if finding.waived is None],
        [finding for finding in found if finding.waived is not None],
    )


def require_clean(steps: Sequence[Script], config: Config, settings: Settings) -> None:
    """Refuse to upgrade production by revisions with findings that nobody waived. Read-only.

    Raises:
        GuardError: there are such findings.
        ConfigurationError: squawk is missing, or the models cannot be loaded.
    """
    findings = examine(steps, config, settings).findings
    if findings:
        named = "; ".join(
            f"{one.file.name}:{one.line} {one.rule}: {one.message}" for one in findings[:SHOWN]
        )
        more = f"; and {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
        of = ", ".join(sorted({finding.revision for finding in findings}))
        raise GuardError(
            "hazards",
            f"what revision {of} would do to production is dangerous; nothing was changed",
            cause=named + more,
            help="`dhafnck-db schema lint` says what to do; what is safe all the same gets a "
            "waiver with its reason in the revision file",
        )


def _tables(settings: Settings) -> dict[str, Collection[str]]:
    return {
        f"{table.schema or ddl.DEFAULT_SCHEMA}.{table.name}": set(table.columns.keys())
        for part in metadata.load(settings.db_metadata)
        for table in part.tables.values()
    }
