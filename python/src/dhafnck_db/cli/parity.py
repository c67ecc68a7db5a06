"""`dhafnck-db parity`: two databases held against each other."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from dhafnck_db.cli.differences import DIFFERENT, expected_option, show_differences, show_sides
from dhafnck_db.cli.output import emit, format_option

if TYPE_CHECKING:
    from dhafnck_db.parity.examine import Side


@click.command(short_help="Compare two databases; exit 6 on an unexpected difference.")
@click.option("--from", "left", default="dev", show_default=True, help="How it should be.")
@click.option("--to", "right", default="prod", show_default=True, help="What is held against it.")
@expected_option
@click.option(
    "--report",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Also write the result as one HTML file.",
)
@format_option
@click.pass_context
def command(
    context: click.Context,
    left: str,
    right: str,
    expected: Path | None,
    report: Path | None,
    format_: str,
) -> None:
    """Compare servers, settings, roles and schemas of two databases. Read-only for both.

    Either side is an environment, which has its variables in .env.NAME, or the path of an env file,
    or of a snapshot that was kept. A difference breaks something (a query can fail or answer
    otherwise), is drift (no query notices), or is expected: declared with a reason. Each comes with
    what closes it, run on the side of --to. Exit 6 when anything but expected remains.
    """
    from dhafnck_db.parity import classify, examine, sides
    from dhafnck_db.parity import report as html

    declared = classify.load(expected)
    if report is not None:
        html.require_place(report)
    (one, one_kept), (other, other_kept) = sides.look(left), sides.look(right)
    findings = examine.examine(one, other, declared)
    pair: tuple[Side, Side] = (
        examine.side_of(one, recorded=one_kept),
        examine.side_of(other, recorded=other_kept),
    )
    result = {
        "changed": False,
        "clean": all(found.verdict == "expected" for found in findings),
        "from": pair[0].to_dict(),
        "to": pair[1].to_dict(),
        "counts": examine.counts(findings),
        "differences": [found.to_dict() for found in findings],
    }
    if report is not None:
        html.write_report(result, report)

    def show() -> None:
        show_sides(pair)
        show_differences(findings)

    emit(result, format_, show)
    if not result["clean"]:
        context.exit(DIFFERENT)
