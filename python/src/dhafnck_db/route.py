"""The ways to a database in the order in which they are tried, and which one was taken and why.

It never tries a second way once a server has answered.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy
from sqlalchemy import Connection, NullPool
from sqlalchemy.exc import DBAPIError

from dhafnck_db import certificates, failures, lookup
from dhafnck_db.endpoints import Endpoint
from dhafnck_db.errors import TargetError


@dataclass(frozen=True)
class Outcome:
    """The way that was taken; `str()` of it is safe to print and says why."""

    endpoint: Endpoint
    passed: tuple[tuple[Endpoint, TargetError], ...] = ()  # those that led nowhere before

    def __str__(self) -> str:
        said = self.endpoint.described
        return f"{said}; {_tried(self.passed)}" if self.passed else said

    def to_dict(self) -> dict[str, Any]:
        return {
            "endpoint": str(self.endpoint),
            "way": self.endpoint.way,
            "passed": [
                {"endpoint": str(endpoint), "way": endpoint.way, "cause": fault.cause}
                for endpoint, fault in self.passed
            ],
        }


class Route:
    """The ways to a database, and the one that was taken once a connection was made."""

    def __init__(self, endpoints: tuple[Endpoint, ...]) -> None:
        self.endpoints = endpoints
        self.taken: Outcome | None = None

    def __repr__(self) -> str:
        return f"Route({self.taken or ', '.join(map(str, self.endpoints))})"

    @property
    def endpoint(self) -> Endpoint:
        """The way that was taken; before that, the first."""
        return self.taken.endpoint if self.taken else self.endpoints[0]

    @property
    def reason(self) -> str:
        """Which way was taken, and what became of those before it."""
        passed = self.taken.passed if self.taken else ()
        return "; ".join([self.endpoint.way, *([_tried(passed)] if passed else [])])

    def open(self, timeout: int, options: dict[str, Any]) -> Connection:
        """Connect by the first way that leads to a server, and remember it for the next time.

        Args:
            timeout: seconds for each way.
            options: libpq's other options.

        Raises:
            ConfigurationError: the file of root certificates cannot be used.
            TargetError: no way leads to a server, or the server refused.
        """
        passed: tuple[tuple[Endpoint, TargetError], ...] = ()
        for endpoint in (self.taken.endpoint,) if self.taken else self.endpoints:
            try:
                connection = _connect(endpoint, timeout, options)
            except TargetError as fault:
                # Whatever a server answers would be answered again, and a wrong password is one of
                # two before the vendor bans the address.
                if fault.code != failures.UNREACHABLE or endpoint == self.endpoints[-1]:
                    raise _with(passed, fault) from None
                passed += ((endpoint, fault),)
            else:
                self.taken = self.taken or Outcome(endpoint, passed)
                return connection
        raise AssertionError("a route has a way")


def _connect(endpoint: Endpoint, timeout: int, options: dict[str, Any]) -> Connection:
    certificates.require_usable(endpoint)
    seconds = lookup.seconds_per_address(endpoint, timeout)
    engine = sqlalchemy.create_engine(
        endpoint.url, poolclass=NullPool, connect_args={**options, "connect_timeout": seconds}
    )
    try:
        return engine.connect()
    except DBAPIError as failure:
        raise failures.explain(endpoint, str(failure.orig)) from None


def _with(passed: tuple[tuple[Endpoint, TargetError], ...], fault: TargetError) -> TargetError:
    """Return the error of the last way, with what became of the others."""
    if not passed:
        return fault
    cause = f"{fault.cause}; before, {_tried(passed)}"
    return TargetError(fault.code, fault.message, cause=cause, help=fault.help)


def _tried(passed: tuple[tuple[Endpoint, TargetError], ...]) -> str:
    return "; ".join(f"the {way.way} {way.url.host}: {fault.cause}" for way, fault in passed)
