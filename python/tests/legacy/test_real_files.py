"""The two real legacy files, held against a check that shares no code with the project."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from dhafnck_db import legacy

ROWS = {"2025-07-16": 634, "2025-08-19": 8}


def test_every_value_is_where_the_assessment_says(
    target: Engine, real_file: Path, checker: Path, tmp_path: Path, import_: Callable[..., Any]
) -> None:
    plan = legacy.assess(real_file, owner="system")
    assert plan.totals["rows"] == ROWS[real_file.stem]
    assert plan.rejects == ()
    result = import_(real_file, owner="system")
    assert (result.changed, result.verified) == (True, True)
    assert result.plan == plan
    assessment = tmp_path / "assessment.json"
    assessment.write_text(json.dumps(plan.to_dict()))
    dsn = target.url.set(drivername="postgresql").render_as_string(hide_password=False)
    check = subprocess.run(
        [sys.executable, checker, real_file, dsn, assessment], capture_output=True, text=True
    )
    assert check.stdout.splitlines()[-1].endswith(" 0 differences"), check.stdout + check.stderr


def test_the_context_of_a_project_that_does_not_exist_is_carried_and_told(
    real_file: Path, import_: Callable[..., Any], fetch: Callable[[str], list[Any]]
) -> None:
    if real_file.stem != "2025-08-19":
        return
    (warning,) = import_(real_file).plan.warnings
    assert (warning.table, warning.key, warning.column, warning.code) == (
        "project_contexts", "project-789", "project_id", "points-nowhere",
    )  # fmt: skip
    assert fetch("SELECT project_id FROM project_contexts WHERE id = project_id")
    assert "project-789" in fetch(
        "SELECT legacy_id FROM legacy.id_map WHERE \"table\" = 'projects'"
    )
