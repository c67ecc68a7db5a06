"""The two real legacy files, held against a check that shares no code with the project."""

import json
import subprocess
import sys
from pathlib import Path

from legacy.conftest import CHECKER
from sqlalchemy import Engine

from dhafnck_db import legacy

ROWS = {"2025-07-16": 634, "2025-08-19": 8}


def test_every_value_is_where_the_assessment_says(
    target: Engine, real_file: Path, tmp_path: Path
) -> None:
    plan = legacy.assess(real_file, owner="system")
    assert plan.totals["rows"] == ROWS[real_file.stem]
    assert plan.rejects == ()
    with target.connect() as connection:
        result = legacy.import_file(connection, real_file, owner="system")
    assert (result.changed, result.verified) == (True, True)
    assert result.plan == plan
    assessment = tmp_path / "assessment.json"
    assessment.write_text(json.dumps(plan.to_dict()))
    dsn = target.url.set(drivername="postgresql").render_as_string(hide_password=False)
    check = subprocess.run(
        [sys.executable, CHECKER, real_file, dsn, assessment], capture_output=True, text=True
    )
    assert check.stdout.splitlines()[-1].endswith(" 0 differences"), check.stdout + check.stderr
