"""`dhafnck-db sqlite …`: a legacy SQLite file, assessed, imported and verified."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from dhafnck_db.cli.output import emit, format_option, table

REJECTED = 4  # as a refused import: some rows are not where the others went
SHOWN = 20  # rejects and warnings listed in text; JSON has all
Progress = Callable[[str, int, int], None]

file_argument = click.argument("file", type=click.Path(path_type=Path))
owner_option = click.option(
    "--owner", help="user_id of the rows whose owner the file does not tell."
)


@click.group("sqlite", short_help="Bring a legacy SQLite file across without losing a value.")
def command() -> None:
    """Bring a legacy SQLite file across without losing a value."""


@command.command(short_help="Say what would go where. Read-only.")
@file_argument
@owner_option
@format_option
def assess(file: Path, owner: str | None, format_: str) -> None:
    """Say where every table and column of FILE would go, and every row that would not go in.

    Read-only; connects to nothing.
    """
    from dhafnck_db import legacy

    result = {"changed": False, **legacy.assess(file, owner=owner).to_dict()}
    emit(result, format_, lambda: _show_plan(result))


@command.command("import", short_help="Assess, load, verify, commit.")
@file_argument
@owner_option
@click.option("--quarantine", is_flag=True, help="Put rejected rows into legacy.rejects.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@format_option
@click.pass_context
def import_(
    context: click.Context,
    file: Path,
    owner: str | None,
    quarantine: bool,
    dry_run: bool,
    format_: str,
) -> None:
    """Load FILE into the database in one transaction, and compare it with the file before COMMIT.

    A value that cannot be carried exactly stops the run before anything is written (exit 4), with
    the list. With --quarantine its row goes whole to legacy.rejects, and the exit code stays 4.
    """
    from dhafnck_db import legacy, schema
    from dhafnck_db.target import current_target

    target = current_target()
    # COPY of a big table is one statement, so no limit on a statement's time.
    with schema.session(target, statement_timeout="0") as connection, _progress() as progress:
        if not dry_run:
            schema.require_head(connection, target)
        result = legacy.import_file(
            connection, file, owner=owner, quarantine=quarantine, dry_run=dry_run, progress=progress
        ).to_dict()

    def show() -> None:
        _show_plan(result)
        if dry_run:
            click.echo("nothing was written (dry run)")
        elif not result["changed"]:
            click.echo("this file is already in the database; nothing was changed")
        else:
            seconds = ", ".join(
                f"{phase} {took:.1f} s" for phase, took in result["seconds"].items()
            )
            click.echo(f"imported and verified ({seconds})")

    emit(result, format_, show)
    if result["totals"]["rejected"]:
        context.exit(REJECTED)


@command.command(short_help="Compare the database with the file.")
@file_argument
@format_option
def verify(file: Path, format_: str) -> None:
    """Compare every value of FILE with what the database holds now. Read-only.

    Exit 6 on a difference. A row that the application has updated since is counted, not reported.
    """
    from dhafnck_db import identity, legacy
    from dhafnck_db.target import connect_admin, current_target

    target = current_target()
    with connect_admin(target) as connection:
        identity.require(connection, target)
        connection.commit()
        result = legacy.verify_file(connection, file).to_dict()
    emit(result, format_, lambda: _show_verified(result))


@command.command(short_help="Write a small legacy file to try the import with.")
@file_argument
@format_option
def sample(file: Path, format_: str) -> None:
    """Write a small legacy file, made by code, to FILE; refuses to replace one."""
    from dhafnck_db.legacy.sample import write_sample

    write_sample(file)
    result = {"changed": True, "path": str(file)}
    emit(result, format_, lambda: click.echo(f"wrote {file}; try `make dev SQLITE={file}`"))


def _show_plan(result: dict[str, Any]) -> None:
    source, totals = result["source"], result["totals"]
    filled = [t for t in result["tables"] if t["rows"]]
    table(("table", "rows", "to"), [(t["name"], t["rows"], t["to"]) for t in filled])
    empty = len(result["tables"]) - len(filled)
    click.echo(
        f"{source['path']} (generation {source['generation']}): {totals['rows']} rows; "
        f"{totals['mapped']} mapped, {totals['archived']} archived, {totals['rejected']} rejected; "
        f"{empty} empty tables; {len(result['unplaced'])} objects without a place"
    )
    for kind in ("warnings", "rejects"):
        for entry in result[kind][:SHOWN]:
            row = f"[{entry['key']}]" if entry["key"] is not None else ""
            where = f"{entry['table']}{row}.{entry['column']}"
            click.echo(f"{kind.removesuffix('s')}: {where}: {entry['reason']} ({entry['code']})")
        if len(result[kind]) > SHOWN:
            click.echo(f"… and {len(result[kind]) - SHOWN} more {kind}; --format json lists all")


def _show_verified(result: dict[str, Any]) -> None:
    click.echo(
        f"every value of {result['source']['path']} is in the database: {result['rows']} rows "
        f"compared, {result['updated']} of them updated by the application since"
    )


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show a bar for each table on stderr, on a terminal only."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
        bars: dict[str, Any] = {}

        def report(name: str, done: int, total: int) -> None:
            if name not in bars:
                bars[name] = shown.add_task(name, total=total)
            shown.update(bars[name], completed=done, total=total)

        yield report
