"""A stand-in for the vendor's Management API: one project, on loopback, standard library only.

    python management_api.py --port 56210 --ref abcdefghijklmnopqrst --token-file token
        [--state state.json] [--log exchanges.jsonl] [--tls-cert cert.pem --tls-key key.pem]

It prints one line, `listening on <address>`, when it takes requests (`--port 0` takes any free
port), and ends on SIGTERM. It keeps what was set in memory, and in the file of `--state` beyond its
end. It answers nobody without the token, and nobody beyond the rate limit. It never prints a token.

What a test or a rehearsal asks of it goes to paths of its own, without a token:

    GET    /standin/state    everything that it knows of the project
    PATCH  /standin/state    change it behind everybody's back: {"ssl": {"database": false}}
    POST   /standin/faults   go wrong: {"method": "GET", "path": "/postgrest", "status": 500, "times": 1}
    DELETE /standin/faults   behave again
    GET    /standin/counts   {"reads": 4, "writes": 0, "requests": ["GET ", "GET /postgrest"]}
    DELETE /standin/counts   count from zero

A fault has `method` and `path` (what follows the ref; both "*" by default), `times` (always by
default) and what happens: `status` with `message`, `delay` in seconds, `drop` (the connection
closes without a reply), `empty` (carried out, and answered with no body), `lost` (the same, but not
carried out), `location` of a redirect, or `reset` (the seconds in the header of a 429). A project
that gets ready is
{"project": {"status": "COMING_UP"}, "reads_until_healthy": 2}.
"""  # noqa: E501 - the requests stay on their lines

from __future__ import annotations

import argparse
import hmac
import ipaddress
import json
import math
import signal
import ssl
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from management_project import Database, Reply, State, answer, new_project

RATE_LIMIT = 120  # requests per token and window, as the vendor counts them
RATE_WINDOW = 60.0  # seconds


