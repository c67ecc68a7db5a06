"""What the role database_backup has run at set times: the program and the units that it renders."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, configuration
from fix_backup import FOLDER, PROGRAM
from sqlalchemy import URL

ROLE = ROOT / "roles" / "database_backup"

Configure = Callable[[dict[str, str]], None]
Render = Callable[..., Path]


@pytest.fixture
def render(tmp_path: Path) -> Render:
    """A function that renders a template of the role as Ansible does, and returns the file."""

    def render(template: str, **given: Any) -> Path:
        made = tmp_path / template.removesuffix(".j2")
        play = {
            "hosts": "localhost",
            "connection": "local",
            "gather_facts": False,
            "vars": {**yaml.safe_load((ROLE / "defaults" / "main.yml").read_text()), **given},
            "tasks": [
                {
                    "ansible.builtin.template": {
                        "src": str(ROLE / "templates" / template),
                        "dest": str(made),
                        "mode": "0700",
                    }
                }
            ],
        }
        playbook = tmp_path / "render.yml"
        playbook.write_text(json.dumps([play]))
        ended = subprocess.run(["ansible-playbook", playbook], capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout
        return made

    return render


@pytest.fixture
def program(filled: URL, tmp_path: Path, configure: Configure, render: Render) -> Path:
    """The program, for the filled database."""
    environment = {**configuration(filled), "DB_BACKUP_DIR": str(tmp_path / FOLDER)}
    configure({})
    return render(
        "backup.sh.j2", database_backup_command=PROGRAM, database_backup_environment=environment
    )


def test_program_backs_up_prunes_and_drills(program: Path, tmp_path: Path) -> None:
    ended = subprocess.run([program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    dumped, kept, drilled = ended.stdout.splitlines()
    assert dumped.startswith("dumped ")
    assert kept == "1 kept"
    assert " verified: " in drilled
    assert json.loads((tmp_path / FOLDER / "drill.json").read_text())["ok"] is True


def test_program_prunes_nothing_after_a_dump_that_failed(program: Path, tmp_path: Path) -> None:
    text = program.read_text()
    assert subprocess.run([program], capture_output=True).returncode == 0
    program.write_text(text.replace("export DATABASE_URL='", "export DATABASE_URL='x"))
    program.write_text(program.read_text().replace("--days 7", "--days 0"))
    ended = subprocess.run([program], capture_output=True, text=True)
    assert (ended.returncode == 0, ended.stdout) == (False, "")
    assert len(list((tmp_path / FOLDER).glob("*.dump"))) == 1


def test_units_are_what_systemd_takes(tmp_path: Path, render: Render) -> None:
    place = tmp_path / "with space" / "backup"
    place.parent.mkdir()
    place.write_text("#!/bin/sh\n")
    place.chmod(0o700)
    units = [
        render(f"backup.{kind}.j2", database_backup_script=str(place))
        for kind in ("service", "timer")
    ]
    for unit in units:
        unit.chmod(0o644)
    ended = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_calendar_of_the_defaults_is_one() -> None:
    defaults = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
    calendar = defaults["database_backup_calendar"]
    assert subprocess.run(["systemd-analyze", "calendar", calendar]).returncode == 0
