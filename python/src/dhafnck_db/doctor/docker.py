"""The container of a checkout, told by the Docker engine.

It asks the command line client `docker`, for a bounded time, and changes nothing.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

NAME = "dhafnck-postgres"  # of the container and of its volume, as the role has it
LABEL, MAJOR = "dhafnck-db.checkout", "dhafnck-db.major"
PATIENCE = 5.0  # seconds, for one answer of the engine


@dataclass(frozen=True)
class Container:
    """What the engine says of the container and its volume; None is what it does not tell."""

    engine: str | None = None  # why no engine answers
    name: str = NAME
    volume: str = NAME
    stranger: bool = False  # made for something else than this checkout
    port: int | None = None  # of this machine, where it is published
    running: bool | None = None
    data_there: bool = True
    data_major: str | None = None
    program_major: str | None = None

    @property
    def place(self) -> str:
        return f"volume {self.volume}"

    @property
    def shows_version(self) -> str:
        return f"docker volume inspect {self.volume}; docker inspect {self.name}"

    @property
    def shows_state(self) -> str:
        return f"docker ps --all --filter name={self.name}"


def installed() -> bool:
    """Whether there is a program to ask the engine with."""
    return shutil.which("docker") is not None


def find(checkout: Path | None = None, name: str = NAME) -> Container:
    """Return what the engine says of the container of a checkout. Read-only.

    Args:
        checkout: the folder that the container is labelled with; by default the working folder.
        name: of the container to look at where none is labelled so.
    """
    if not installed():
        return Container()
    fault = _unanswered()
    if fault is not None:
        return Container(engine=fault)
    place = (checkout or Path()).resolve()
    container = _inspect("container", _labelled(place) or name)
    volume = _inspect("volume", volume_of(container) or name)
    return judge(container, volume, place, name)


def judge(
    container: dict[str, Any] | None,
    volume: dict[str, Any] | None,
    checkout: Path,
    name: str = NAME,
) -> Container:
    """Return what two answers of `docker inspect` mean; None is an object that is not there. Pure.

    Without a container there is no server that could run; the next `make dev` makes one.
    """
    data = ((volume or {}).get("Labels") or {}).get(MAJOR)
    if container is None:
        there = volume is not None
        return Container(name=name, volume=name, running=False, data_there=there, data_major=data)
    config = container["Config"]
    made_for = (config.get("Labels") or {}).get(LABEL)
    stranger = made_for is None or Path(made_for).resolve() != checkout
    major = [value for value in config.get("Env") or [] if value.startswith("PG_MAJOR=")]
    return Container(
        name=str(container["Name"]).lstrip("/"),
        volume=volume_of(container) or name,
        stranger=stranger,
        port=None if stranger else _published(container),
        running=bool(container["State"]["Running"]),
        data_there=volume is not None,
        data_major=data,
        program_major=re.sub(r"\D.*", "", major[0].partition("=")[2]) if major else None,
    )


def volume_of(container: dict[str, Any] | None) -> str | None:
    """Return the name of the volume that a container has its data in. Pure."""
    mounts = (container or {}).get("Mounts") or []
    names = [str(mount["Name"]) for mount in mounts if mount.get("Type") == "volume"]
    return names[0] if names else None


def _labelled(checkout: Path) -> str | None:
    """Return the container of a checkout, whatever its inventory calls it."""
    told = ("--filter", f"label={LABEL}={checkout}", "--format", "{{.Names}}")
    try:
        names = _docker("ps", "--all", *told).stdout.split()
    except subprocess.TimeoutExpired:
        return None
    return names[0] if len(names) == 1 else None


def _published(container: dict[str, Any]) -> int | None:
    bound = (container["HostConfig"].get("PortBindings") or {}).get("5432/tcp") or []
    ports = [entry["HostPort"] for entry in bound if entry.get("HostPort")]
    return int(ports[0]) if ports else None


def _unanswered() -> str | None:
    """Return why the engine does not answer, or None."""
    try:
        ended = _docker("version", "--format", "{{.Server.Version}}")
    except subprocess.TimeoutExpired:
        return f"nothing within {PATIENCE:.0f} s"
    lines = ended.stderr.strip().splitlines()
    return None if ended.returncode == 0 else (lines[-1] if lines else "it does not say why")


def _inspect(kind: str, name: str) -> dict[str, Any] | None:
    try:
        ended = _docker(kind, "inspect", name)
    except subprocess.TimeoutExpired:
        return None
    found = json.loads(ended.stdout) if ended.returncode == 0 else []
    return found[0] if found else None


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own words
        [shutil.which("docker") or "docker", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
