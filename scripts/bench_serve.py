"""Ask the health service with many probes at once, beside a bare SELECT 1; prints a table.

It judges nothing. Needs a configured database (`make dev`), reads it alone, and takes a free port.
Both sides are FastAPI and uvicorn with the same number of probes at once: the bare side runs
SELECT 1 through the application's pool for each request, the other is /health/database with the
cache off.
"""

import argparse
import asyncio
import multiprocessing
import os
import platform
import resource
import socket
import statistics
import time
from multiprocessing.connection import Connection as Pipe
from threading import Thread

import uvicorn
from fastapi import FastAPI
from sqlalchemy import text

from dhafnck_db.errors import ToolkitError
from dhafnck_db.service import create_app
from dhafnck_db.settings import load_settings
from dhafnck_db.target import connect_admin, create_engine, resolve

REQUEST = "GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n"


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--probes", type=int, default=200, help="at once (200)")
    options.add_argument("--seconds", type=int, default=60, help="of each measurement (60)")
    given = options.parse_args()
    require_database()
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(f"{given.probes} probes at once, {given.seconds} s each\n")
    print(f"{'':<34}{'median':>10}{'95 %':>10}{'answers':>10}{'memory':>10}")
    medians = []
    for title, kind, path in (
        ("SELECT 1 through the pool", "bare", "/"),
        ("/health/database, cache off", "uncached", "/health/database"),
        ("/health/database", "cached", "/health/database"),
        ("/health/live", "cached", "/health/live"),
    ):
        taken, memory = measured(kind, path, given.probes, given.seconds)
        medians.append(statistics.median(taken))
        slow = statistics.quantiles(taken, n=20)[-1]
        print(
            f"{title:<34}{medians[-1] * 1000:>7.1f} ms{slow * 1000:>7.1f} ms"
            f"{len(taken):>10}{memory:>7.0f} MB"
        )
    print(f"\n/health/database with the cache off: {medians[1] / medians[0]:.2f} x SELECT 1")


def require_database() -> None:
    """Leave with the reason where no database answers: no probe would be answered either."""
    try:
        with connect_admin(resolve(load_settings())):
            pass
    except ToolkitError as failure:
        raise SystemExit(str(failure)) from None


def measured(kind: str, path: str, probes: int, seconds: int) -> tuple[list[float], float]:
    """Return the seconds of each answer, and the service's largest memory in megabytes."""
    with socket.create_server(("127.0.0.1", 0), backlog=2 * probes) as listening:
        near, far = multiprocessing.Pipe()
        service = multiprocessing.get_context("fork").Process(
            target=serve,
            args=(kind, listening, far),
            daemon=True,  # ends with this process, whatever that ends of
        )
        service.start()
        taken = asyncio.run(probe(listening.getsockname()[1], path, probes, seconds))
        near.send("stop")
        memory = near.recv()
        service.join()
    return taken, memory


def serve(kind: str, listening: socket.socket, told: Pipe) -> None:
    """Run a service until it is told to stop; then tell its memory."""
    settings = load_settings()
    if kind == "bare":
        app = bare(FastAPI())
    else:
        cache = 0.0 if kind == "uncached" else settings.db_health_cache
        app = create_app(resolve(settings.model_copy(update={"db_health_cache": cache})))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))

    def stop() -> None:
        told.recv()
        server.should_exit = True

    Thread(target=stop, daemon=True).start()
    server.run(sockets=[listening])
    told.send(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000)


def bare(app: FastAPI) -> FastAPI:
    engine = create_engine(load_settings().model_copy(update={"db_echo": False}))

    @app.get("/")
    def select() -> dict[str, object]:
        with engine.connect() as connection:
            return {"answer": connection.scalar(text("SELECT 1"))}

    return app


async def probe(port: int, path: str, probes: int, seconds: int) -> list[float]:
    """Ask again and again from so many connections at once; each answer has to be 200."""
    taken: list[float] = []
    until = time.monotonic() + seconds

    async def ask() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while time.monotonic() < until:
            started = time.perf_counter()
            writer.write(REQUEST.format(path).encode())
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            await reader.readexactly(int(head.split("content-length: ")[1].split("\r")[0]))
            if not head.startswith("http/1.1 200"):
                raise SystemExit(f"{path} answered {head.splitlines()[0]}: see `make health`")
            taken.append(time.perf_counter() - started)
        writer.close()

    await asyncio.gather(*(ask() for _ in range(probes)))
    return taken


if __name__ == "__main__":
    main()
