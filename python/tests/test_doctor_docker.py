"""Each fault of a container gives its own finding, told by a real engine.

Needs an engine with the image that TEST_IMAGE names; see conftest.py. What such an engine says is
judged without one in test_doctor_server.py.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Ended, configuration, free_port
from sqlalchemy import make_url
from test_doctor import findings

from dhafnck_db.doctor import docker

Run = Callable[..., Ended]


def engine(*arguments: str) -> None:
    subprocess.run(["docker", *arguments], check=True, capture_output=True)


@pytest.fixture
def name() -> Iterator[str]:
    """A name for a container and its volume; what is called so is removed afterwards."""
    name = f"dhafnck-test-{os.urandom(4).hex()}"
    yield name
    for kind in (["container", "rm", "--force"], ["volume", "rm", "--force"]):
        subprocess.run(["docker", *kind, name], capture_output=True)


@pytest.fixture
def port(tmp_path: Path) -> int:
    """The port of a development server that is in a container."""
    (tmp_path / ".local").mkdir()
    (tmp_path / ".local" / "provider.json").write_text(json.dumps({"provider": "docker"}))
    return free_port()


def make(name: str, port: int, checkout: Path, *, data: str) -> None:
    """Make a container as the role does, with a volume of a major version; it is not started."""
    engine("volume", "create", "--label", f"{docker.MAJOR}={data}", name)
    engine(
        "create", "--name", name, "--label", f"{docker.LABEL}={checkout}",
        "--publish", f"127.0.0.1:{port}:5432", "--volume", f"{name}:/var/lib/postgresql/data",
        "--env", "PG_MAJOR=17", os.environ["TEST_IMAGE"],
    )  # fmt: skip


def examine(run: Run, port: int) -> list[str]:
    url = make_url(f"postgresql://u:p@127.0.0.1:{port}/d")
    return list(findings(run("doctor", "--format", "json", env=configuration(url))))


def test_container_that_does_not_run_is_found(
    run: Run, name: str, port: int, tmp_path: Path
) -> None:
    make(name, port, tmp_path, data="17")
    assert examine(run, port) == ["server stopped"]


def test_volume_of_another_version_is_found(run: Run, name: str, port: int, tmp_path: Path) -> None:
    make(name, port, tmp_path, data="15")
    assert examine(run, port) == ["data of another version"]


def test_volume_that_is_gone_is_found(
    run: Run, name: str, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docker.find, "__defaults__", (None, name))  # not that of this machine
    assert examine(run, port) == ["data gone"]


def test_container_of_a_stranger_is_found(
    run: Run, name: str, port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(name, port, tmp_path / "elsewhere", data="17")
    monkeypatch.setattr(docker.find, "__defaults__", (None, name))  # not that of this machine
    assert examine(run, port) == ["stranger's container"]
