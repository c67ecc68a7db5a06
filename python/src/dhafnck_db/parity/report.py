"""The comparison as one HTML file that needs nothing else, not even a script.

It never reads a database: it shows the result that it is given.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from dhafnck_db import __version__, report_file
from dhafnck_db.legacy.legible import plural, visible

MARK = "<!doctype html><!-- dhafnck-db: parity report -->"  # how an earlier report is recognised
MEANING = {
    "breaks": "A query can fail or answer otherwise.",
    "drift": "No query notices, but somebody changed it.",
    "expected": "Declared, with a reason.",
}


def require_place(file: Path) -> None:
    """Refuse a place that no report can be written to. Raises as `report_file.require_place`."""
    report_file.require_place(file, MARK)


def write_report(result: Mapping[str, Any], file: Path) -> None:
    """Write the report of what `parity` prints as JSON. Raises as `report_file.write`."""
    report_file.write([render(result)], file, MARK)


def render(result: Mapping[str, Any]) -> str:
    """Return the report as text; everything in it is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"plural": plural, "visible": visible}
    source = (resources.files(__package__) / "report.html.j2").read_text("utf-8")
    page = environment.from_string(source).render(
        result=result, meaning=MEANING, version=__version__, verdict=_verdict(result)
    )
    return f"{MARK}\n{page}"


def _verdict(result: Mapping[str, Any]) -> tuple[str, str]:
    """Return a tone for the eye and a headline."""
    found = result["counts"]
    if found["breaks"]:
        return "bad", f"{plural(found['breaks'], 'difference')} can break a query"
    if found["drift"]:
        return "doubt", f"{plural(found['drift'], 'difference')} that no query notices"
    if found["expected"]:
        return "good", "Nothing but expected differences"
    return "good", "No difference"
