"""`dhafnck-db doctor`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dhafnck_db.cli.output import emit, format_option

if TYPE_CHECKING:
    from dhafnck_db.doctor.checks import Report

FOUND = 6


@click.command("doctor", short_help="Name what is wrong and what mends it; exit 6 on a finding.")
@click.option("--only", metavar="NAME", help="One check, with all that it needs.")
@format_option
@click.pass_context
def command(context: click.Context, only: str | None, format_: str) -> None:
    """Look for every known fault, from the env file to the indexes, and say what mends it.

    Read-only. What depends on something faulty is not examined, so that a fault gives one finding.
    Exit 0 without a finding, 6 with one.
    """
    from dhafnck_db.doctor import examine

    report = examine(only)

    def show() -> None:
        for found in report.findings:
            click.echo(f"{found.name}: {found.finding}")
            click.echo(f"  fix: {found.fix}")
            if found.confirm:
                click.echo(f"  confirm: {found.confirm}")
        for reason, names in _not_here(report).items():
            click.echo(f"not examined: {', '.join(names)} ({reason})")
        blocked = sum(one.blocked for one in report.checks)
        if blocked:
            click.echo(f"{blocked} more checks could not be examined because of that")
        click.echo(_counted(len(report.findings), len(report.names("ok"))))

    emit(report.to_dict(), format_, show)
    if report.findings:
        context.exit(FOUND)


def _not_here(report: Report) -> dict[str, list[str]]:
    """Return the checks that had nothing to look at, by their reason."""
    found: dict[str, list[str]] = {}
    for one in report.checks:
        if one.status == "not examined" and not one.blocked:
            found.setdefault(one.reason or "", []).append(one.name)
    return found


def _counted(findings: int, passed: int) -> str:
    said = "no finding" if not findings else f"{findings} finding" + "s" * (findings > 1)
    return f"{said}; {passed} checks passed"
