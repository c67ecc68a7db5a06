"""A drill where the server is in a container: the scratch server is one too, of the same image.

Needs an engine with the image that TEST_IMAGE names; see conftest.py.
"""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended, Server, configuration
from fix_backup import PROGRAM
from sqlalchemy import URL

Run = Callable[..., Ended]


@pytest.fixture
def image() -> str:
    return os.environ["TEST_IMAGE"]


def containers() -> list[str]:
    command = ["docker", "ps", "--all", "--quiet", "--filter", "name=dhafnck-container-"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()


def major_of(image: str) -> int:
    command = ["docker", "image", "inspect", "--format", "{{json .Config.Env}}", image]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return int(dict(pair.split("=", 1) for pair in json.loads(said))["PG_MAJOR"])


def test_drill_restores_into_a_container_and_leaves_nothing(
    server: Server, filled: URL, dump: Path, image: str, tmp_path: Path, run: Run
) -> None:
    env = configuration(filled, DB_SCRATCH_IMAGE=image)
    ended = run("backup", "drill", "--format", "json", env=env)
    if major_of(image) != server.major:
        assert (ended.code, ended.out) == (5, "")
        assert f"the dump is of {server.major}" in ended.err
    else:
        assert ended.code == 0, ended.err
        done = json.loads(ended.out)
        assert (done["ok"], done["finding"]) == (True, "as recorded")
    assert containers() == []
    assert not list(Path(tempfile.gettempdir()).glob("dhafnck-container-*"))


def test_container_that_a_killed_drill_left_is_removed_by_the_next(
    server: Server, filled: URL, dump: Path, image: str, tmp_path: Path, run: Run
) -> None:
    env = configuration(filled, DB_SCRATCH_IMAGE=image)
    killed = subprocess.Popen([PROGRAM, "backup", "drill"], env=os.environ | env, cwd=tmp_path)
    while not containers():
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    assert len(containers()) == 1
    run("backup", "drill", env=env)
    assert containers() == []


def test_damage_is_found_there_too(
    filled: URL, dump: Path, image: str, tmp_path: Path, run: Run
) -> None:
    place = dump.with_name(f"{dump.name}.json")
    record = json.loads(place.read_text())
    record["tables"]["public.projects"]["rows"] += 1
    place.write_text(json.dumps(record))
    ended = run("backup", "drill", env=configuration(filled, DB_SCRATCH_IMAGE=image))
    assert (ended.code, ended.out) == (6, "")
    assert "error[restored-differs]: " in ended.err
    assert containers() == []


@pytest.mark.parametrize("fault", ["image", "engine", "program"])
def test_container_that_does_not_start_is_a_failure(
    filled: URL, dump: Path, image: str, run: Run, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    if fault == "engine":
        monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")
    if fault == "program":
        monkeypatch.setenv("PATH", "/nonexistent")
    wanted = "dhafnck-no-such-image" if fault == "image" else image
    ended = run("backup", "drill", env=configuration(filled, DB_SCRATCH_IMAGE=wanted))
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("error[scratch-server-failed]: ")
    assert "Traceback" not in ended.err


def test_password_of_the_scratch_server_is_in_no_command_line(
    filled: URL, dump: Path, image: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A docker that notes what it is called with, and then does it.
    log, folder = tmp_path / "calls", tmp_path / "bin"
    folder.mkdir()
    real = subprocess.run(["which", "docker"], check=True, capture_output=True, text=True).stdout
    script = folder / "docker"
    script.write_text(
        f'#!/bin/sh\necho "$*" >>{log}\n'
        f'[ "$1" = run ] && echo "$POSTGRES_PASSWORD" >{tmp_path}/password\n'
        f'exec {real.strip()} "$@"\n'
    )
    script.chmod(0o700)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    run("backup", "drill", env=configuration(filled, DB_SCRATCH_IMAGE=image))
    password = (tmp_path / "password").read_text().strip()
    assert len(password) > 20
    assert password not in log.read_text()
