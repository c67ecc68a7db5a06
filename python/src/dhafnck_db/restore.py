"""A backup put into an empty database of the environment that it is of, or masked into development.

It never overwrites anything, and nothing of development ever goes to production.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, func, select, text

from dhafnck_db import (
    archive,
    backup_folder,
    backup_record,
    clients,
    comparison,
    identity,
    masking,
    metadata,
    surroundings,
)
from dhafnck_db.backup_folder import Entry
from dhafnck_db.bookkeeping import identity as identity_table
from dhafnck_db.errors import GuardError, TargetError, UsageError, VerificationError
from dhafnck_db.target import Target

RELATIONS = text("""
    SELECT nspname || '.' || relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND nspname = ANY (:schemas) ORDER BY 1
""")


@dataclass(frozen=True)
class Restored:
    """What was restored, or would be."""

    changed: bool
    backup: str
    tables: int
    rows: int
    masked: int  # columns

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def require_fitting(entry: Entry, target: Target, *, refresh: bool) -> None:
    """Refuse a dump that is not the target's to have. Connects to nothing.

    Args:
        entry: the dump with its record.
        target: where it would go.
        refresh: whether production is asked for in development, masked.

    Raises:
        UsageError: the dump holds the schema alone.
        GuardError: it is of another environment or project.
    """
    record = entry.record
    if record.kind != "full" or not record.schemas:
        raise UsageError(
            "nothing-recorded",
            f"{entry.path} is no full backup with a record of its contents",
            help="choose one of `dhafnck-db backup list`",
        )
    of, into = record.environment, target.environment
    if refresh and of == "prod" and into != "prod":
        return
    if of != into:
        way = "" if into == "prod" or of != "prod" else "; --masked takes it without personal data"
        raise GuardError(
            "wrong-environment",
            f"{entry.path} is of a {of or 'nameless'} database, not {into}",
            help=f"check DATABASE_TYPE and the file; nothing was changed{way}",
        )
    if target.reference is not None and record.reference != target.reference:
        raise GuardError(
            "wrong-project",
            f"{entry.path} is of project {record.reference}, not {target.reference}",
            help="check SUPABASE_URL and the file; nothing was changed",
        )


def run(connection: Connection, target: Target, entry: Entry, *, dry_run: bool = False) -> Restored:
    """Restore a backup into the target, in one transaction of pg_restore, and compare it.

    A backup of production in another environment is masked before anything else is done with it;
    until then the database says that it is production, so that no command takes it for less.

    Args:
        connection: to the target, of `session.open_session`.
        target: an empty database.
        entry: what `require_fitting` let through.
        dry_run: check everything that can be checked, and stop.

    Raises:
        TargetError: the target is not empty or older than the dump, or pg_restore failed; then
            nothing was changed.
        VerificationError: the file is not what was recorded, or what was restored is not.
        ConfigurationError: a column that looks personal has no rule; the database stays closed to
            every command, as production.
    """
    record = entry.record
    _require_empty(connection, target)
    major = int(str(connection.scalar(select(func.current_setting("server_version_num"))))) // 10000
    if record.major > major:
        raise TargetError(
            "server-too-old",
            f"{entry.path} is of PostgreSQL {record.major}, {target.backup} is {major}",
            help=f"restore it into PostgreSQL {record.major} or newer",
        )
    backup_record.require_whole(entry.path, record, target.settings)
    connection.rollback()
    masks = record.environment == "prod" and target.environment != "prod"
    done = Restored(True, str(entry.path), len(record.tables), record.rows, 0)
    if dry_run:
        return done
    with backup_folder.in_use(entry):
        _restore(connection, target, entry, major, keep_owners=not masks)
    said = comparison.differences(connection, record, with_catalog=False)
    if said:
        raise VerificationError(
            "restored-differs",
            f"what was restored into {target.backup} is not what was recorded",
            cause="; ".join(said[: comparison.SHOWN]),
            help="drop it, and take another backup",
        )
    masked = 0
    with connection.begin():
        if masks:
            rules = masking.load()
            masking.require_complete(connection, record.schemas, rules)
            masked = masking.apply(connection, record.schemas, rules)
        if target.environment != "prod":
            here = {"environment": target.environment}
            reference = identity.system_identifier(connection)
            connection.execute(identity_table.update().values(**here, reference=reference))
    return Restored(True, done.backup, done.tables, done.rows, masked)


def _restore(
    connection: Connection, target: Target, entry: Entry, major: int, *, keep_owners: bool
) -> None:
    user = str(connection.scalar(select(func.current_user())))
    connection.rollback()
    try:
        archive.restore_into(
            entry.path,
            entry.record.encrypted,
            target.settings,
            program=clients.program("pg_restore", target.settings, major),
            env=clients.environment(target.backup),
            role=user,
            keep_owners=keep_owners and entry.record.surroundings.get("owner") == user,
        )
    except archive.Failed as failure:
        raise TargetError(
            "restore-failed",
            f"pg_restore of {entry.path} into {target.backup} failed; nothing was changed",
            cause=str(failure),
            help=failure.way_out
            or "roles and extensions that it names have to be there; `make dev` makes ours",
        ) from None


def _require_empty(connection: Connection, target: Target) -> None:
    own = metadata.own_schemas(target.settings.db_metadata, connection)
    schemas = surroundings.schemas(connection, own, target.environment)
    found = list(connection.scalars(RELATIONS, {"schemas": sorted(schemas)}))
    if found:
        raise TargetError(
            "target-not-empty",
            f"{target.backup} is not empty: it has {', '.join(found[:3])}"
            + (f" and {len(found) - 3} more" if len(found) > 3 else ""),
            help="`make restore` dumps and remakes the development database first",
        )
