"""The role postgres_docker keeps data, and leaves alone what is not its own.

Needs an engine with the image that TEST_IMAGE names; see conftest.py.
"""

import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import free_port

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "only-for-this-test"

Run = Callable[..., tuple[int, str]]


def docker(*arguments: str) -> str:
    command = ["docker", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def query(name: str, statement: str) -> str:
    return docker("exec", name, "psql", "-U", "postgres", "-Atc", statement)


@pytest.fixture
def image() -> str:
    return os.environ["TEST_IMAGE"]


@pytest.fixture
def name() -> Iterator[str]:
    """A name for container, volume and network; what is called so is removed afterwards."""
    name = f"dhafnck-test-{os.urandom(4).hex()}"
    yield name
    for remove in (
        ["container", "rm", "--force", "--volumes"],
        ["volume", "rm", "--force"],
        ["network", "rm"],
    ):
        subprocess.run(["docker", *remove, name], capture_output=True)


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def run(image: str, name: str, port: int, tmp_path: Path) -> Run:
    """Run the role with the variables given; return its exit code and what it printed."""

    def run(**variables: Any) -> tuple[int, str]:
        given = {
            "postgres_docker_image_source": "local",
            "postgres_docker_local_image": image,
            "postgres_docker_container": name,
            "postgres_docker_volume": name,
            "postgres_docker_network": name,
            "postgres_docker_checkout": str(tmp_path),
            "postgres_docker_clients": str(tmp_path / "bin"),
            "postgres_docker_port": port,
            "postgres_docker_superuser_password": PASSWORD,
            **variables,
        }
        role = ["--module-name", "ansible.builtin.include_role", "--args", "name=postgres_docker"]
        done = subprocess.run(
            ["ansible", "dev", *role, "--extra-vars", json.dumps(given)],
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
        return done.returncode, " ".join((done.stdout + done.stderr).split())

    return run


def test_data_outlives_a_recreated_container(run: Run, name: str) -> None:
    assert run()[0] == 0
    query(name, "CREATE TABLE kept AS SELECT 42 AS answer")
    before = docker("inspect", "--format", "{{.Id}}", name)
    code, said = run(postgres_docker_settings={"work_mem": "7MB"})
    assert code == 0, said
    assert docker("inspect", "--format", "{{.Id}}", name) != before
    assert query(name, "SELECT answer FROM kept") == "42"
    assert query(name, "SHOW work_mem") == "7MB"


def test_a_strangers_container_is_left_alone(run: Run, name: str, image: str) -> None:
    docker("create", "--name", name, image)
    before = docker("inspect", name)
    code, said = run()
    assert code != 0
    assert f"a container named {name} exists that was not made for this checkout" in said
    assert docker("inspect", name) == before


def test_a_port_that_is_held_is_named(run: Run, name: str, port: int) -> None:
    with socket.create_server(("127.0.0.1", port)):
        code, said = run()
    assert code != 0
    assert f"port {port} on 127.0.0.1 is held by another program, which was left alone" in said


def test_a_volume_of_another_major_version_is_refused(run: Run, name: str, tmp_path: Path) -> None:
    labels = [f"dhafnck-db.checkout={tmp_path}", "dhafnck-db.major=9"]
    docker("volume", "create", *(f"--label={label}" for label in labels), name)
    code, said = run()
    assert code != 0
    assert f"volume {name} holds data of {tmp_path}, PostgreSQL 9" in said
    assert docker("ps", "--all", "--quiet", "--filter", f"name={name}") == ""


def test_a_volume_with_another_password_is_named(run: Run, name: str) -> None:
    assert run()[0] == 0
    docker("rm", "--force", name)
    code, said = run(
        postgres_docker_superuser_password="another-one", postgres_docker_health_timeout=8
    )
    assert code != 0
    assert f"the data in volume {name} are older than the password of postgres" in said
    assert f"{name} psql --username postgres --command ''\\password''" in said  # as YAML has it
    assert "another-one" not in said
    assert run()[0] == 0  # with the former one


def test_a_server_that_does_not_come_up_is_named(run: Run, name: str) -> None:
    code, said = run(
        postgres_docker_settings={"shared_preload_libraries": "nosuch"},
        postgres_docker_health_timeout=8,
    )
    assert code != 0
    assert f"container {name} was not healthy within 8 s: see docker logs {name}" in said


def test_a_missing_local_image_names_the_way_out(run: Run) -> None:
    code, said = run(postgres_docker_local_image="dhafnck-postgres:nosuch")
    assert code != 0
    assert "there is no image dhafnck-postgres:nosuch: build it with `make image`" in said


def test_a_failing_pull_names_the_local_image(run: Run) -> None:
    code, said = run(
        postgres_docker_image_source="registry", postgres_docker_image="localhost:1/nosuch:17"
    )
    assert code != 0
    assert "localhost:1/nosuch:17 cannot be pulled" in said
    assert "build a local image with `make image`" in said


@pytest.mark.parametrize(
    ("local_image", "provider", "reason"),
    [
        ("dhafnck-postgres:nosuch", "native", "a Docker engine answers, but no image can be had"),
        (os.environ["TEST_IMAGE"], "docker", "a Docker engine answers"),
    ],
)
def test_docker_is_chosen_only_where_an_image_can_be_had(
    tmp_path: Path, local_image: str, provider: str, reason: str
) -> None:
    memory = tmp_path / "provider.json"
    variables = {
        "postgres_registry_image": "localhost:1/nosuch:17",
        "postgres_local_image": local_image,
        "postgres_memory": str(memory),
    }
    play = tmp_path / "play.yml"
    tasks = [
        {"ansible.builtin.include_role": {"name": "postgres", "tasks_from": part}}
        for part in ("main", "remember")
    ]
    play.write_text(json.dumps([{"hosts": "dev", "gather_facts": False, "tasks": tasks}]))
    command = ["ansible-playbook", str(play), "--extra-vars", json.dumps(variables)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    chosen = json.loads(memory.read_text())
    assert (chosen["provider"], chosen["reason"].strip()) == (provider, reason)


def test_the_password_is_not_in_the_containers_configuration(run: Run, name: str) -> None:
    assert run()[0] == 0
    assert PASSWORD not in docker("inspect", name)
    assert docker("exec", name, "stat", "-c", "%a %U", "/run/postgres-password") == "400 postgres"


def test_the_server_is_published_on_this_machine_only(run: Run, name: str, port: int) -> None:
    assert run()[0] == 0
    assert docker("port", name) == f"5432/tcp -> 127.0.0.1:{port}"
