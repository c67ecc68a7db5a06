"""The report that a person keeps: one HTML file that needs nothing else, not even a script.

It never reads the legacy file or the database: it shows the result that it is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from dhafnck_db import __version__, report_file
from dhafnck_db.legacy.charts import (
    bytes_by_destination,
    kind_of,
    phases,
    rejects_by_reason,
    rows_by_destination,
    segments,
)
from dhafnck_db.legacy.legible import about, count, plural, size, visible
from dhafnck_db.legacy.plan import OWNERLESS

Result = Mapping[str, Any]

MARK = "<!doctype html><!-- dhafnck-db: import report -->"  # how an earlier report is recognised
FEW = 20  # objects of one type; more are folded away until somebody asks for them
LISTED = 10_000  # entries of one list; a browser gets slow beyond


@dataclass(frozen=True)
class Verdict:
    """What became of the file: a tone for the eye, a headline and a sentence."""

    tone: str  # good, doubt, bad, plain
    headline: str
    sentence: str
    lines: tuple[str, ...] = ()  # what else there is to say


def require_place(file: Path) -> None:
    """Refuse a place that no report can be written to, before long work is done for it.

    Raises what `report_file.require_place` raises; above all the legacy file itself is refused.
    """
    report_file.require_place(file, MARK)


def write_report(result: Result, file: Path) -> None:
    """Write the report of `Plan.to_dict()` or `ImportResult.to_dict()`; replaces an earlier one.

    Only its owner may read it, because it shows values of the legacy file. Raises what
    `report_file.write` raises.
    """
    report_file.write(_parts(result), file, MARK)


def render(result: Result) -> str:
    """Return the report as text."""
    return "".join(_parts(result))


def _parts(result: Result) -> Iterator[str]:
    yield MARK + "\n"
    yield from _template().generate(_view(result))


def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"count": count, "plural": plural, "size": size, "visible": visible}
    return environment.from_string(
        (resources.files(__package__) / "report.html.j2").read_text("utf-8")
    )


def _view(result: Result) -> dict[str, Any]:
    """Return what the template needs, with every figure computed."""
    source, tables, totals = result["source"], result["tables"], result["totals"]
    seconds = result.get("seconds") or {}
    took = sum(seconds.values())
    quarantined = bool(totals["rejected"] and result.get("changed"))
    return {
        "result": result,
        "verdict": _verdict(result),
        "imported": "verified" in result,
        "proven": bool(result.get("verified")),
        "quarantined": quarantined,
        "name": Path(source["path"]).name,
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
        "version": __version__,
        "estimate": about(result["estimate"]["seconds"]) if "estimate" in result else None,
        "took": took,
        "rate": source["bytes"] / took if took else None,
        "fate": segments(
            [
                ("models", "into the models", totals["mapped"]),
                ("archive", "into schema legacy", totals["archived"]),
                ("rejected", "into quarantine" if quarantined else "rejected", totals["rejected"]),
            ]
        ),
        "rows_chart": rows_by_destination(
            tables, "legacy.rejects" if quarantined else "nowhere (rejected)"
        ),
        "bytes_chart": bytes_by_destination(tables),
        "phases": phases(seconds),
        "tables": [_table(table) for table in tables],
        "empty": sum(1 for table in tables if not table["rows"]),
        "listed": LISTED,
        "few": FEW,
        "reasons": rejects_by_reason(result["rejects"]),
        "unplaced_types": Counter(entry["type"] for entry in result["unplaced"]).most_common(),
    }


def _verdict(result: Result) -> Verdict:
    rows, rejected = result["totals"]["rows"], result["totals"]["rejected"]
    if "error" in result:
        return _refusal(result)
    if "verified" not in result:
        return _forecast(result)
    if not result["changed"]:
        return Verdict(
            "plain",
            "Imported before; nothing was changed",
            "The database already holds the import of exactly this file.",
        )
    if not result["verified"]:
        return Verdict("plain", "Dry run; nothing was written", _forecast(result).sentence)
    compared = (
        f"Every row of the file, {count(rows)} in all, was read back from the database and "
        "compared with the file value by value; only then was the import committed."
    )
    if rejected:
        return Verdict(
            "doubt",
            f"Imported and verified; {plural(rejected, 'row')} in quarantine",
            f"{compared} Rows that no table of the models takes stand whole in legacy.rejects.",
        )
    return Verdict("good", "Imported and verified", compared)


def _refusal(result: Result) -> Verdict:
    rejected, reason = result["totals"]["rejected"], result["reason"]
    if result["error"] == "rejects-found":
        return Verdict(
            "bad",
            "Refused; nothing was written",
            f"{plural(rejected, 'row')} of the file cannot be carried exactly. Correct the file, "
            "or import it with --quarantine.",
        )
    return Verdict(
        "bad",
        "Not imported; the database is as it was",
        f"{reason['message']} ({result['error']})",
        tuple(f"{part}: {reason[part]}" for part in ("cause", "help") if reason[part]),
    )


def _forecast(result: Result) -> Verdict:
    rows, rejected = result["totals"]["rows"], result["totals"]["rejected"]
    if rejected:
        return Verdict(
            "bad",
            f"Assessed; {plural(rejected, 'row')} would not go in",
            "An import of the file as it is would be refused. Correct the file, or import it with "
            "--quarantine, which keeps such rows whole in legacy.rejects.",
        )
    if any(entry["code"] == OWNERLESS for entry in result["warnings"]):
        return Verdict(
            "doubt",
            "Assessed; an import needs an owner",
            "Every value has a place, but some rows do not say whose they are: name the user_id "
            "that they shall belong to with --owner.",
        )
    return Verdict(
        "good",
        "Assessed; everything would go in",
        f"{plural(rows, 'row')}, and every value of them has a place.",
    )


def _table(table: Mapping[str, Any]) -> dict[str, Any]:
    schema = table["to"].partition(".")[0]
    archive = table["archive"] and f"legacy.{table['archive']['table']}"
    return {
        **table,
        "kind": kind_of(table["to"]),
        "archived_beside": archive if schema != "legacy" else None,
        "columns": [
            {
                **column,
                "kind": kind_of(column["to"]),
                "histogram": segments([(kind, kind, n) for kind, n in column["types"].items()]),
            }
            for column in table["columns"]
        ],
        "derived": [{**made, "rule": _rule(made)} for made in table["derived"]],
    }


def _rule(made: Mapping[str, Any]) -> str:
    sources = ", ".join(made["sources"])
    if made["kind"] == "id":
        return f"a UUID made from {sources}, the same each time"
    if made["parent"]:
        return f"the owner of the row of {made['parent']} that {sources} names, else --owner"
    return "--owner"
