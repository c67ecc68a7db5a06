"""`dhafnck-db schema lint`."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dhafnck_db.cli.output import emit, format_option

if TYPE_CHECKING:
    from dhafnck_db.lint import Report

FOUND = 6
SHOWN = 200  # characters of a statement; JSON has all


@click.command("lint", short_help="Find what is dangerous in revisions; exit 6 on a finding.")
@click.argument("revisions", metavar="[REV:REV]", default=":")
@format_option
@click.pass_context
def command(context: click.Context, revisions: str, format_: str) -> None:
    """Find what revisions would do that is dangerous to a database in use.

    REV:REV are the revisions after the first up to the second, REV is one of them, and without
    either it is all. Squawk examines their SQL, and rules of this project what it cannot know.
    Read-only; connects to nothing. Exit 6 on a finding. A revision silences a rule, with a
    reason, by a constant of its file: waivers = {"rule": "reason"}.
    """
    from dhafnck_db import lint, offline, schema
    from dhafnck_db.settings import load_settings

    settings = load_settings(connecting=False)
    config = schema.alembic_config(settings)
    report = lint.examine(offline.between(config, revisions), config, settings)
    emit(report.to_dict(), format_, lambda: _show(report))
    if report.findings:
        context.exit(FOUND)


def _show(report: Report) -> None:
    here = Path.cwd()
    for finding in report.findings:
        path = finding.file.relative_to(here) if finding.file.is_relative_to(here) else finding.file
        click.echo(f"{path}:{finding.line}: {finding.rule}: {finding.message}")
        if finding.statement:
            click.echo(f"  {textwrap.shorten(finding.statement, SHOWN, placeholder=' ...')}")
        click.echo(f"  help: {finding.help}")
    if report.findings:
        click.echo('safe all the same: waivers = {"rule": "the reason"} in the revision file')
    found = f"{len(report.findings) or 'no'} finding" + "s" * (len(report.findings) > 1)
    waived = f", {len(report.waived)} waived" if report.waived else ""
    count = len(report.revisions)
    click.echo(f"{found} in {count} revision" + "s" * (count != 1) + waived)
