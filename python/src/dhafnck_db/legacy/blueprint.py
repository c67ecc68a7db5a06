"""What the target has to be like: the tables of the models, and the newest revision.

A process of its own reads them. The libraries that know them, an ORM and Alembic, take more memory
than an import, which so has it for itself.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData


@dataclass(frozen=True)
class Blueprint:
    """What the target has to be like."""

    models: MetaData
    head: str | None  # the newest revision


def read_blueprint() -> Blueprint:
    """Return what the target has to be like, by the environment and its env file. Read-only.

    To be called before anything big is loaded: the other process is there for the same moment.

    Raises:
        ConfigurationError: the environment does not say where the migrations are.
    """
    ended = subprocess.run(  # noqa: S603  # this program itself
        # -P: nothing is imported from the working directory.
        [sys.executable, "-P", "-m", __name__],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if ended.returncode:
        return _blueprint()  # fails here with its reason
    blueprint = pickle.loads(ended.stdout)  # noqa: S301  # this program's own
    if not isinstance(blueprint, Blueprint):
        raise TypeError(blueprint)
    return blueprint


def _blueprint() -> Blueprint:
    from dhafnck_db import schema
    from dhafnck_db.models import Base
    from dhafnck_db.settings import load_settings

    return Blueprint(_bare(Base.metadata), schema.head(load_settings()))


def _bare(models: MetaData) -> MetaData:
    """Return the tables without anything of the ORM, which a part of them would bring along."""
    from sqlalchemy import MetaData

    bare = MetaData(naming_convention=models.naming_convention)
    for table in models.tables.values():
        table.to_metadata(bare)
    return bare


if __name__ == "__main__":
    from dhafnck_db.legacy import blueprint  # by its own name, under which it is read back

    sys.stdout.buffer.write(pickle.dumps(blueprint._blueprint()))
