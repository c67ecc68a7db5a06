"""Two PostgreSQL databases that behave the same: schema, lossless SQLite import and health.

Importing the package has no effect and loads no library; what an application needs is loaded on
first use.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["__version__", "create_engine"]

if TYPE_CHECKING:
    from dhafnck_db.target import create_engine


def __getattr__(name: str) -> Any:
    # Resolved on first use, so that `dhafnck-db --help` does not pay for SQLAlchemy.
    if name == "create_engine":
        from dhafnck_db.target import create_engine

        return create_engine
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
