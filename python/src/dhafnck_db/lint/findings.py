"""What the lint of a revision finds, and the waivers that silence it.

It never decides what is dangerous.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from dhafnck_db import waivers
from dhafnck_db.offline import Step


@dataclass(frozen=True)
class Finding:
    """A hazard of one revision."""

    revision: str
    file: Path
    line: int
    rule: str
    message: str
    help: str  # what to do
    statement: str | None = None
    waived: str | None = None  # the reason, where the revision gives one

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def judge(step: Step, found: Iterable[Finding]) -> Iterator[Finding]:
    """Yield the findings of a revision with the reasons of its waivers, and what these lack.

    A revision waives a rule with a constant of its file: `waivers = {"rule": "reason"}`. One that
    silences nothing, or gives no reason, is a finding itself, and that one cannot be waived.
    """
    findings = list(found)
    given = getattr(step.module, waivers.NAME, {})
    line = waivers.line(step.file.read_bytes())

    def wrong(rule: str, message: str, help: str) -> Finding:
        return Finding(step.revision, step.file, line, rule, message, help)

    if not isinstance(given, dict):
        yield wrong(
            "waiver-without-reason",
            f"{waivers.NAME} is no dictionary",
            f'write {waivers.NAME} = {{"rule": "reason"}}',
        )
        given = {}
    reasons = {
        rule: reason.strip()
        for rule, reason in given.items()
        if isinstance(reason, str) and reason.strip()
    }
    for finding in findings:
        reason = reasons.get(finding.rule)
        yield Finding(**{**vars(finding), "waived": reason})
    for rule in given:
        if rule not in reasons:
            yield wrong(
                "waiver-without-reason",
                f"the waiver of {rule} gives no reason",
                "say in a sentence why it is safe here",
            )
        elif all(finding.rule != rule for finding in findings):
            yield wrong(
                "waiver-unused",
                f"the waiver of {rule} silences nothing",
                "remove it, so that it silences nothing later",
            )
