"""The three things done with a legacy file: assess, import, verify.

It never leaves half an import: what is not complete and verified is rolled back.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg2
from sqlalchemy import Connection, MetaData, Table, inspect, select, text
from sqlalchemy.exc import DBAPIError

from dhafnck_db.bookkeeping import imports
from dhafnck_db.errors import SourceError, TargetError, ToolkitError, VerificationError
from dhafnck_db.legacy.assessment import Assessment, assess_snapshot
from dhafnck_db.legacy.batches import Batch
from dhafnck_db.legacy.judge import Progress
from dhafnck_db.legacy.keep import keep_snapshot
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import PUBLIC
from dhafnck_db.legacy.load import load, lock, require_room
from dhafnck_db.legacy.mapping import load_mapping
from dhafnck_db.legacy.plan import OWNERLESS, Plan, RejectsFoundError
from dhafnck_db.legacy.prove import prove
from dhafnck_db.legacy.results import ImportResult, TableHashes, VerifyResult
from dhafnck_db.legacy.snapshot import WAIT, Snapshot, open_snapshot
from dhafnck_db.legacy.verify import verify

__all__ = [
    "ImportResult",
    "Plan",
    "Progress",
    "RejectsFoundError",
    "VerifyResult",
    "assess",
    "import_file",
    "verify_file",
]


def assess(
    path: Path,
    *,
    models: MetaData | None = None,
    owner: str | None,
    progress: Progress | None = None,
    wait: float = WAIT,
) -> Plan:
    """Return what an import of the file would do. Read-only; needs no database.

    `models` are the tables to import into, by default the package's own.

    Raises:
        SourceError: the file cannot be read.
    """
    with open_snapshot(path, wait=wait) as snapshot:
        return _assess(snapshot, Keys(snapshot.connection), _or_own(models), owner, progress).plan


def import_file(
    connection: Connection,
    path: Path,
    *,
    models: MetaData | None = None,
    owner: str | None,
    quarantine: bool = False,
    dry_run: bool = False,
    keep: Path | None = None,
    progress: Progress | None = None,
    wait: float = WAIT,
) -> ImportResult:
    """Bring a legacy file into the database, and prove it before COMMIT.

    Runs in one transaction of its own on a connection that is in none; the caller holds the lock.
    `models` are the tables to import into, by default the package's own.
    Before anything else a copy of the file is kept in the folder `keep`, if one is named. A file
    that was imported before changes nothing, nor does a dry run, which also answers for a database
    whose schema is not made yet.

    Raises:
        SourceError: the file cannot be read, rows need an owner that nobody names, or values
            cannot be carried exactly and `quarantine` is false (RejectsFoundError, with the plan).
        TargetError: a table concerned holds rows, or another file was imported.
        VerificationError: what was read back differs from the file; nothing was committed.
        ToolkitError: each of them has the plan and the reason as `result` once there is a plan.
    """
    models = _or_own(models)
    seconds: dict[str, float] = {}
    with ExitStack() as stack:
        with _timed(seconds, "snapshot"):
            snapshot = stack.enter_context(open_snapshot(path, wait=wait))
            keys = Keys(snapshot.connection)
        kept = None
        if keep is not None and not dry_run:
            with _timed(seconds, "keep"):
                kept = keep_snapshot(snapshot, keep).path
        with _explained(), connection.begin():
            if known := _known_import(connection, snapshot):
                return ImportResult(known, False, None, seconds, kept)
        with _timed(seconds, "assess"):
            assessment = _assess(snapshot, keys, models, owner, progress)
        plan = assessment.plan
        stack.enter_context(_told_of(ImportResult(plan, False, None, seconds, kept)))
        _require_owner(plan)
        if plan.rejects and not quarantine:
            raise RejectsFoundError(plan)
        with _explained(), connection.begin():
            if dry_run:
                if _has_schema(connection):
                    require_room(connection, assessment)
                return ImportResult(plan, True, None, seconds)
            lock(connection, assessment)
            if known := _known_import(connection, snapshot):
                return ImportResult(known, False, None, seconds, kept)
            require_room(connection, assessment)
            snapshot.require_same_file()
            with _timed(seconds, "load"):
                sent = load(connection, snapshot, assessment, keys, progress)
            with _timed(seconds, "verify"):
                hashes = _verify(connection, snapshot, assessment, models)
    return ImportResult(plan, True, True, seconds, kept, sent, hashes)


def verify_file(
    connection: Connection, path: Path, *, models: MetaData | None = None, wait: float = WAIT
) -> VerifyResult:
    """Compare every value of a legacy file with what the database holds now. Read-only.

    Raises:
        SourceError: the file cannot be read.
        VerificationError: the file was never imported, or a value differs and the application did
            not update its row since; names tables and keys.
    """
    with open_snapshot(path, wait=wait) as snapshot, _explained(), connection.begin():
        connection.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"))
        recorded = select(imports.c.plan, imports.c.imported_at).where(
            imports.c.source_sha256 == snapshot.sha256
        )
        found = connection.execute(recorded).one_or_none() if _has_schema(connection) else None
        if found is None:
            raise VerificationError(
                "not-imported",
                f"{path} was not imported into this database",
                help="import it with `sqlite import`, or name the file that was",
            )
        plan = Plan.from_dict(found.plan)
        comparison = verify(
            connection, snapshot.connection, plan, _or_own(models), since=found.imported_at
        )
        comparison.require_equal()
        return VerifyResult(plan, comparison)


def _or_own(models: MetaData | None) -> MetaData:
    """Return the given models, else the package's."""
    if models is None:
        from dhafnck_db.models import Base

        return Base.metadata
    return models


