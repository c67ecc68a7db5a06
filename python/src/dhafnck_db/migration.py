"""A migration that is applied whole or leaves nothing, and what is put aside before it.

It never decides what is migrated.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import psycopg2
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from dhafnck_db import backup, catalog, concurrently, lock_watch, metadata, revision
from dhafnck_db.catalog import Catalog
from dhafnck_db.errors import TargetError, UsageError
from dhafnck_db.lock_watch import Watch
from dhafnck_db.target import Target

log = logging.getLogger(__name__)

# PostgreSQL's lock_not_available and deadlock_detected: another session stood in the way.
BLOCKED = ("55P03", "40P01")
CANCELED = "57014"  # query_canceled: `lock_watch` ends a wait by it
FIRST_WAIT = 0.5  # seconds; each further one is twice as long
JITTER = 0.5  # at most this part of a wait is added, so that two runs do not meet again


class LooksOn(Protocol):
    """Somebody who looks at a migration from within, such as a rehearsal; changes nothing."""

    def begin(self) -> None:
        """Revisions are about to be applied or undone; once more for each further attempt."""

    def applied(self, **about: Any) -> None:
        """One was, in the transaction that is not committed yet; `about` is as Alembic gives it."""


@dataclass(frozen=True)
class _Before:
    """What stood when a migration began."""

    catalog: Catalog
    schemas: set[str]
    at: list[str]  # the revisions


def run(connection: Connection, target: Target, migrate: Callable[[], None]) -> None:
    """Call `migrate`, which runs in one transaction, and see what it left where it failed.

    In production a restore point comes first: a dump of the project's schemas in DB_BACKUP_DIR,
    with its record. Locks that are not had within DB_LOCK_TIMEOUT make the whole transaction start
    again, DB_LOCK_RETRIES times, after growing waits in which nobody queues behind it. What a
    revision does outside the transaction splits the run in two: what came before it is committed,
    with its revisions, and whoever calls again goes on from there.

    Raises:
        TargetError: a statement failed and nothing was changed (migration-failed), others held a
            lock through all attempts (migration-blocked), some revisions stay (migration-stopped),
            or a part of one does (migration-half-done); or the restore point could not be made.
    """
    settings = target.settings
    schemas = metadata.own_schemas(settings.db_metadata, connection)
    at = revision.heads(connection, settings.db_version_table)
    before = _Before(catalog.read(connection, schemas), schemas, at)
    if target.environment == "prod":
        _put_aside(connection, target)
    with (
        lock_watch.watching(connection, target) as watch,
        concurrently.prepared(connection, settings.db_lock_timeout) as builds,
    ):
        for attempt in range(settings.db_lock_retries + 1):
            try:
                migrate()
            except DBAPIError as failure:
                blocked = _blocked(failure, watch)
                try:
                    connection.rollback()
                    builds.broke_off(connection)
                except (DBAPIError, psycopg2.Error):
                    raise _lost(target, failure) from None
                if not blocked or attempt == settings.db_lock_retries:
                    raise _ended(connection, target, before, failure, watch) from None
            else:
                return
            wait = FIRST_WAIT * 2**attempt * (1 + random.uniform(0, JITTER))  # noqa: S311  # no secret
            why = watch.said or "another session holds a lock"
            log.warning("%s; the migration starts again in %.1f s", why, wait)
            time.sleep(wait)


def _put_aside(connection: Connection, target: Target) -> None:
    folder = target.settings.db_backup_dir
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S.%fZ")
    dump = folder / f"{target.reference}-{moment}-schema.dump"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as failure:
        raise UsageError(
            "file-unwritable",
            f"cannot create the folder {folder}",
            cause=failure.strerror,
            help="name another in DB_BACKUP_DIR; nothing was changed",
        ) from None
    backup.dump(connection, target, dump, schema_only=True)
    log.warning("the schema from before is kept as %s", dump)


def _blocked(failure: DBAPIError, watch: Watch) -> bool:
    code = getattr(failure.orig, "pgcode", None)
    return code in BLOCKED or (code == CANCELED and watch.ended)


def _ended(
    connection: Connection, target: Target, before: _Before, failure: DBAPIError, watch: Watch
) -> TargetError:
    """Return the error that says what a migration that failed left."""
    try:
        found = before.catalog.changed(catalog.read(connection, before.schemas))
        at = revision.heads(connection, target.settings.db_version_table)
        connection.rollback()
    except DBAPIError:
        return _lost(target, failure)
    cause = _cause(failure)
    if found and at == before.at:
        return _half_done(target, found, cause)
    blocked = _blocked(failure, watch)
    if blocked and watch.said:
        cause = f"{cause}: {watch.said}"
    if found:
        return TargetError(
            "migration-stopped",
            f"{target.admin} refused a statement; what came before is committed, up to revision "
            f"{', '.join(at) or 'base'}",
            cause=cause,
            help="a revision works outside the transaction, which commits what came before it: "
            "mend what stands in the way, and run the same again; it goes on from there",
        )
    if blocked:
        pids = [pid for pid in watch.blockers if pid]
        end = f", with SELECT pg_terminate_backend({pids[0]}) if it must be" if pids else ""
        return TargetError(
            "migration-blocked",
            f"others held a lock that the migration of {target.admin} needs, through "
            f"{target.settings.db_lock_retries + 1} attempts; nothing was changed",
            cause=cause,
            help=f"end that transaction{end}, and run again; DB_LOCK_TIMEOUT and DB_LOCK_RETRIES "
            "say how long to try",
        )
    return TargetError(
        "migration-failed",
        f"{target.admin} refused a statement; the migration was rolled back",
        cause=cause,
        help=f"nothing was changed (the catalog is {before.catalog.sha256[:12]} as before): mend "
        "the revision, or remove what stands in its way",
    )


def _half_done(target: Target, found: list[str], cause: str | None) -> TargetError:
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return TargetError(
        "migration-half-done",
        f"a statement failed, and the catalog of {target.admin} is not as it was before",
        cause=f"{cause}; changed: {', '.join(found[:3])}{more}",
        help="a revision commits a part of itself: mend it and run again, if it takes what is "
        "there already (IF NOT EXISTS), else undo by hand what it left, or go back to a backup",
    )


def _lost(target: Target, failure: DBAPIError) -> TargetError:
    return TargetError(
        "migration-unknown",
        f"{target.admin} was lost during the migration",
        cause=_cause(failure),
        help="see with `dhafnck-db schema current` and `schema check` what stands",
    )


def _cause(failure: DBAPIError) -> str | None:
    return next(iter(str(failure.orig).strip().splitlines()), None)
