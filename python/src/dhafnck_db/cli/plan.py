"""A plan in text: where everything goes, what does not go in, and what is worth a look."""

from __future__ import annotations

import shutil
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import click

from dhafnck_db.cli.output import table
from dhafnck_db.legacy.legible import about, count, plural, size, visible

SHOWN = 20  # entries of one list; JSON and the report have all

Result = Mapping[str, Any]


def show_plan(result: Result, *, columns: bool = False) -> None:
    """Print a plan: its tables, or every column of them, and the facts about the file."""
    if columns:
        for entry in result["tables"]:
            _show_columns(entry)
    else:
        _show_tables(result["tables"])
    _show_facts(result)
    show_list("warning", result["warnings"])
    show_list("reject", result["rejects"])


def show_list(kind: str, entries: Sequence[Result]) -> None:
    """Print warnings or rejects, a line each, and how many there are of each reason."""
    for entry in entries[:SHOWN]:
        row = "" if entry["key"] is None else f"[{entry['key']}]"
        column = "" if entry["column"] is None else f".{entry['column']}"
        value = "" if entry["value"] is None else f" = {entry['value']}"
        line = f"{entry['table']}{row}{column}{value}: {entry['reason']} ({entry['code']})"
        _say(f"{kind}: {visible(line)}")
    if len(entries) > SHOWN:
        codes = Counter(entry["code"] for entry in entries).most_common()
        by_code = ", ".join(f"{code} {count(number)}" for code, number in codes)
        _say(
            f"{plural(len(entries), kind)} in all ({by_code}); --format json and --report list all"
        )


def _show_tables(tables: Sequence[Result]) -> None:
    filled = [entry for entry in tables if entry["rows"]]
    rejects = any(entry["rejects"] for entry in filled)
    head = ("table", "rows", "rejected", "to") if rejects else ("table", "rows", "to")
    rows = []
    for entry in filled:
        name, to = visible(entry["name"]), visible(entry["to"])
        rejected = (count(entry["rejects"]),) if rejects else ()
        rows.append((name, count(entry["rows"]), *rejected, to))
    if rows:
        table(head, rows)


def _show_columns(entry: Result) -> None:
    rejected = f", {count(entry['rejects'])} rejected" if entry["rejects"] else ""
    click.secho(
        f"{visible(entry['name'])}: {plural(entry['rows'], 'row')}{rejected}, "
        f"to {visible(entry['to'])}",
        bold=True,
    )
    rows = []
    for column in entry["columns"]:
        to = (column["to"] or "-").removeprefix(f"{entry['to']}.")
        fold = column.get("fold")
        folded = f", folded into {fold.removeprefix(entry['to'] + '.')}" if fold else ""
        stored = ", ".join(f"{count(number)} {kind}" for kind, number in column["types"].items())
        rows.append((column["name"], to + folded, column["convert"] or "-", stored or "-"))
    rows += [("(not in the file)", made["column"], made["kind"], "-") for made in entry["derived"]]
    table(("column", "to", "conversion", "stored"), [tuple(map(visible, row)) for row in rows])
    click.echo()


def _show_facts(result: Result) -> None:
    source, totals, tables = result["source"], result["totals"], result["tables"]
    empty = sum(1 for entry in tables if not entry["rows"])
    facts = {
        "file": f"{visible(source['path'])}, {size(source['bytes'])}, "
        f"generation {visible(source['generation'])}",
        "rows": f"{count(totals['rows'])}: {count(totals['mapped'])} into the models, "
        f"{count(totals['archived'])} into schema legacy, {count(totals['rejected'])} rejected",
        "tables": f"{count(len(tables))}, {count(empty)} of them empty",
    }
    if result["unplaced"]:
        types = Counter(entry["type"] for entry in result["unplaced"]).most_common()
        named = ", ".join(f"{count(number)} {visible(kind)}" for kind, number in types)
        facts["no place"] = f"{plural(len(result['unplaced']), 'object')}: {named}"
    if "estimate" in result:
        facts["estimate"] = f"{about(result['estimate']['seconds'])} to assess, load and verify"
    for name, fact in facts.items():
        _say(f"{name:9} {fact}", indent=10)


def _say(line: str, *, indent: int = 4) -> None:
    """Print a line; on a terminal broken between words, and the rest of it set in."""
    if sys.stdout.isatty():
        width = shutil.get_terminal_size().columns
        line = click.wrap_text(line, width, subsequent_indent=" " * indent)
    click.echo(line)
