"""How many addresses a host's name has, within a bound that the system's resolver does not keep."""

from __future__ import annotations

import socket
import time
from queue import Empty, SimpleQueue
from threading import Thread

from dhafnck_db import failures
from dhafnck_db.endpoints import Endpoint

SHORTEST = 2  # seconds; libpq waits no shorter


def seconds_per_address(endpoint: Endpoint, timeout: int) -> int:
    """Return how long each address of an endpoint's host may take, so that all keep the timeout.

    libpq tries one address after the other and gives each the whole of its connect_timeout. Asks
    the resolver; nothing is sent to the host.

    Raises:
        TargetError: the name has no address, or the resolver gave none in time.
    """
    host = endpoint.url.host
    if endpoint.address or not host or host.startswith("/"):
        return timeout
    answer: SimpleQueue[int | str] = SimpleQueue()
    started = time.monotonic()
    # A thread of its own, left behind when it is late: nothing can interrupt the resolver.
    Thread(target=_ask, args=(host, answer), daemon=True).start()
    try:
        found = answer.get(timeout=timeout)
    except Empty:
        found = f"no answer within {timeout} s"
    if isinstance(found, str):
        said = f'could not translate host name "{host}" to address: {found}'
        raise failures.explain(endpoint, said)
    left = timeout - (time.monotonic() - started)
    return max(SHORTEST, int(left + 0.5) // found)


def _ask(host: str, answer: SimpleQueue[int | str]) -> None:
    try:
        addresses = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as failure:
        answer.put(getattr(failure, "strerror", None) or "not a host's name")
    else:
        answer.put(len(addresses))
