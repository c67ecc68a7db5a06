"""A migration that is applied whole or leaves nothing, and what is put aside before it.

It never decides what is migrated.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from dhafnck_db import backup, catalog, metadata
from dhafnck_db.catalog import Catalog
from dhafnck_db.errors import TargetError, UsageError
from dhafnck_db.target import Target

log = logging.getLogger(__name__)

LOCK_TIMEOUT = "55P03"  # PostgreSQL's lock_not_available
FIRST_WAIT = 0.5  # seconds; each further one is twice as long


def run(connection: Connection, target: Target, migrate: Callable[[], None]) -> None:
    """Call `migrate`, which runs in one transaction, and see what it left where it failed.

    In production a restore point comes first: a dump of the project's schemas in DB_BACKUP_DIR,
    with its record. A lock that is not had within DB_LOCK_TIMEOUT makes the whole migration start
    again, DB_LOCK_RETRIES times, after growing waits.

    Raises:
        TargetError: a statement failed, and the catalog is as it was (migration-failed) or is not
            (migration-half-done); or the restore point could not be made.
    """
    schemas = metadata.own_schemas(target.settings.db_metadata, connection)
    before = catalog.read(connection, schemas)
    if target.environment == "prod":
        _put_aside(connection, target)
    retries = target.settings.db_lock_retries
    for attempt in range(retries + 1):
        try:
            migrate()
        except DBAPIError as failure:
            _require_untouched(connection, target, before, schemas, failure)
            if getattr(failure.orig, "pgcode", None) != LOCK_TIMEOUT or attempt == retries:
                raise _failed(target, before, failure) from None
        else:
            return
        wait = FIRST_WAIT * 2**attempt
        log.warning("another session holds a lock; the migration starts again in %.1f s", wait)
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


def _require_untouched(
    connection: Connection, target: Target, before: Catalog, schemas: set[str], failure: DBAPIError
) -> None:
    """Refuse to call a migration rolled back that left something."""
    cause = _cause(failure)
    try:
        connection.rollback()
        found = before.changed(catalog.read(connection, schemas))
    except DBAPIError:
        raise TargetError(
            "migration-unknown",
            f"{target.admin} was lost during the migration",
            cause=cause,
            help="see with `dhafnck-db schema current` and `schema check` what stands",
        ) from None
    if found:
        more = f" and {len(found) - 3} more" if len(found) > 3 else ""
        raise TargetError(
            "migration-half-done",
            f"a statement failed, and the catalog of {target.admin} is not as it was before",
            cause=f"{cause}; changed: {', '.join(found[:3])}{more}",
            help="a revision commits on its own: undo by hand what it left, or go back to a backup",
        )


def _failed(target: Target, before: Catalog, failure: DBAPIError) -> TargetError:
    return TargetError(
        "migration-failed",
        f"{target.admin} refused a statement; the migration was rolled back",
        cause=_cause(failure),
        help=f"nothing was changed (the catalog is {before.sha256[:12]} as before): mend the "
        "revision, or remove what stands in its way",
    )


def _cause(failure: DBAPIError) -> str | None:
    return next(iter(str(failure.orig).strip().splitlines()), None)
