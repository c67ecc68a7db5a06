"""Differences in text: what is not the same, what that means, and what closes it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dhafnck_db.cli.output import table
from dhafnck_db.legacy.legible import plural, visible

if TYPE_CHECKING:
    from dhafnck_db.parity.examine import Finding, Side

Command = TypeVar("Command", bound=Any)
DIFFERENT = 6
STYLES = {"breaks": "red", "drift": "yellow", "expected": "green"}
LONGEST = 160  # characters of a value; JSON and the report have all


def expected_option(function: Command) -> Command:
    """Add --expected FILE to a command."""
    decorated: Command = click.option(
        "--expected",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="A TOML file of differences that are meant to be, beside the package's own.",
    )(function)
    return decorated


def show_sides(pair: Sequence[Side]) -> None:
    """Print what was compared."""
    rows = [
        (name, side.environment, side.server or "", side.revision or "none",
         f"{'recorded' if side.recorded else 'seen'} {side.made_at}")
        for name, side in zip(("from", "to"), pair, strict=True)
    ]  # fmt: skip
    table(("", "environment", "server", "revision", "when"), rows)


def show_differences(findings: Sequence[Finding]) -> None:
    """Print the differences, the worst first, and how many there are of each class."""
    from dhafnck_db.parity.examine import counts

    for found in findings:
        what = f" {found.property}" if found.property else ""
        click.echo()
        click.echo(
            click.style(found.verdict, fg=STYLES[found.verdict], bold=True)
            + f"  {found.kind} {visible(found.name)}{what}: "
            f"{_short(found.left)} -> {_short(found.right)}"
        )
        if found.reason:
            click.echo(f"  because {visible(found.reason)}")
        for line in (found.close or "").splitlines():
            click.echo(f"  {visible(line)}")
    click.echo()
    if not findings:
        click.echo("no difference")
        return
    said = ", ".join(f"{number} {verdict}" for verdict, number in counts(findings).items())
    click.echo(f"{plural(len(findings), 'difference')}: {said}")


def _short(text: str) -> str:
    line = visible(" ".join(text.split()))
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"
