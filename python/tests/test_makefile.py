"""ENV names the environment of a target.

A command goes there, and what is of development alone refuses another.
"""

import os
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

Ended = subprocess.CompletedProcess[str]


def make(folder: Path, *typed: str, **environment: str) -> Ended:
    """Type a target in a folder without an env file; the set-up is taken to be done."""
    unset = ("DATABASE_TYPE", "DATABASE_URL", "ENV", "MAKEFLAGS", "MAKELEVEL")
    kept = {key: value for key, value in os.environ.items() if key not in unset}
    return subprocess.run(
        ["make", "--old-file=setup", f"--file={ROOT / 'Makefile'}", f"VENV={ROOT}/.venv", *typed],
        cwd=folder,
        env=kept | environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("target", ["dev", "stop", "restore", "reset"])
def test_what_is_of_development_alone_refuses_production(tmp_path: Path, target: str) -> None:
    ended = make(tmp_path, target, "ENV=prod")
    assert ended.returncode == 2
    assert f"make {target} is of development alone, not of ENV=prod" in ended.stderr
    assert "PLAY" not in ended.stdout


@pytest.mark.parametrize(
    ("typed", "env_file"),
    [([], ".env.dev"), (["ENV=dev"], ".env.dev"), (["ENV=prod"], ".env.prod")],
)
@pytest.mark.parametrize("target", ["health", "backup", "doctor", "psql"])
def test_a_command_goes_to_the_environment_that_is_named(
    tmp_path: Path, target: str, typed: list[str], env_file: str
) -> None:
    ended = make(tmp_path, target, *typed)
    assert ended.returncode != 0
    assert env_file in ended.stdout + ended.stderr


def test_unknown_environment_is_refused(tmp_path: Path) -> None:
    ended = make(tmp_path, "health", ENV="staging")
    assert ended.returncode == 2
    assert "ENV=staging is neither dev nor prod" in ended.stderr


def test_start_up_file_that_a_shell_has_in_env_is_no_environment(tmp_path: Path) -> None:
    assert ".env.dev" in make(tmp_path, "health", ENV="/etc/shinit").stderr
