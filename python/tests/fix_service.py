"""A service that is asked over HTTP, and a server of its own that can be stopped and frozen."""

import json
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NamedTuple

import psycopg2
import pytest
import uvicorn
from conftest import Server, configuration, end, make_copy, make_surface, private_server, start
from fix_schema import target_of
from sqlalchemy import URL

from dhafnck_db import schema
from dhafnck_db.service import create_app
from dhafnck_db.session import open_session
from dhafnck_db.target import current_target


class Reply(NamedTuple):
    """What the service answered."""

    code: int
    text: str
    seconds: float

    @property
    def body(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.text)
        return found

    def not_ok(self) -> dict[str, str]:
        """The finding of each check that is not ok."""
        return {c["name"]: c["finding"] for c in self.body["checks"] if c["status"] != "ok"}


class Service(NamedTuple):
    """A running service."""

    port: int

    def get(self, path: str) -> Reply:
        started = time.monotonic()
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=30)) as http:
            http.request("GET", path)
            answer = http.getresponse()
            return Reply(answer.status, answer.read().decode(), time.monotonic() - started)

    def until(self, path: str, code: int, patience: float = 10) -> Reply:
        """The first answer with that code."""
        until = time.monotonic() + patience
        while (reply := self.get(path)).code != code:
            assert time.monotonic() < until, reply
            time.sleep(0.05)
        return reply


Serve = Callable[..., Service]


@pytest.fixture
def serve(configure: Callable[[dict[str, str]], None]) -> Iterator[Serve]:
    """A function that serves a database, with `more` in its environment."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def serve(url: URL, **more: str) -> Service:
        configure({**configuration(url), "DB_HEALTH_CACHE": "0", **more})
        app = create_app(current_target())
        config = uvicorn.Config(app, log_level="warning", access_log=False)
        listening = socket.create_server(("127.0.0.1", 0), backlog=512)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listening],))
        thread.start()
        running.append((server, thread))
        return Service(listening.getsockname()[1])

    yield serve
    for server, thread in running:
        server.should_exit = True
        thread.join(20)
        assert not thread.is_alive()


class Own:
    """A server that this test alone has."""

    def __init__(self, server: Server, url: URL) -> None:
        self.server, self.url = server, url
        self._again: subprocess.Popen[bytes] | None = None

    @property
    def _pid(self) -> int:
        return int((self.server.data / "postmaster.pid").read_text().split()[0])

    def stop(self) -> None:
        pid = self._pid
        os.kill(pid, signal.SIGINT)
        while (self.server.data / "postmaster.pid").exists():
            time.sleep(0.02)

    def start(self) -> None:
        self.close()
        with (self.server.data.parent / "stderr").open("ab") as log:
            self._again = start(self.server.bin, self.server.data, log)
        until = time.monotonic() + 15
        while time.monotonic() < until:
            try:
                self.server.connect().close()
                return
            except psycopg2.OperationalError:
                time.sleep(0.02)
        raise AssertionError("the server did not start again")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        pids = [self._pid, *children(self._pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        if self._again is not None and self._again.poll() is None:
            end(self._again)


def children(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == pid:
            found.append(int(status.parent.name))
    return found


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Own]:
    """A server with a database at head, to stop and to freeze."""
    with private_server(request.config) as server:
        url = make_copy(make_surface(server), server)
        target = target_of(url)
        with open_session(target) as connection:
            schema.upgrade(connection, target)
        own = Own(server, url)
        yield own
        own.close()