class RateLimit:
    """Requests of one token, counted in windows of a fixed length."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit = limit
        self.window = window
        self.started = time.monotonic()
        self.used = 0

    def take(self) -> bool:
        """Count a request; False when it is one too many."""
        if time.monotonic() - self.started >= self.window:
            self.started, self.used = time.monotonic(), 0
        self.used += 1
        return self.used <= self.limit

    def headers(self) -> dict[str, str]:
        left = self.window - (time.monotonic() - self.started)
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Reset": str(max(0, math.ceil(left))),
        }


class ManagementServer(ThreadingHTTPServer):
    """The project, who may ask about it, and what is to go wrong."""

    daemon_threads = True

    def __init__(self, options: argparse.Namespace) -> None:
        super().__init__((options.host, options.port), Handler)
        self.token = Path(options.token_file).read_text().strip()
        self.ref: str = options.ref
        self.kept: Path | None = options.state
        self.log: Path | None = options.log
        self.lock = threading.Lock()
        self.rate = RateLimit(options.rate_limit, options.rate_window)
        self.faults: list[dict[str, Any]] = []
        self.requests: list[str] = []
        self.state: State = new_project(
            options.ref,
            Database(
                host=options.database_host or f"db.{options.ref}.supabase.co",
                pooler_host=options.pooler_host,
                pooler_port=options.pooler_port,
                version=options.server_version,
                region=options.region,
            ),
        )
        if self.kept is not None and self.kept.exists():
            self.state = json.loads(self.kept.read_text())
        if options.tls_cert:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(options.tls_cert, options.tls_key)
            # The handshake is left to the request's own thread: a stranger's cannot stop the rest.
            self.socket = context.wrap_socket(
                self.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "https" if options.tls_cert else "http"
        self.address = f"{scheme}://{options.host}:{self.server_port}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up, or does not trust the certificate, is no event."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)

    def keep(self) -> None:
        """Write the state to its file, in one rename."""
        if self.kept is not None:
            new = self.kept.with_name(self.kept.name + ".new")
            new.write_text(json.dumps(self.state, indent=2))
            new.replace(self.kept)

    def fault_of(self, method: str, path: str) -> dict[str, Any]:
        """Return what is to go wrong with a request, and count it; nothing is {}."""
        for fault in self.faults:
            times = fault.get("times")
            if (
                fault.get("method", "*") in ("*", method)
                and fault.get("path", "*") in ("*", path)
                and times != 0
            ):
                if times is not None:
                    fault["times"] = times - 1
                return fault
        return {}

    def control(self, method: str, path: str, body: Any) -> Reply:
        """Answer what the stand-in is asked about itself."""
        match method, path:
            case "GET", "/standin/state":
                return Reply(200, self.state)
            case "PATCH", "/standin/state":
                _merge(self.state, body)
                self.keep()
            case "POST", "/standin/faults":
                self.faults.append(body)
            case "DELETE", "/standin/faults":
                self.faults.clear()
            case "GET", "/standin/counts":
                reads = sum(request.startswith("GET ") for request in self.requests)
                counts = {"reads": reads, "writes": len(self.requests) - reads}
                return Reply(200, {**counts, "requests": self.requests})
            case "DELETE", "/standin/counts":
                self.requests.clear()
            case _:
                return Reply(404, {"message": f"the stand-in has no {method} {path}"})
        return Reply(200, {})

    def project(self, method: str, path: str, body: Any) -> Reply:
        """Answer a request about a project, as the vendor would."""
        prefix = f"/v1/projects/{self.ref}"
        if path != prefix and not path.startswith(f"{prefix}/"):
            return Reply(404, {"message": "Project not found"})
        reply = answer(self.state, method, path.removeprefix(prefix), body)
        if method != "GET" and reply.status < 300:
            self.keep()
        return reply


class Handler(BaseHTTPRequestHandler):
    """One connection; a request at a time holds the lock, so that states do not mix."""

    protocol_version = "HTTP/1.1"
    server: ManagementServer

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        try:
            content = json.loads(body) if body else None
        except ValueError:
            self.send(Reply(400, {"message": "body: not JSON"}), {})
            return
        if address.path.startswith("/standin/"):
            with self.server.lock:
                self.send(self.server.control(self.command, address.path, content), {})
        else:
            self.serve_project(address.path, address.query, content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def serve_project(self, path: str, query: str, content: Any) -> None:
        server = self.server
        with server.lock:
            short = path.removeprefix(f"/v1/projects/{server.ref}")
            server.requests.append(f"{self.command} {short}")
            fault = server.fault_of(self.command, short)
        time.sleep(fault.get("delay", 0))
        if fault.get("drop"):
            self.close_connection = True
            return
        with server.lock:
            in_time = server.rate.take()
            headers = server.rate.headers()
            given = self.headers.get("Authorization", "").encode()
            if not hmac.compare_digest(given, f"Bearer {server.token}".encode()):
                reply = Reply(401, {"message": "Unauthorized"})
            elif not in_time:
                reply = Reply(429, {"message": "ThrottlerException: Too Many Requests"})
            elif "status" in fault:
                reply = Reply(fault["status"], {"message": fault.get("message", "told to fail")})
                if "location" in fault:
                    headers["Location"] = fault["location"]
                if fault["status"] == 429:
                    headers["X-RateLimit-Remaining"] = "0"
                    headers["X-RateLimit-Reset"] = str(fault.get("reset", 1))
            elif fault.get("lost"):
                reply = Reply(200, None)
            else:
                reply = server.project(self.command, path, content)
            if fault.get("empty"):
                reply = Reply(reply.status, None)
            self.note(path, query, content, reply, told=bool(fault))
            self.send(reply, headers)

    def note(self, path: str, query: str, content: Any, reply: Reply, *, told: bool) -> None:
        """Append the exchange to the log, without its headers: the token is among them."""
        if self.server.log is not None:
            exchange = {
                "method": self.command, "path": path, "query": query, "request": content,
                "status": reply.status, "reply": reply.body, "fault": told,
            }  # fmt: skip
            with self.server.log.open("a") as log:
                log.write(json.dumps(exchange) + "\n")

    def send(self, reply: Reply, headers: dict[str, str]) -> None:
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        self.send_response(reply.status)
        for name, value in headers.items():
            self.send_header(name, value)
        if body:
            self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Print nothing: `--log` is for who wants to know."""


def _merge(state: State, changes: State) -> None:
    for name, value in changes.items():
        if isinstance(value, dict) and isinstance(state.get(name), dict) and value:
            _merge(state[name], value)
        else:
            state[name] = value


def _loopback(address: str) -> str:
    # Who reaches it can have it fail, and read what it was told: that is this machine alone.
    if not ipaddress.IPv4Address(address).is_loopback:
        raise ValueError
    return address


def options_of(arguments: list[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--host", type=_loopback, default="127.0.0.1", help="127.0.0.0/8")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ref", required=True, help="the project, 20 letters")
    parser.add_argument("--token-file", required=True)
    parser.add_argument("--state", type=Path, help="JSON file that outlives the process")
    parser.add_argument("--log", type=Path, help="file for every request and its reply")
    parser.add_argument("--tls-cert", help="with it and --tls-key: https")
    parser.add_argument("--tls-key")
    parser.add_argument("--rate-limit", type=int, default=RATE_LIMIT)
    parser.add_argument("--rate-window", type=float, default=RATE_WINDOW, help="seconds")
    parser.add_argument("--database-host", help="default: db.<ref>.supabase.co")
    parser.add_argument("--pooler-host", default="aws-7-eu-west-1.pooler.supabase.com")
    parser.add_argument("--pooler-port", type=int, default=6543)
    parser.add_argument("--server-version", default="17.6.1.111")
    parser.add_argument("--region", default="eu-west-1")
    return parser.parse_args(arguments)


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with ManagementServer(options_of(arguments)) as server:
        sys.stdout.write(f"listening on {server.address}\n")
        sys.stdout.flush()
        server.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main(sys.argv[1:])
