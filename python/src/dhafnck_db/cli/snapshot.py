"""`dhafnck-db snapshot`: what there is to compare of a database, as a document to keep."""

from __future__ import annotations

import click


@click.command(short_help="Print what parity compares, as a document to keep.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json"]),
    default="json",
    show_default=True,
    help="json is the document that parity takes; text counts what is in it.",
)
def command(format_: str) -> None:
    """Print what there is to compare of the database: server, settings, roles, schemas. Read-only.

    For a machine that must not hold production's login: `dhafnck-db snapshot > parity/prod.json`
    where it may be read, `dhafnck-db parity --to parity/prod.json` elsewhere. It holds no row and
    no secret.
    """
    from collections import Counter

    from dhafnck_db.cli.output import table
    from dhafnck_db.parity.sides import look_at
    from dhafnck_db.target import current_target

    found = look_at(current_target())
    if format_ == "json":
        click.echo(found.to_json())
        return
    kinds = Counter(thing.kind for thing in found.things.values())
    click.echo(f"{found.environment}, {found.made_at}")
    table(("what", "number"), sorted(kinds.items()))
