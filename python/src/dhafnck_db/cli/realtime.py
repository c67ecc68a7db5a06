"""`dhafnck-db realtime …`: the tables that Supabase Realtime streams."""

import click

from dhafnck_db.cli.consent import confirm_option
from dhafnck_db.cli.output import emit, format_option


@click.group("realtime", short_help="Say which tables Supabase Realtime streams.")
def command() -> None:
    """Say which tables Supabase Realtime streams."""


@command.command(short_help="Let publication supabase_realtime hold these tables.")
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@confirm_option
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@format_option
def publish(tables: tuple[str, ...], confirm: str | None, dry_run: bool, format_: str) -> None:
    """Let publication supabase_realtime hold these tables of the application, and no others of it.

    The tables are the whole list: one that is not named is taken out, and none empties the
    publication. Tables of other schemas are left alone.
    """
    from dhafnck_db import realtime
    from dhafnck_db.guard import Work
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    target = current_target()
    work = Work("realtime publish", writes=not dry_run, confirm=confirm)
    with open_session(target, work) as connection:
        result = realtime.publish(connection, target, tables, dry_run=dry_run)

    def show() -> None:
        would = "would be " if dry_run else ""
        if result.created:
            click.echo(f"publication {realtime.PUBLICATION} {would}created")
        for said, changed in (("added", result.added), ("removed", result.removed)):
            for table in changed:
                click.echo(f"{table} {would}{said}")
        if not result.changed:
            click.echo(f"published: {', '.join(result.tables) or 'none'}; nothing to change")
        if result.elsewhere:
            click.echo(f"left alone: {', '.join(result.elsewhere)}")
        if result.wal_level != "logical":
            click.echo(f"nothing is streamed: wal_level is {result.wal_level}, not logical")

    emit(result.to_dict(), format_, show)
