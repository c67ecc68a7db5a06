"""`dhafnck-db schema …`: Alembic over the configured target, under its lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dhafnck_db.cli import forecast, lint
from dhafnck_db.cli.consent import confirm_option
from dhafnck_db.cli.drift import drift
from dhafnck_db.cli.output import emit, format_option, table
from dhafnck_db.cli.rehearse import rehearse

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dhafnck_db.guard import Work
    from dhafnck_db.revision import Move, Verb
    from dhafnck_db.target import Target

DIFFERENT = 6
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")


@click.group("schema", short_help="Move the schema with Alembic, and compare it with the models.")
def command() -> None:
    """Move the schema with Alembic, and compare it with the models."""


command.add_command(lint.command)
command.add_command(forecast.command)
command.add_command(drift)
command.add_command(rehearse)


@command.command(short_help="Apply the pending revisions.")
@click.argument("revision", default="head")
@dry_run_option
@confirm_option
@format_option
def upgrade(revision: str, dry_run: bool, confirm: str | None, format_: str) -> None:
    """Apply the pending revisions up to REVISION (head by default), in one transaction.

    Runs under a lock: of several upgrades started at once, one applies and the others wait. A
    table that others are using is waited for within bounds, again and again (DB_LOCK_TIMEOUT,
    DB_LOCK_RETRIES). What a revision does CONCURRENTLY is outside the transaction; a run that broke
    off there goes on when it is run again.
    """
    from dhafnck_db import applied
    from dhafnck_db.revision import Move
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    target = current_target()
    work = _work(target, "upgrade", revision, dry_run=dry_run, confirm=confirm)
    with open_session(target, work) as connection:
        with connection.begin():
            at_head = applied.head(connection, target.settings)
        if revision == "head" and at_head is not None:
            move = Move(False, at_head, at_head, [])
        else:  # only now, since Alembic takes as long to load as all of the above
            from dhafnck_db import schema

            move = schema.upgrade(connection, target, revision, dry_run=dry_run)
    result = {**move.to_dict(), "way": target.route.reason}
    emit(result, format_, lambda: _show_move(move, "upgrade", dry_run))


@command.command(short_help="Undo revisions.")
@click.argument("revision")
@dry_run_option
@confirm_option
@format_option
def downgrade(revision: str, dry_run: bool, confirm: str | None, format_: str) -> None:
    """Undo revisions down to REVISION ("base" for all), in one transaction.

    Dropped tables and columns lose their data.
    """
    from dhafnck_db import schema
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    target = current_target()
    work = _work(target, "downgrade", revision, dry_run=dry_run, confirm=confirm)
    with open_session(target, work) as connection:
        move = schema.downgrade(connection, target, revision, dry_run=dry_run)
    result = {**move.to_dict(), "way": target.route.reason}
    emit(result, format_, lambda: _show_move(move, "downgrade", dry_run))


@command.command(short_help="Show the database's revision.")
@format_option
def current(format_: str) -> None:
    """Show the revision of the database and the newest one. Read-only."""
    from dhafnck_db import schema
    from dhafnck_db.revision import current as current_revision
    from dhafnck_db.target import connect_admin, current_target

    target = current_target()
    with connect_admin(target) as connection:
        found = current_revision(connection, target.settings.db_version_table)
    newest = schema.head(target.settings)
    result = {"changed": False, "revision": found, "head": newest, "at_head": found == newest}
    said = "head" if found == newest else f"head is {newest}"
    emit(result, format_, lambda: click.echo(f"{found or 'none'} ({said})"))


@command.command(short_help="Compare the database with the models; exit 6 on a difference.")
@format_option
@click.pass_context
def check(context: click.Context, format_: str) -> None:
    """Compare the database with head and with the models. Read-only. Exit 6 on a difference."""
    from dhafnck_db import schema
    from dhafnck_db.revision import current as current_revision
    from dhafnck_db.target import connect_admin, current_target

    target = current_target()
    with connect_admin(target) as connection:
        found = current_revision(connection, target.settings.db_version_table)
        differences = schema.differences(connection, target.settings)
    newest = schema.head(target.settings)
    at_head = found == newest

    def show() -> None:
        if not at_head:
            click.echo(f"at revision {found or 'none'}, head is {newest}")
        for difference in differences:
            click.echo(difference)
        if at_head and not differences:
            click.echo(f"at head ({newest}), and as the models say")

    result = {"changed": False, "at_head": at_head, "differences": differences}
    emit(result, format_, show)
    if differences or not at_head:
        context.exit(DIFFERENT)


@command.command(short_help="Write a new revision file.")
@click.option("-m", "--message", required=True, help="What the revision does, in a few words.")
@click.option(
    "--autogenerate/--empty",
    default=True,
    show_default=True,
    help="From the difference between models and database, or an empty file.",
)
@click.option(
    "--rename",
    "given",
    multiple=True,
    metavar="TABLE.OLD=NEW",
    help="A column that is only called otherwise; for each one.",
)
@click.option("--no-renames", is_flag=True, help="Nothing is only called otherwise.")
@format_option
def revision(
    message: str, autogenerate: bool, given: tuple[str, ...], no_renames: bool, format_: str
) -> None:
    """Write a new revision file, formatted; without a difference none. Changes no database.

    New tables get row level security, grants, and the policies that their columns speak for. A
    column that goes while one like it comes may be a rename: that is asked at a terminal.
    """
    if given and no_renames:
        raise click.UsageError("--rename and --no-renames exclude each other")
    from dhafnck_db import renames, schema
    from dhafnck_db.guard import Work
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    renamed = renames.parse(given) if given or no_renames else None
    target = current_target()
    with open_session(target, Work("schema revision", writes=False)) as connection:
        path = schema.revision(
            connection, target, message, autogenerate=autogenerate, renamed=renamed
        )

    def show() -> None:
        if path is None:
            click.echo("the database is as the models say; nothing was written")
        else:
            click.echo(f"wrote {path}; read it before you apply it")

    emit({"changed": path is not None, "path": path and str(path)}, format_, show)


@command.command(short_help="List the revisions, newest first.")
@format_option
def history(format_: str) -> None:
    """List the revisions, newest first. Connects to nothing."""
    from dhafnck_db import schema
    from dhafnck_db.settings import load_settings

    steps = schema.history(load_settings(connecting=False))

    def show() -> None:
        rows = [(s["revision"], s["down_revision"] or "", s["doc"]) for s in steps]
        table(("revision", "after", "what"), rows)

    emit({"changed": False, "revisions": steps}, format_, show)


def _work(target: Target, verb: Verb, revision: str, *, dry_run: bool, confirm: str | None) -> Work:
    from dhafnck_db.guard import Facts, Work

    def facts(connection: Connection) -> Facts:
        from dhafnck_db import schema

        return schema.plan(connection, target, verb, revision).facts(verb)

    destructive = verb == "downgrade"
    return Work(f"schema {verb}", not dry_run, destructive, confirm, facts)


def _show_move(move: Move, verb: str, dry_run: bool) -> None:
    if not move.changed:
        click.echo(f"at {move.after or 'base'}; nothing to {verb}")
        return
    steps = ", ".join(move.revisions)
    said = f"would {verb}" if dry_run else f"{verb}d"
    click.echo(f"{said} {move.before or 'base'} -> {move.after or 'base'} ({steps})")
