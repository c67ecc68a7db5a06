"""`dhafnck-db schema drift`: models, migrations and database held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dhafnck_db.cli.differences import DIFFERENT, expected_option, show_differences
from dhafnck_db.cli.output import emit, format_option

if TYPE_CHECKING:
    from dhafnck_db.parity.drift import Drift


@click.command(short_help="Find what was changed by hand; exit 6 on a difference.")
@expected_option
@format_option
@click.pass_context
def drift(context: click.Context, expected: Path | None, format_: str) -> None:
    """Compare the database with what its migrations make, and those with the models. Read-only.

    The migrations are applied in a server of their own, started for that and removed: it needs
    PostgreSQL's server programs on this machine. Revisions that the database lacks are named, and
    are no difference. Exit 6 when anything but expected remains.
    """
    from dhafnck_db.parity import classify
    from dhafnck_db.parity import drift as three
    from dhafnck_db.target import connect_admin, current_target

    declared = classify.load(expected)
    target = current_target()
    with connect_admin(target) as connection:
        found = three.look(connection, target, declared)
    emit(found.to_dict(), format_, lambda: _show(found))
    if not found.clean:
        context.exit(DIFFERENT)


def _show(found: Drift) -> None:
    click.echo(f"at revision {found.revision or 'none'}")
    if found.pending:
        click.echo(f"pending, and no drift: {', '.join(found.pending)}")
    if found.made_in != found.server:
        click.echo(
            f"the migrations were applied in PostgreSQL {found.made_in}, as this machine has no "
            f"{found.server}: a text may be spelled otherwise there"
        )
    for difference in found.models:
        click.echo(f"models and migrations: {difference}")
    show_differences(found.findings)
