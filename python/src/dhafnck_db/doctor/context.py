"""What the doctor's checks share: each step is tried once, and its failure remembered.

It never writes; a login that failed is not sent again.
"""

from __future__ import annotations

from contextlib import ExitStack
from functools import cached_property

from sqlalchemy import Connection, func, select, text

from dhafnck_db.doctor import own
from dhafnck_db.doctor.own import OwnServer
from dhafnck_db.errors import ToolkitError
from dhafnck_db.settings import Settings
from dhafnck_db.target import Target, connect_admin, current_target

STATEMENT_LIMIT = "5s"  # kept by the server


class Context:
    """The configuration and one connection, had when first asked for; a context manager."""

    def __init__(self) -> None:
        self._open = ExitStack()

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def target(self) -> Target:
        """Where to. For checks that need the configuration."""
        if isinstance(self._target, ToolkitError):
            raise self._target
        return self._target

    @property
    def settings(self) -> Settings:
        """The configuration. For checks that need it."""
        return self.target.settings

    @property
    def reading(self) -> Connection:
        """The connection, in a new transaction that cannot write and waits for nothing long."""
        connection = self.connection
        connection.rollback()
        connection.execute(text("SET TRANSACTION READ ONLY"))
        connection.execute(select(func.set_config("statement_timeout", STATEMENT_LIMIT, True)))
        return connection

    @property
    def connection(self) -> Connection:
        """The connection, by the way for administration. For checks that need it."""
        if isinstance(self._connection, ToolkitError):
            raise self._connection
        return self._connection

    @property
    def described(self) -> str | None:
        """Where to, without a secret; None where the configuration does not tell."""
        return str(self._target.admin) if isinstance(self._target, Target) else None

    def misconfigured(self) -> ToolkitError | None:
        """Return why the configuration makes no target."""
        return self._target if isinstance(self._target, ToolkitError) else None

    def unconnected(self) -> ToolkitError | None:
        """Return why no connection could be made."""
        return self._connection if isinstance(self._connection, ToolkitError) else None

    @cached_property
    def server(self) -> OwnServer | None:
        """The server that `make dev` made here; None where the target is on another one."""
        return own.find(self.target)

    @cached_property
    def _target(self) -> Target | ToolkitError:
        try:
            return current_target()
        except ToolkitError as fault:
            return fault

    @cached_property
    def _connection(self) -> Connection | ToolkitError:
        try:
            return self._open.enter_context(connect_admin(self.target))
        except ToolkitError as fault:
            return fault
