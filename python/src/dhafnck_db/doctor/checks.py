"""Named checks that build on each other: what one finds, and what is then not examined.

It never repairs anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

from sqlalchemy.exc import DBAPIError

from dhafnck_db.doctor.context import Context
from dhafnck_db.errors import ToolkitError, UsageError

Status = Literal["ok", "found", "not examined"]


@dataclass(frozen=True)
class Finding:
    """A fault, what mends it, and what shows it to somebody who does not believe it."""

    name: str  # the check's
    finding: str
    fix: str
    confirm: str | None = None  # a command or a statement; it changes nothing


class NotHere(Exception):
    """What a check looks at is not there to be looked at, which is no fault."""


# Returns each fault as (finding, fix) or (finding, fix, confirm); raises NotHere where the question
# has no meaning.
Look = Callable[[Context], Iterable[tuple[str, ...]]]


@dataclass(frozen=True)
class Check:
    """One question about the system, asked only where all that it needs found nothing."""

    name: str
    look: Look
    needs: str | None = None  # the check before it


@dataclass(frozen=True)
class Outcome:
    """What became of one check."""

    name: str
    status: Status
    reason: str | None = None  # of what was not examined
    blocked: bool = False  # by a fault that came before


@dataclass(frozen=True)
class Report:
    """All that was found, and what was asked for it."""

    target: str | None
    findings: list[Finding]
    checks: list[Outcome]

    def to_dict(self) -> dict[str, Any]:
        checks = [{k: v for k, v in asdict(one).items() if k != "blocked"} for one in self.checks]
        findings = [asdict(one) for one in self.findings]
        return {"changed": False, "target": self.target, "findings": findings, "checks": checks}

    def names(self, status: Status) -> list[str]:
        """Return the checks that ended so, in their order."""
        return [one.name for one in self.checks if one.status == status]


def run(checks: tuple[Check, ...], context: Context) -> Report:
    """Ask the checks in their order. Read-only."""
    outcomes: dict[str, Outcome] = {}
    findings: list[Finding] = []
    for check in checks:
        before = outcomes.get(check.needs or "")
        if before is not None and (before.status == "found" or before.blocked):
            reason = before.reason if before.blocked else f"{before.name} has to be mended first"
            outcomes[check.name] = Outcome(check.name, "not examined", reason, blocked=True)
            continue
        try:
            found = [Finding(check.name, *fault) for fault in check.look(context)]
        except NotHere as reason:
            outcomes[check.name] = Outcome(check.name, "not examined", str(reason))
            continue
        except DBAPIError as failure:
            found = [Finding(check.name, *_unanswered(failure))]
        findings += found
        outcomes[check.name] = Outcome(check.name, "found" if found else "ok")
    return Report(context.described, findings, list(outcomes.values()))


def up_to(checks: tuple[Check, ...], name: str) -> tuple[Check, ...]:
    """Return the check of that name with all that it needs.

    Raises:
        UsageError: there is no such check.
    """
    by_name = {check.name: check for check in checks}
    if name not in by_name:
        raise UsageError(
            "check-unknown",
            f"the doctor has no check {name}",
            help=f"one of: {', '.join(by_name)}",
        )
    wanted = set(_chain(by_name, name))
    return tuple(check for check in checks if check.name in wanted)


def said(fault: ToolkitError) -> tuple[str, str]:
    """Return an error as a finding with its fix."""
    finding = f"{fault.message} ({fault.cause})" if fault.cause else fault.message
    return finding, fault.help or "see docs/errors.md"


def failing(
    fault: Callable[[Context], ToolkitError | None],
    is_it: Callable[[ToolkitError], bool],
    confirm: str | None = None,
) -> Look:
    """Return the question whether a step, tried once for many checks, failed in one certain way.

    Args:
        fault: how the step failed, or None.
        is_it: whether that failure is the one that the question is about.
        confirm: what shows the fault.
    """

    def look(context: Context) -> Iterator[tuple[str, ...]]:
        failed = fault(context)
        if failed is not None and is_it(failed):
            yield (*said(failed), confirm) if confirm else said(failed)

    return look


def chain(looks: dict[str, Look], after: str | None = None) -> tuple[Check, ...]:
    """Return checks of which each needs the one before it, and the first the one named `after`."""
    needs = [after, *looks]
    return tuple(
        Check(name, look, before)
        for (name, look), before in zip(looks.items(), needs, strict=False)
    )


def coded(*codes: str) -> Callable[[ToolkitError], bool]:
    """Return whether an error has one of these codes, as a function."""
    return lambda fault: fault.code in codes


def _unanswered(failure: DBAPIError) -> tuple[str, str]:
    first = (str(failure.orig).strip().splitlines() or ["it does not say why"])[0]
    return (
        f"the database refused or gave up what this check asked: {first}",
        "`dhafnck-db health` measures it; then run the doctor again",
    )


def _chain(by_name: dict[str, Check], name: str | None) -> Iterator[str]:
    while name is not None:
        yield name
        name = by_name[name].needs
