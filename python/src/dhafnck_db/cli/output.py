"""How results are shown: one JSON object for programs, text for people, rich on a terminal only."""

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

Command = TypeVar("Command", bound=Callable[..., Any])
STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


def format_option(function: Command) -> Command:
    """Add --format text|json to a command."""
    return click.option(
        "--format",
        "format_",
        type=click.Choice(["text", "json"]),
        default="text",
        show_default=True,
        help="json prints exactly one object on stdout.",
    )(function)


def emit(result: dict[str, Any], format_: str, show: Callable[[], None]) -> None:
    """Print a result: as JSON, or by calling `show`."""
    if format_ == "json":
        click.echo(json.dumps(result, ensure_ascii=False, default=str))
    else:
        show()


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a table; drawn by rich on a terminal, as aligned columns elsewhere."""
    cells = [[str(cell) for cell in row] for row in rows]
    if sys.stdout.isatty():
        _drawn(head, cells)
        return
    widths = [max(len(row[i]) for row in [head, *cells]) for i in range(len(head))]
    for row in [head, *cells]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip())


def _drawn(head: Sequence[str], cells: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*head, box=box.SIMPLE_HEAD, pad_edge=False)
    for row in cells:
        # Folded, because a name that ends in dots names nothing.
        drawn.add_row(*(Text(cell, style=STYLES.get(cell, ""), overflow="fold") for cell in row))
    Console().print(drawn)
