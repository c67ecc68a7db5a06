"""Whether what a database has and what the checkout knows are one history.

It never writes. A database that is only older than the checkout is one history with it.
"""

from __future__ import annotations

from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from dhafnck_db import applied, revision
from dhafnck_db.errors import TargetError
from dhafnck_db.settings import Settings
from dhafnck_db.target import Target


def require_one(
    connection: Connection, script: ScriptDirectory, target: Target, *, upgrades: bool
) -> None:
    """Refuse to move a database whose history is another than the checkout's. Read-only.

    Args:
        connection: to the database.
        script: the revisions of the checkout.
        target: the database concerned.
        upgrades: whether revisions are about to be applied; then an edited one is refused too. The
            way back is open, since it may be how to get rid of one.

    Raises:
        TargetError: the database is at a revision that the checkout does not know, it has one that
            does not lead there, or the file of one was edited since.
    """
    known = {step.revision for step in script.walk_revisions()}
    at = revision.heads(connection, target.settings.db_version_table)
    unknown = [name for name in at if name not in known]
    if unknown:
        raise TargetError(
            "unknown-revision",
            f"{target.admin} is at revision {', '.join(unknown)}, which this checkout does not "
            "know",
            help="update the checkout; the database was migrated by a newer one",
        )
    stray = diverged(connection, script, target.settings)
    if stray:
        raise TargetError(
            "diverged-history",
            f"{target.admin} has revision {', '.join(stray)}, which does not lead to "
            f"{', '.join(at) or 'base'}, where it is",
            cause="the version was set by hand, or the revisions were put into another order",
            help="take the checkout that it was migrated with, or tell by `alembic stamp` where "
            "it really is; `dhafnck-db schema check` compares it with the models",
        )
    names = applied.edited(connection, script, target.settings) if upgrades else []
    if names:
        raise TargetError(
            "edited-revision",
            f"the file of revision {', '.join(names)} is another than when {target.admin} got it",
            cause="what the file says now was never done here; nothing was changed",
            help="put the file back as it was (git log -- alembic/versions), and write the change "
            "into a new revision",
        )


def diverged(connection: Connection, script: ScriptDirectory, settings: Settings) -> list[str]:
    """Return the recorded revisions that do not lead to where the database is. Read-only."""
    at = tuple(revision.heads(connection, settings.db_version_table))
    lead = {step.revision for step in script.iterate_revisions(at, "base")} if at else set()
    return sorted({step.revision for step in applied.read(connection, settings)} - lead)
