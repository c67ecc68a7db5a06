"""The stand-in of the Management API, started for a test and asked about itself."""

import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import vendor
from conftest import ROOT

PROGRAM = ROOT / "roles" / "supabase_standin" / "files" / "management_api.py"
REF = "abcdefghijklmnopqrst"
TOKEN = "sbp_cafe0123456789cafe0123456789cafe01234567"


class Answer(NamedTuple):
    status: int
    body: Any
    headers: dict[str, str]


@dataclass
class Standin:
    """A running stand-in; it does as the vendor does until it is told otherwise."""

    process: subprocess.Popen[str]
    url: str
    log: Path

    def ask(self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN) -> Answer:
        """Send a request; a path that begins with / is one of the project."""
        address = f"{self.url}/v1/projects/{REF}{path}" if path[:1] in ("", "/") else path
        request = urllib.request.Request(  # noqa: S310 - the stand-in's own address
            address, method=method, data=None if body is None else json.dumps(body).encode()
        )
        if token is not None:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            answer = urllib.request.urlopen(request, timeout=10)  # noqa: S310  # the stand-in of the test, on this machine
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            text = answer.read()
            return Answer(answer.status, json.loads(text) if text else None, dict(answer.headers))

    def control(self, method: str, name: str, body: Any = None) -> Any:
        """Ask it about itself: state, faults or counts."""
        answer = self.ask(method, f"{self.url}/standin/{name}", body, token=None)
        assert answer.status == 200, answer
        return answer.body

    def change(self, **state: Any) -> None:
        """Change the project behind everybody's back."""
        self.control("PATCH", "state", state)

    def fail(self, **fault: Any) -> None:
        """Have requests go wrong."""
        self.control("POST", "faults", fault)

    @property
    def state(self) -> Any:
        return self.control("GET", "state")

    @property
    def requests(self) -> list[str]:
        """What was asked, as `GET /postgrest`."""
        found: list[str] = self.control("GET", "counts")["requests"]
        return found

    @property
    def writes(self) -> list[str]:
        return [request for request in self.requests if not request.startswith("GET ")]

    @property
    def exchanges(self) -> list[dict[str, Any]]:
        """Requests with their replies."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def running(folder: Path, *options: str) -> Iterator[Standin]:
    """Start a stand-in, and end it; where the vendor's description is at hand, every exchange of
    the time between is held against it."""
    token_file = folder / "token"
    token_file.write_text(TOKEN + "\n")
    log = folder / "exchanges.jsonl"
    command = [sys.executable, str(PROGRAM), "--port", "0", "--ref", REF]
    process = subprocess.Popen(
        [*command, "--token-file", str(token_file), "--log", str(log), *options],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        standin = Standin(process, process.stdout.readline().split()[-1], log)
        yield standin
    finally:
        process.terminate()
        rest, _ = process.communicate(timeout=10)
    assert rest == ""
    if vendor.DESCRIPTION.exists():
        for exchange in standin.exchanges:
            assert vendor.problems(exchange) == []
