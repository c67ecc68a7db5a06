"""`dhafnck-db schema plan`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import click

from dhafnck_db.cli.output import emit, format_option, table

if TYPE_CHECKING:
    from dhafnck_db.forecast import Forecast, Held, Outlook
    from dhafnck_db.settings import DatabaseType

SHOWN = 500  # characters of a statement; JSON has all
ENVIRONMENTS: dict[str, DatabaseType] = {"dev": "postgresql", "prod": "supabase"}
DOES = {
    "catalog": "changes the catalog alone",
    "scan": "reads the whole table",
    "build": "reads the whole table and writes an index",
    "rewrite": "writes the whole table anew, at worst",
    "rows": "takes as long as it has rows",
    "unknown": "is code that cannot be read: what it locks and takes is unknown",
}


@click.command("plan", short_help="Show the SQL, locks and time of the pending revisions.")
@click.argument("revision", default="head")
@click.option(
    "--env",
    type=click.Choice(list(ENVIRONMENTS)),
    help="The environment, if not that of DATABASE_TYPE.",
)
@format_option
def command(revision: str, env: str | None, format_: str) -> None:
    """Show what an upgrade to REVISION (head by default) would execute; nothing is applied.

    Each statement with the locks that it takes, on which tables with how many rows, and an
    estimate. Locks are as PostgreSQL documents them; rows are the planner's estimate. Read-only.
    """
    from dhafnck_db import forecast, schema
    from dhafnck_db.settings import load_settings
    from dhafnck_db.target import connect_admin, resolve

    settings = load_settings(database_type=ENVIRONMENTS[env] if env else None)
    target = resolve(settings)
    with connect_admin(target) as connection:
        found = forecast.read(connection, schema.alembic_config(settings), settings, revision)
    result = {
        **found.to_dict(),
        "environment": target.environment,
        "database": str(target.admin),
        "way": target.route.reason,
    }
    emit(result, format_, lambda: _show(found, str(target.admin)))


def _show(found: Forecast, database: str) -> None:
    if not found.pending:
        click.echo(f"{database} is at {found.before or 'base'}; nothing is pending")
        return
    for step in found.pending:
        click.echo(f"{step.revision} ({step.file.name})")
        for statement in step.statements:
            _show_statement(statement)
        if step.fault:
            click.echo(f"  the rest cannot be shown without a database: {step.fault}")
    click.echo()
    if found.held:
        rows = [(lock.table, lock.mode, lock.blocks, _rows(lock)) for lock in found.held]
        table(("locked until the end", "lock", "blocks", "rows"), rows)
    else:
        click.echo("no table that is there now is locked")
    known = found.to_dict()["estimate"]
    untold = f", and {found.untold} of unknown time" if found.untold else ""
    click.echo(f"estimate: about {found.seconds:.1f} s{untold}; {known['basis']}")
    click.echo(f"nothing was applied to {database}")


def _show_statement(statement: Outlook) -> None:
    sql = textwrap.shorten(statement.sql, SHOWN, placeholder=" ...")
    outside = "" if statement.in_transaction else " (outside the transaction)"
    click.echo(f"  {statement.line}: {sql}{outside}")
    for lock in statement.locks:
        click.echo(f"      {lock.mode} on {lock.table} ({_rows(lock)} rows) blocks {lock.blocks}")
    if statement.work != "catalog":
        about = "" if statement.seconds is None else f", about {statement.seconds:.1f} s"
        click.echo(f"      {DOES[statement.work]}{about}")


def _rows(lock: Held) -> str:
    return "unknown" if lock.rows is None else f"about {lock.rows:,}"
