"""The development server of this checkout: does it run, is it its own, and do its data fit it.

It asks the server's files and the Docker engine; it starts and stops nothing.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress

from dhafnck_db.doctor import docker
from dhafnck_db.doctor.checks import NotHere, chain
from dhafnck_db.doctor.context import Context
from dhafnck_db.doctor.files import CONFIGURED
from dhafnck_db.doctor.own import OwnServer

OWNER_SECRET = ".local/secrets/owner"  # noqa: S105  # the file's name
STOPPED = "server stopped"  # the last of these checks
PATIENCE = 1.0  # seconds, for a port of this machine


def _required(context: Context) -> OwnServer:
    found = context.server
    if found is None:
        raise NotHere("the database is on no server that `make dev` made here")
    return found


def _made(context: Context) -> OwnServer:
    server = _required(context)
    if server.running is None or not server.data_there:
        raise NotHere("the server was not made, or no engine tells of it")
    return server


def _container(context: Context) -> docker.Container:
    found = _required(context)
    if not isinstance(found, docker.Container):
        raise NotHere("the server is not in a container")
    if not docker.installed():
        raise NotHere("there is no program docker to ask with")
    return found


def _engine(context: Context) -> Iterator[tuple[str, ...]]:
    silent = _container(context).engine
    if silent is None:
        return
    if _listens(context):  # its engine may be closed to this user, or the database be another one
        raise NotHere(f"no Docker engine answers: {silent}")
    yield (
        f"no Docker engine answers: {silent}",
        "start it, or `make dev PROVIDER=native`, which leaves the data in the volume as it is",
        "docker info",
    )


def _stranger(context: Context) -> Iterator[tuple[str, ...]]:
    container = _container(context)
    if container.stranger:
        yield (
            f"container {container.name} was not made for this checkout",
            f"rename it (docker rename {container.name} …) or choose another name in "
            "postgres_docker_container, then `make dev`",
            f"docker inspect --format '{{{{json .Config.Labels}}}}' {container.name}",
        )


def _gone(context: Context) -> Iterator[tuple[str, ...]]:
    server = _required(context)
    if not server.data_there and not server.running and not _listens(context):
        yield (
            f"{server.place} is gone, and the development data with it",
            "make dev (with an empty database); a dump in .local/backups or SQLITE=old.db fills it",
            server.shows_state,
        )


def _version(context: Context) -> Iterator[tuple[str, ...]]:
    server = _required(context)
    if server.data_major is None or server.program_major is None:
        raise NotHere("the versions of the server and of its data are not known")
    if server.data_major != server.program_major:
        yield (
            f"{server.place} holds data of PostgreSQL {server.data_major}, which the server's "
            f"version {server.program_major} does not read",
            f"take PostgreSQL {server.data_major} again; or dump with it, and restore into a new "
            "server",
            server.shows_version,
        )


def _port_taken(context: Context) -> Iterator[tuple[str, ...]]:
    server = _made(context)
    if not server.running and _listens(context):
        port = context.target.admin.url.port or 5432
        yield (
            f"the server of this checkout is stopped, and another program listens on port {port}",
            "stop that program, or choose another port (dev_port in "
            "inventories/dev/group_vars/dev/dev.yml); then `make dev`",
            f"ss -ltnp 'sport = :{port}'",
        )


def _stopped(context: Context) -> Iterator[tuple[str, ...]]:
    server = _made(context)
    if not server.running:
        yield (
            "the development server of this checkout is stopped; its data stays",
            "make dev",
            server.shows_state,
        )


def _listens(context: Context) -> bool:
    url = context.target.admin.url
    place = (url.host or "localhost", url.port or 5432)
    with suppress(OSError), socket.create_connection(place, PATIENCE):
        return True
    return False


CHECKS = chain(
    {
        "Docker engine": _engine,
        "stranger's container": _stranger,
        "data gone": _gone,
        "data of another version": _version,
        "port taken": _port_taken,
        STOPPED: _stopped,
    },
    after=CONFIGURED,
)
