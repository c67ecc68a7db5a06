"""`dhafnck-db schema rehearse`: revisions tried on a copy, with the time and the locks of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from dhafnck_db.cli.output import emit, format_option, table

if TYPE_CHECKING:
    from dhafnck_db.rehearsal import Lock, Rehearsal

DIFFERENT = 6
MANY = 4  # locks of one line


@click.command("rehearse", short_help="Try revisions on a copy; exit 6 when it does not go well.")
@click.option(
    "--last",
    type=click.IntRange(min=1),
    help="How many of the newest revisions, instead of those that are pending.",
)
@click.option("--schema-only", is_flag=True, help="Take no backup: a copy without rows.")
@format_option
@click.pass_context
def rehearse(context: click.Context, last: int | None, schema_only: bool, format_: str) -> None:
    """Try the pending revisions on a copy: up, down again and up again. The target is only read.

    The copy is the newest backup of this database, restored into a server of its own, else the
    schema without rows. Where nothing is pending, the newest revision is tried. Says how long each
    step took and which locks it held on tables that others use; exit 6 when a step fails, leaves
    something, or rows changed that no step was to touch.
    """
    from dhafnck_db import rehearsal
    from dhafnck_db.target import current_target

    target = current_target()
    done = rehearsal.run(target, last, schema_only=schema_only)
    emit(done.to_dict(), format_, lambda: _show(done))
    if done.differences:
        context.exit(DIFFERENT)


def _show(done: Rehearsal) -> None:
    why = "pending" if done.pending else f"applied before; at {done.at or 'base'}"
    click.echo(f"revisions  {', '.join(done.revisions)} ({why})")
    click.echo(f"copy       {done.source}, in PostgreSQL {done.major}")
    rows = [
        (step.revision, step.way, f"{step.seconds:.3f}", _locks(step.locks)) for step in done.steps
    ]
    table(("revision", "way", "seconds", "locks on tables that were there"), rows)
    click.echo(f"{done.untouched} tables that no step locked for writing hold the same rows")
    for name in done.lost:
        click.echo(f"note: going down does not bring back the rows of {name}")
    for difference in done.differences:
        click.echo(f"different: {difference}")


def _locks(locks: list[Lock]) -> str:
    said = [f"{lock.mode.removesuffix('Lock')} {lock.table}{_rows(lock.rows)}" for lock in locks]
    more = f" and {len(said) - MANY} more" if len(said) > MANY else ""
    return ", ".join(said[:MANY]) + more or "none"


def _rows(rows: float | None) -> str:
    return "" if rows is None else f" ({rows:,.0f} rows)"
