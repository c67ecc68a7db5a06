"""Metrics for Prometheus: of an application's own engine, and of the database it uses.

    from dhafnck_db.metrics import instrument

    instrument(engine)

The names follow Prometheus' conventions: base units, `_total` for what only grows.
"""

from dhafnck_db.metrics.engine import instrument
from dhafnck_db.metrics.routes import create_router

__all__ = ["create_router", "instrument"]
