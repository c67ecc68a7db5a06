"""Whether the pools of all processes fit into what the server and the pooler allow.

It connects to nothing: the limits are given.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from dhafnck_db.endpoints import Endpoint
from dhafnck_db.errors import ConfigurationError


@dataclass(frozen=True)
class Limits:
    """What a server and its pooler allow; None is not limited, or not known."""

    server: int  # connections of the server (max_connections)
    reserved: int = 0  # of these, kept for administration and the vendor's own services
    pool_size: int | None = None  # connections of the pooler to the server
    pooler_clients: int | None = None  # clients of the pooler


@dataclass(frozen=True)
class Budget:
    """The connections that an application may open, beside what there is for it."""

    processes: int
    per_process: int  # pool size and overflow
    way: str  # what they connect to: the server, or its pooler in one mode
    allowed: int
    limit: str  # the one of the limits that allows the least

    @property
    def wanted(self) -> int:
        """Connections that all processes together may open."""
        return self.processes * self.per_process

    @property
    def fits(self) -> bool:
        return self.wanted <= self.allowed

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "wanted": self.wanted, "fits": self.fits}


def plan(endpoint: Endpoint, processes: int, per_process: int, limits: Limits) -> Budget:
    """Return the budget of processes that each connect to an endpoint. Pure.

    A pooler in session mode holds one of its connections to the server for each client, so its
    pool size limits the clients (its error EMAXCONNSESSION says so); in transaction mode it shares
    them out. Sources disagree whether both modes share the pool size: leave some for the other.

    Raises:
        ConfigurationError: the limit that decides is not given.
    """
    direct = ("max_connections less the reserved ones", limits.server - limits.reserved)
    clients = ("clients of the pooler", limits.pooler_clients)
    size = ("pool size of the pooler", limits.pool_size)
    if endpoint.on_transaction_pooler:
        way, bounds = "transaction pooler", [clients]
    elif endpoint.on_pooler:
        way, bounds = "session pooler", [direct, clients, size]
    else:
        way, bounds = "server", [direct]
    known = [(allowed, name) for name, allowed in bounds if allowed is not None]
    if not known:
        raise ConfigurationError(
            "limit-missing",
            f"how many clients the {way} takes is not given",
            help="give it with --pooler-clients; the project's compute size decides it",
        )
    allowed, limit = min(known)
    return Budget(processes, per_process, way, allowed, limit)


def require(budget: Budget) -> None:
    """Refuse a budget that does not fit.

    Raises:
        ConfigurationError: the processes may open more connections than there are.
    """
    if not budget.fits:
        most = budget.allowed // budget.processes
        raise ConfigurationError(
            "pool-budget-exceeded",
            f"{budget.processes} processes with {budget.per_process} connections each may open "
            f"{budget.wanted} to the {budget.way}, which allows {budget.allowed}",
            cause=f"the limit is the {budget.limit}",
            help=f"let DB_POOL_SIZE and DB_MAX_OVERFLOW add up to {most}, or run fewer processes"
            if most
            else "run fewer processes",
        )
