"""Whether the application's pool fits into what the server allows.

It opens no connection of the pool; `budget` does the counting.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import column, select, table

from dhafnck_db import budget
from dhafnck_db.doctor.checks import Check, NotHere, said
from dhafnck_db.doctor.connection import SESSION
from dhafnck_db.doctor.context import Context
from dhafnck_db.errors import ConfigurationError
from dhafnck_db.target import pool_of

# The second is there since PostgreSQL 16.
RESERVED = ("superuser_reserved_connections", "reserved_connections")


def _budget(context: Context) -> Iterator[tuple[str, ...]]:
    target = context.target
    if target.app.on_transaction_pooler:
        raise NotHere("the pooler keeps the connections; `dhafnck-db target budget` counts them")
    settings = table("pg_settings", column("name"), column("setting"))
    names = ("max_connections", *RESERVED)
    rows = context.reading.execute(
        select(settings.c.name, settings.c.setting).where(settings.c.name.in_(names))
    )
    found = {str(name): int(setting) for name, setting in rows}
    limits = budget.Limits(found["max_connections"], sum(found.get(name, 0) for name in RESERVED))
    try:
        budget.require(budget.plan(target.app, 1, sum(pool_of(target.settings)), limits))
    except ConfigurationError as fault:
        yield (*said(fault), "SHOW max_connections")


CHECKS = (Check("pool budget", _budget, SESSION),)
