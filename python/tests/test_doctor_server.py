"""Each fault of the checkout's own server gives its own finding, on a cluster that `make dev` left.

What a Docker engine says is judged by recorded answers; test_doctor_docker.py asks a real one.
"""

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, Ended, Server, configuration, free_port
from sqlalchemy import URL
from test_doctor import findings

from dhafnck_db.doctor import docker

Run = Callable[..., Ended]
CHECKOUT = Path("/home/you/dhafnck-db")


@pytest.fixture
def cluster(tmp_path: Path, server: Server) -> Path:
    """What `make dev` leaves of a native server: here it is the test's own, which runs."""
    data = tmp_path / ".local" / "postgres" / "data"
    data.mkdir(parents=True)
    for name in ("PG_VERSION", "postmaster.pid", "postmaster.opts"):
        shutil.copy(server.data / name, data)
    (data / "postgresql.conf").write_text(f"# managed\nport = {server.port}\n")
    (tmp_path / ".local" / "provider.json").write_text('{"provider": "native"}\n')
    return data


@pytest.fixture
def stopped(cluster: Path) -> Iterator[int]:
    """The cluster as it is after `make stop`, on a port of its own; yields the port."""
    port = free_port()
    (cluster / "postmaster.pid").unlink()
    (cluster / "postgresql.conf").write_text(f"port = {port}\n")
    yield port


def examine(run: Run, url: URL) -> list[str]:
    return list(findings(run("doctor", "--format", "json", env=configuration(url))))


def statuses(run: Run, url: URL) -> dict[str, str]:
    ended = run("doctor", "--format", "json", env=configuration(url))
    return {check["name"]: check["status"] for check in json.loads(ended.out)["checks"]}


def test_running_cluster_has_no_finding(cluster: Path, shared: URL, run: Run) -> None:
    assert examine(run, shared) == []
    found = statuses(run, shared)
    assert {found[n] for n in ("data of another version", "port taken", "server stopped")} == {"ok"}
    assert found["Docker engine"] == "not examined"


def test_stopped_cluster_is_found_and_make_dev_named(stopped: int, shared: URL, run: Run) -> None:
    url = shared.set(port=stopped)
    assert examine(run, url) == ["server stopped"]
    ended = run("doctor", env=configuration(url))
    assert ended.out.splitlines()[1] == "  fix: make dev"


def test_cluster_that_was_killed_is_stopped(
    stopped: int, cluster: Path, shared: URL, run: Run
) -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    (cluster / "postmaster.pid").write_text(f"{ended.pid}\n{cluster}\n")
    assert examine(run, shared.set(port=stopped)) == ["server stopped"]


def test_port_that_another_program_holds_is_found(stopped: int, shared: URL, run: Run) -> None:
    with socket.create_server(("127.0.0.1", stopped)):
        assert examine(run, shared.set(port=stopped)) == ["port taken"]


def test_stopped_cluster_is_no_matter_of_another_servers_database(
    stopped: int, shared: URL, run: Run
) -> None:
    assert examine(run, shared) == []


def test_data_of_another_version_is_found(
    stopped: int, cluster: Path, shared: URL, run: Run
) -> None:
    (cluster / "PG_VERSION").write_text("9\n")
    assert examine(run, shared.set(port=stopped)) == ["data of another version"]


def test_data_that_is_gone_is_found(stopped: int, cluster: Path, shared: URL, run: Run) -> None:
    shutil.rmtree(cluster)
    assert examine(run, shared.set(port=stopped)) == ["data gone"]
    assert examine(run, shared) == []


def test_password_that_the_data_does_not_have_is_found(
    cluster: Path, tmp_path: Path, shared: URL, run: Run
) -> None:
    secrets = tmp_path / ".local" / "secrets"
    secrets.mkdir()
    (secrets / "owner").write_text("new-password\n")
    assert examine(run, shared.set(password="new-password")) == ["volume password"]
    assert examine(run, shared.set(password="mistyped")) == ["password"]


@pytest.mark.parametrize("memory", ["", "[]", '{"provider": "elsewhere"}'])
def test_broken_memory_is_no_server(
    stopped: int, tmp_path: Path, shared: URL, run: Run, memory: str
) -> None:
    (tmp_path / ".local" / "provider.json").write_text(memory)
    assert examine(run, shared.set(port=stopped)) == ["port refused"]


@pytest.fixture
def in_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkout whose server is a container."""
    (tmp_path / ".local").mkdir(exist_ok=True)
    (tmp_path / ".local" / "provider.json").write_text('{"provider": "docker"}\n')
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/docker.sock")


def without_client(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


def test_machine_without_the_docker_client_says_so(
    in_docker: None, shared: URL, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    without_client(monkeypatch, tmp_path)
    assert examine(run, shared) == []
    ended = run("doctor", env=configuration(shared))
    assert "there is no program docker to ask with" in ended.out


def test_engine_that_does_not_answer_is_found(in_docker: None, shared: URL, run: Run) -> None:
    wanted = ["Docker engine"] if docker.installed() else ["port refused"]
    assert examine(run, shared.set(port=free_port())) == wanted


def test_engine_that_is_closed_matters_not_where_the_database_answers(
    in_docker: None, shared: URL, run: Run
) -> None:
    assert examine(run, shared) == []


def recorded(label: str, *, running: bool = True, major: str = "17") -> dict[str, Any]:
    """The part of `docker container inspect` that is looked at, as Docker 20.10 writes it."""
    return {
        "Name": "/dhafnck-postgres",
        "State": {"Status": "running" if running else "exited", "Running": running},
        "HostConfig": {"PortBindings": {"5432/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5433"}]}},
        "Mounts": [{"Type": "bind", "Source": "/run"}, {"Type": "volume", "Name": "data"}],
        "Config": {
            "Env": ["POSTGRES_USER=postgres", f"PG_MAJOR={major}", "PGDATA=/var/lib/postgresql"],
            "Labels": {"dhafnck-db.checkout": label} if label else None,
        },
    }


def test_names_are_those_of_the_role() -> None:
    defaults = ROOT / "roles" / "postgres_docker" / "defaults"
    role = yaml.safe_load((defaults / "main.yml").read_text())
    names = {role["postgres_docker_container"], role["postgres_docker_volume"]}
    assert names == {docker.NAME}


VOLUME = {"Labels": {"dhafnck-db.checkout": str(CHECKOUT), "dhafnck-db.major": "17"}}


def test_recorded_answers_of_a_container_in_order() -> None:
    found = docker.judge(recorded(str(CHECKOUT)), VOLUME, CHECKOUT)
    assert found == docker.Container(
        name="dhafnck-postgres",
        volume="data",
        port=5433,
        running=True,
        data_major="17",
        program_major="17",
    )


@pytest.mark.parametrize(
    ("container", "volume", "wanted"),
    [
        (recorded("/home/else"), VOLUME, {"stranger": True, "port": None}),
        (recorded(""), None, {"stranger": True, "data_major": None}),
        (recorded(str(CHECKOUT), running=False), VOLUME, {"stranger": False, "running": False}),
        (recorded(str(CHECKOUT), major="18rc1"), VOLUME, {"program_major": "18"}),
        (None, VOLUME, {"running": False, "data_major": "17", "data_there": True}),
        (None, None, {"running": False, "data_major": None, "data_there": False}),
    ],
)
def test_recorded_answers_of_each_fault(
    container: dict[str, Any] | None, volume: dict[str, Any] | None, wanted: dict[str, Any]
) -> None:
    found = docker.judge(container, volume, CHECKOUT)
    assert {name: getattr(found, name) for name in wanted} == wanted
