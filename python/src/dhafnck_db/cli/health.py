"""`dhafnck-db health`."""

import click

from dhafnck_db.cli.output import emit, format_option, table

UNHEALTHY = 6


@click.command("health", short_help="Measure the database; exit 6 when it is unhealthy.")
@format_option
@click.pass_context
def command(context: click.Context, format_: str) -> None:
    """Measure the database and report each check with its finding.

    Read-only. Exit 0 when healthy or degraded, 6 when unhealthy.
    """
    from dhafnck_db.health import examine
    from dhafnck_db.target import current_target

    report = examine(current_target())

    def show() -> None:
        table(
            ("check", "status", "finding", "ms"),
            [(c.name, c.status, c.finding, f"{c.milliseconds:.1f}") for c in report.checks],
        )
        click.echo(f"{report.target} is {report.status}")

    emit(report.to_dict(), format_, show)
    if report.status == "unhealthy":
        context.exit(UNHEALTHY)
