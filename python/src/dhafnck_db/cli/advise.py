"""`dhafnck-db advise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dhafnck_db.cli.output import emit, format_option

if TYPE_CHECKING:
    from dhafnck_db.advice import Advice


@click.command("advise", short_help="Say what to do about indexes, keys, grants, bloat and more.")
@click.option(
    "--before",
    type=click.Path(path_type=Path),
    help="Earlier `stats --format json`: say what got slower since.",
)
@format_option
def command(before: Path | None, format_: str) -> None:
    """Look for what is missing, superfluous, open or near its end in the project's own schemas.

    Each finding has the SQL that confirms it, and the statement that mends it, to be read before
    it is run: nothing is changed here. What mends a table of the models belongs into a revision.
    Which statements got slower it says by figures that were kept with --before.
    """
    from dhafnck_db import metadata, stats
    from dhafnck_db.advice import advise, slower
    from dhafnck_db.target import connect_admin, current_target

    earlier = stats.load(before) if before else None
    target = current_target()
    with connect_admin(target) as connection:
        schemas = metadata.own_schemas(target.settings.db_metadata, connection)
        connection.rollback()
        advice = advise(connection, schemas)
        if earlier:
            advice = slower.since(earlier, stats.read(connection), advice)
    emit(advice.to_dict(), format_, lambda: _show(advice))


def _show(advice: Advice) -> None:
    from dhafnck_db.advice import RULES

    for found in advice.findings:
        click.echo(f"{found.rule}: {found.object}\n  {found.finding}")
        click.echo(f"  confirm: {found.confirm}\n  mend:    {found.mend or 'by no statement'}\n")
    for left in advice.unchecked:
        click.echo(f"not looked at: {left.rule} ({left.reason})")
    asked = len(RULES) - len(advice.unchecked)
    number = len(advice.findings)
    click.echo(f"{number or 'no'} finding{'' if number == 1 else 's'} by {asked} rules")
