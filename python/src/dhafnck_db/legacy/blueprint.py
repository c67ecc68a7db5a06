"""What the target has to be like: the tables of the models.

A process of its own reads them. The ORM that knows them takes more memory than an import, which so
has it for itself.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import MetaData


def read_blueprint() -> MetaData:
    """Return the tables that the models make. Read-only.

    To be called before anything big is loaded: the other process is there for the same moment.
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
        return _bare()  # fails here with its reason
    from sqlalchemy import MetaData

    models = pickle.loads(ended.stdout)  # noqa: S301  # this program's own
    if not isinstance(models, MetaData):
        raise TypeError(models)
    return models


def _bare() -> MetaData:
    """Return the tables without anything of the ORM, which a part of them would bring along."""
    from sqlalchemy import MetaData

    from dhafnck_db.models import Base

    bare = MetaData(naming_convention=Base.metadata.naming_convention)
    for table in Base.metadata.tables.values():
        table.to_metadata(bare)
    return bare


if __name__ == "__main__":
    sys.stdout.buffer.write(pickle.dumps(_bare()))
