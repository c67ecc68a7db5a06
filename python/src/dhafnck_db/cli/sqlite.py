"""`dhafnck-db sqlite …`: a legacy SQLite file, assessed, imported and verified."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from dhafnck_db.cli.consent import confirm_option
from dhafnck_db.cli.output import emit, format_option
from dhafnck_db.errors import ToolkitError, UnreportedError, UsageError

REJECTED = 4  # as a refused import: some rows are not where the others went
Progress = Callable[[str, int, int, int], None]

file_argument = click.argument("file", type=click.Path(path_type=Path))
owner_option = click.option(
    "--owner",
    callback=lambda _context, _option, value: _require_some(value),
    help="user_id of the rows whose owner the file does not tell.",
)
report_option = click.option(
    "--report",
    type=click.Path(path_type=Path),
    metavar="FILE.html",
    help="Write the report into one HTML file; replaces an earlier one.",
)


@click.group("sqlite", short_help="Bring a legacy SQLite file across without losing a value.")
def command() -> None:
    """Bring a legacy SQLite file across without losing a value."""


@command.command(short_help="Say what would go where. Read-only.")
@file_argument
@owner_option
@click.option("--columns", is_flag=True, help="Say for each column where and how it goes (text).")
@report_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
    help="json prints exactly one object on stdout, html the report.",
)
def assess(file: Path, owner: str | None, columns: bool, report: Path | None, format_: str) -> None:
    """Say where every table and column of FILE would go, and every row that would not go in.

    Read-only; connects to nothing.
    """
    from dhafnck_db import legacy
    from dhafnck_db.cli.plan import show_plan
    from dhafnck_db.legacy.estimate import estimate_seconds

    _require_place(report)
    with _progress() as progress:
        plan = legacy.assess(file, owner=owner, progress=progress)
    estimate = {"seconds": estimate_seconds(plan)}
    result = {"changed": False, **plan.to_dict(), "estimate": estimate}
    if format_ == "html":
        _print_report(result)
    else:
        emit(result, format_, lambda: show_plan(result, columns=columns))
    _write_report(result, report, format_)


@command.command("import", short_help="Assess, load, verify, commit.")
@file_argument
@owner_option
@click.option("--quarantine", is_flag=True, help="Put rejected rows into legacy.rejects.")
@click.option(
    "--keep",
    "folder",
    type=click.Path(path_type=Path),
    default=".local/backups",
    show_default=True,
    help="Folder for a copy of FILE.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
@confirm_option
@report_option
@format_option
@click.pass_context
def import_(
    context: click.Context,
    file: Path,
    owner: str | None,
    quarantine: bool,
    folder: Path,
    dry_run: bool,
    confirm: str | None,
    report: Path | None,
    format_: str,
) -> None:
    """Load FILE into the database in one transaction, and compare it with the file before COMMIT.

    First a copy is kept as FOLDER/NAME-HASH.db, with a file for `sha256sum -c` beside it.
    A value that cannot be carried exactly stops the run before anything is written (exit 4), with
    the list. With --quarantine its row goes whole to legacy.rejects, and the exit code stays 4.
    """
    from dhafnck_db.legacy.blueprint import read_blueprint

    _require_place(report)
    models = read_blueprint()  # before anything big is loaded

    from dhafnck_db import applied, legacy
    from dhafnck_db.cli.plan import show_list, show_plan
    from dhafnck_db.guard import Work
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    def rows() -> str:
        # Assessed once more by the import itself: on production a person sees the numbers first.
        with _progress() as progress:
            totals = legacy.assess(file, owner=owner, progress=progress).to_dict()["totals"]
        return (
            f"{totals['mapped'] + totals['archived']:,} to write, {totals['rejected']:,} rejected"
        )

    target = current_target()
    work = Work(
        "sqlite import",
        writes=not dry_run,
        confirm=confirm,
        facts=lambda _: {"file": str(file), "rows": rows()},
    )
    try:
        # COPY of a big table is one statement, so no limit on a statement's time.
        with (
            open_session(target, work, statement_timeout="0") as connection,
            _progress() as progress,
        ):
            if not dry_run:
                applied.require_head(connection, target)
            result = legacy.import_file(
                connection,
                file,
                models=models,
                owner=owner,
                quarantine=quarantine,
                dry_run=dry_run,
                keep=folder,
                progress=progress,
            ).to_dict()
    except ToolkitError as refusal:
        if refusal.result is None:
            raise
        refused = refusal.result
        if isinstance(refusal, legacy.RejectsFoundError):
            emit(refused, format_, lambda: show_list("reject", refused["rejects"]))
        try:
            _write_report(refused, report, format_)
        except UsageError as failure:
            click.echo(str(failure), err=True)  # why the file was refused is said last
        raise

    def show() -> None:
        show_plan(result)
        if result["kept"]:
            click.echo(f"a copy of the file is kept as {result['kept']}")
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
    try:
        _write_report(result, report, format_)
    except UsageError as failure:
        if dry_run or not result["changed"]:
            raise
        unreported = UnreportedError(
            "report-unwritten",
            f"the import is committed and verified; only its report {report} could not be written",
            cause=failure.cause or failure.message,
            help="run the same command again: it changes nothing and writes a report",
        )
        if not result["totals"]["rejected"]:
            raise unreported from None
        click.echo(str(unreported), err=True)  # that rows were rejected is what the exit code says
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


def _require_some(owner: str | None) -> str | None:
    if owner is not None and not owner.strip():
        raise click.BadParameter("a user_id is not empty")
    return owner


def _require_place(report: Path | None) -> None:
    if report is not None:
        from dhafnck_db.legacy.report import require_place

        require_place(report)


def _write_report(result: dict[str, Any], report: Path | None, format_: str) -> None:
    if report is not None:
        from dhafnck_db.legacy.report import write_report

        write_report(result, report)
        if format_ == "text":
            click.echo(f"report    {report}")


def _print_report(result: dict[str, Any]) -> None:
    from dhafnck_db.legacy.report import render

    # As bytes: what the report says of itself, UTF-8, does not follow the terminal's encoding.
    click.echo(render(result).encode("utf-8", "backslashreplace"), nl=False)


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
    from dhafnck_db.cli.progress import bars

    with bars() as shown:
        yield shown
