"""The dashboard and the alert rules ask for metrics that there are."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

import pytest
import yaml
from conftest import ROOT
from fix_service import Serve
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError

from dhafnck_db.metrics import instrument

RULES = ROOT / "monitoring" / "alerts.yml"
DASHBOARD = ROOT / "monitoring" / "grafana.json"


def expressions() -> Iterator[tuple[str, str]]:
    """Each expression of both files with the name of what asks it."""
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        yield from ((rule["alert"], rule["expr"]) for rule in group["rules"])
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        yield from ((panel["title"], target["expr"]) for target in panel["targets"])


def test_only_metrics_that_there_are_are_asked_for(shared: URL, serve: Serve) -> None:
    registry = CollectorRegistry()
    engine = create_engine(shared)
    instrument(engine, registry=registry)
    with engine.connect() as connection, pytest.raises(DBAPIError):
        connection.execute(text("SELECT 1/0"))
    exposed = serve(shared).get("/metrics").text + generate_latest(registry).decode()
    engine.dispose()
    there = {
        sample.name
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    } | {"dhafnck_db_replication_lag_seconds"}  # not where a role may not see it
    for asked, expression in expressions():
        names = set(re.findall(r"dhafnck_\w+", expression))
        assert names, asked
        assert names <= there, asked


def test_panels_lie_side_by_side() -> None:
    board = json.loads(DASHBOARD.read_text())
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_alert_says_what_to_do() -> None:
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            assert rule["labels"]["severity"] in ("critical", "warning", "info")
            assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]
    promtool = shutil.which("promtool")
    if promtool:  # it knows the grammar of expressions; not every machine has it
        checked = subprocess.run(
            [promtool, "check", "rules", RULES], capture_output=True, text=True
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr
