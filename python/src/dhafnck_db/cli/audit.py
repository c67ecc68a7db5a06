"""`dhafnck-db audit …`: on which tables the audit trail is kept, and how long."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dhafnck_db.cli.consent import confirm_option
from dhafnck_db.cli.output import emit, format_option, table

if TYPE_CHECKING:
    from dhafnck_db.audit import Switched

UNITS = {"h": "hours", "d": "days", "w": "weeks"}
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")


def _age(_context: click.Context, _option: click.Parameter, value: str) -> timedelta:
    """Return the time span that a text such as 90d stands for."""
    found = re.fullmatch(r"(\d{1,5})([hdw])", value)
    if not found:
        raise click.BadParameter(f"{value!r} is no age such as 90d, 12w or 36h")
    return timedelta(**{UNITS[found[2]]: int(found[1])})


@click.group("audit", short_help="Record who changes what in which tables.")
def command() -> None:
    """Record who changes what in which tables, in dhafnck.audit."""


@command.command(short_help="Record the changes of these tables.")
@click.argument("tables", metavar="[TABLE]...", nargs=-1)
@click.option("--only", is_flag=True, help="And of no others; without a TABLE, of none.")
@confirm_option
@dry_run_option
@format_option
def enable(
    tables: tuple[str, ...], only: bool, confirm: str | None, dry_run: bool, format_: str
) -> None:
    """Record every change of these tables of the application, from now on.

    Each row that is written costs another one: `make bench-audit` measures it.
    """
    if not (tables or only):
        raise click.UsageError("name a TABLE, or --only for none at all")
    from dhafnck_db import audit
    from dhafnck_db.guard import Work
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    target = current_target()
    work = Work("audit enable", writes=not dry_run, confirm=confirm)
    with open_session(target, work) as connection:
        done = audit.enable(connection, target, tables, only=only, dry_run=dry_run)
    emit(done.to_dict(), format_, lambda: _show(done, dry_run))


@command.command(short_help="Record the changes of these tables no longer.")
@click.argument("tables", metavar="TABLE...", nargs=-1, required=True)
@confirm_option
@dry_run_option
@format_option
def disable(tables: tuple[str, ...], confirm: str | None, dry_run: bool, format_: str) -> None:
    """Record the changes of these tables no longer; what was recorded stays."""
    from dhafnck_db import audit
    from dhafnck_db.guard import Work
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    target = current_target()
    work = Work("audit disable", writes=not dry_run, confirm=confirm)
    with open_session(target, work) as connection:
        done = audit.disable(connection, target, tables, dry_run=dry_run)
    emit(done.to_dict(), format_, lambda: _show(done, dry_run))


@command.command(short_help="Show which tables are recorded.")
@format_option
def status(format_: str) -> None:
    """Show which tables of the application are recorded. Read-only."""
    from dhafnck_db import audit
    from dhafnck_db.target import connect_admin, current_target

    target = current_target()
    with connect_admin(target) as connection:
        found = audit.status(connection, target)
    rows = [(name, "on" if on else "off") for name, on in found.items()]
    result = {"changed": False, "tables": found}
    emit(result, format_, lambda: table(("table", "audit"), rows))


@command.command(short_help="Delete what the audit trail holds from long ago.")
@click.option("--older-than", callback=_age, required=True, help="90d, 12w or 36h.")
@confirm_option
@dry_run_option
@format_option
def prune(older_than: timedelta, confirm: str | None, dry_run: bool, format_: str) -> None:
    """Delete what the audit trail holds from before that long ago."""
    from dhafnck_db import audit
    from dhafnck_db.guard import Work
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    target = current_target()
    work = Work("audit prune", writes=not dry_run, confirm=confirm)
    with open_session(target, work) as connection:
        rows = audit.prune(connection, target, older_than, dry_run=dry_run)
    said = "would delete" if dry_run else "deleted"
    emit({"changed": rows > 0, "rows": rows}, format_, lambda: click.echo(f"{said} {rows} rows"))


def _show(done: Switched, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for name in done.enabled:
        click.echo(f"{name} {would}audited")
    for name in done.disabled:
        click.echo(f"{name} {would}audited no longer")
    if not (done.enabled or done.disabled):
        click.echo("nothing to change")
