"""The status page as text: one HTML page that loads nothing and needs no script.

It never asks a database and never reads a file: it shows the view that it is given.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources

from jinja2 import Environment, StrictUndefined

from dhafnck_db import __version__
from dhafnck_db.history import Span
from dhafnck_db.legacy.legible import plural, visible


@dataclass(frozen=True)
class Row:
    """A check as anybody may see it: no host, no words of an error."""

    name: str
    status: str  # ok, warning or failed
    finding: str


@dataclass(frozen=True)
class Todo:
    """A finding of `advise`, without its SQL."""

    rule: str
    object: str
    finding: str


@dataclass(frozen=True)
class View:
    """What the page shows, every figure ready to be read."""

    status: str  # healthy, degraded or unhealthy
    database_type: str
    at: datetime
    checks: Sequence[Row]
    history: Sequence[Span]
    figures: Sequence[tuple[str, str]]
    """What it is and how much: pool, latency, size, revision, last backup, last drill."""
    findings: Sequence[Todo] | None  # None where nobody could look


def render(view: View) -> str:
    """Return the page; everything in it is escaped."""
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"plural": plural, "visible": visible}
    source = (resources.files(__package__) / "page.html.j2").read_text("utf-8")
    return environment.from_string(source).render(view=view, version=__version__)
