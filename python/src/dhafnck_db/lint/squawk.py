"""What squawk, the linter of PostgreSQL migrations, says of the statements of revisions.

It starts that program with SQL in temporary files, and connects to nothing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from dhafnck_db.errors import ConfigurationError
from dhafnck_db.lint.findings import Finding
from dhafnck_db.offline import Step

OLDEST_SERVER = "15.0"  # that this project supports; what is safe there is safe on newer ones
SECONDS = 60
IGNORE = "squawk-ignore"  # its own way to silence a rule, which needs no reason
LEFT_OUT = {
    "require-lock-timeout": "each upgrade sets one, from DB_LOCK_TIMEOUT",
    "require-statement-timeout": "each upgrade sets one, from DB_STATEMENT_TIMEOUT",
    "require-timeout-settings": "the two together",
    "prefer-robust-stmts": "an upgrade that fails is rolled back whole",
    "prefer-bigint-over-int": "types are the models' to choose",
    "prefer-bigint-over-smallint": "types are the models' to choose",
    "prefer-identity": "types are the models' to choose",
    "prefer-text-field": "types are the models' to choose",
    "ban-drop-column": "data-lost says more",
    "ban-drop-table": "data-lost says more",
}


def examine(steps: Iterable[Step]) -> list[Finding]:
    """Return what squawk finds in what the revisions execute to upgrade.

    Raises:
        ConfigurationError: there is no squawk on this machine, or it cannot be used.
    """
    steps = list(steps)
    program = _program()
    with tempfile.TemporaryDirectory(prefix="dhafnck-lint-") as name:
        folder = Path(name)
        settings = folder / "squawk.toml"
        settings.touch()  # else it looks for one in the working directory and above
        files = {f"{number}.sql": step for number, step in enumerate(steps)}
        lines = {name: _write(folder / name, step) for name, step in files.items()}
        if not files:
            return []
        command: list[str | Path] = [program, "--config", settings, "--reporter", "json"]
        command += ["--pg-version", OLDEST_SERVER, "--exclude", ",".join(LEFT_OUT)]
        said = _run(command + [folder / name for name in files])
    found = []
    for entry in said:
        step = files[Path(entry["file"]).name]
        statement = step.up.statements[lines[Path(entry["file"]).name][entry["line"]]]
        found.append(
            Finding(
                step.revision,
                step.file,
                statement.line,
                entry["rule_name"],
                entry["message"],
                entry["help"] or f"https://squawkhq.com/docs/{entry['rule_name']}",
                statement.sql,
            )
        )
    return found


def _write(path: Path, step: Step) -> list[int]:
    """Write the statements of a revision; return which of them each line of the file belongs to."""
    lines, numbers, inside = [], [], False
    for number, statement in enumerate(step.up.statements):
        text = [] if statement.in_transaction == inside else ["COMMIT;" if inside else "BEGIN;"]
        inside = statement.in_transaction
        text += f"{statement.sql}\n;".replace(IGNORE, "squawk").split("\n")
        lines += text
        numbers += [number] * len(text)
    if inside:
        lines.append("COMMIT;")
        numbers.append(len(step.up.statements) - 1)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return [*numbers, len(step.up.statements) - 1]


def _program() -> str:
    beside = Path(sys.executable).with_name("squawk")  # of the same virtual environment
    found = str(beside) if beside.is_file() else shutil.which("squawk")
    if found is None:
        raise _unusable("there is no program squawk", None)
    return found


def _run(command: list[str | Path]) -> list[dict[str, Any]]:
    try:
        ended = subprocess.run(  # noqa: S603  # nothing of a user's is in it
            command, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        found: list[dict[str, Any]] = json.loads(ended.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired) as failure:
        raise _unusable("squawk could not be asked", str(failure).splitlines()[0]) from None
    return found


def _unusable(message: str, cause: str | None) -> ConfigurationError:
    return ConfigurationError(
        "linter-missing",
        f"{message}, so no revision can be linted",
        cause=cause,
        help="pip install squawk-cli; where there is no wheel for the machine, put a squawk 2.x on "
        "PATH (squawkhq.com says how), or lint and upgrade from another machine",
    )