def _assess(
    snapshot: Snapshot,
    keys: Keys,
    models: MetaData,
    owner: str | None,
    progress: Progress | None,
) -> Assessment:
    return assess_snapshot(
        snapshot,
        keys,
        models=models,
        mapping=load_mapping(),
        owner=owner,
        progress=progress,
    )


def _verify(
    connection: Connection, snapshot: Snapshot, assessment: Assessment, models: MetaData
) -> tuple[TableHashes, ...]:
    """Compare what was just loaded with the file: batches as a whole, other rows one by one.

    Returns the hashes of what was compared. Raises VerificationError on a difference.
    """
    plan = assessment.plan
    by_name = {laid.plan.name: laid for laid in assessment.tables}
    hashes = []

    def proven(name: str, target: Table) -> Sequence[Batch]:
        laid = by_name[name]
        proof = prove(connection, snapshot, laid, target, models, plan.owner)
        rows = laid.plan.rows - len(laid.plan.rejected)
        if rows:
            hashes.append(
                TableHashes(name, f"{target.schema or PUBLIC}.{target.name}", rows, *proof.hashes)
            )
        return laid.batches if proof.holds else ()

    verify(connection, snapshot.connection, plan, models, proven=proven).require_equal()
    return tuple(hashes)


def _require_owner(plan: Plan) -> None:
    ownerless = [warning.table for warning in plan.warnings if warning.code == OWNERLESS]
    if ownerless:
        raise SourceError(
            OWNERLESS,
            f"rows of {', '.join(ownerless)} have no owner; nothing was written",
            help="name the user_id that they shall belong to with --owner",
        )


def _has_schema(connection: Connection) -> bool:
    return inspect(connection).has_table(imports.name, schema=imports.schema)


def _known_import(connection: Connection, snapshot: Snapshot) -> Plan | None:
    """Return the plan of an earlier import of the same content; refuse where another was."""
    if not _has_schema(connection):
        return None
    for row in connection.execute(select(imports.c.source_sha256, imports.c.source_name)):
        if row.source_sha256 != snapshot.sha256:
            raise TargetError(
                "target-not-empty",
                f"the database already holds the import of {row.source_name}",
                help="import into a fresh database",
            )
        found = select(imports.c.plan).where(imports.c.source_sha256 == snapshot.sha256)
        return Plan.from_dict(connection.execute(found).scalar_one())
    return None


@contextmanager
def _timed(seconds: dict[str, float], phase: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        seconds[phase] = round(time.monotonic() - began, 3)


@contextmanager
def _told_of(known: ImportResult) -> Iterator[None]:
    """Give an error what is known of the import that it ends, and why it ends."""
    try:
        yield
    except ToolkitError as error:
        error.result = {
            **known.to_dict(),
            "verified": False if isinstance(error, VerificationError) else None,
            "error": error.code,
            "reason": {"message": error.message, "cause": error.cause, "help": error.help},
        }
        raise


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the server says into an error that names the way out; it has rolled back."""
    try:
        yield
    except (DBAPIError, psycopg2.Error) as failure:
        said = failure.orig if isinstance(failure, DBAPIError) else failure
        raise TargetError(
            "load-failed",
            "the server ended the transaction; the database is as it was before",
            cause=str(said).strip().splitlines()[0] if str(said).strip() else type(said).__name__,
            help="remove the cause and start again; nothing has to be cleaned up",
        ) from failure
