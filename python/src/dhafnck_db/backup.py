"""A dump of a database in PostgreSQL's custom format, complete or not there at all.

It never prunes, and it never overwrites a file.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from dhafnck_db import archive, backup_record, catalog, cipher, clients, contents, metadata
from dhafnck_db import surroundings as around
from dhafnck_db.errors import TargetError, UsageError
from dhafnck_db.target import Target

# The transaction that the dump shares its snapshot with; it stays open as long as the dump takes.
SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
ENDLESS = ("idle_in_transaction_session_timeout", "statement_timeout")
LARGE_OBJECTS = text("SELECT EXISTS (SELECT FROM pg_largeobject_metadata)")


def dump(
    connection: Connection,
    target: Target,
    path: Path,
    *,
    schema_only: bool = False,
    recipient: str | None = None,
    number: int = 0,
) -> int:
    """Dump the target's database into a new file (mode 0600) and return its size in bytes.

    Written under a temporary name, synced and renamed, so that a file of that name is complete.
    A record is put beside it; see `backup_record.Record`. What it says of a full dump's tables was
    read in the snapshot that was dumped.

    Args:
        connection: to the target.
        target: what to dump.
        path: the new file.
        schema_only: no rows.
        recipient: whom to encrypt for; see `cipher`.
        number: of the backup in its folder.

    Which schemas, says `surroundings.schemas`; what they need from elsewhere is in the record.

    Raises:
        UsageError: the file exists or cannot be created.
        TargetError: no client of the server's own version, or it failed; no file is left.
    """
    for taken in (path, backup_record.place(path)):
        if taken.exists():
            raise UsageError("file-exists", f"{taken} exists", help="name a new file")
    major = int(str(connection.scalar(select(func.current_setting("server_version_num"))))) // 10000
    program = clients.program("pg_dump", target.settings, major)
    _require_fitting(program, major, newer_will_do=schema_only)
    commands: list[archive.Command] = [[program, "--format=custom", "--no-password"]]
    if recipient is not None:
        commands.append(cipher.encrypting(recipient))
    connection.commit()
    connection.execute(SNAPSHOT)
    for name in ENDLESS:
        connection.execute(select(func.set_config(name, "0", True)))
    own = metadata.own_schemas(target.settings.db_metadata, connection)
    schemas = around.schemas(connection, own, target.environment)
    snapshot = str(connection.scalar(select(func.pg_export_snapshot())))
    options = [
        f"--snapshot={snapshot}",
        *(f"--schema={_exactly(name)}" for name in sorted(schemas)),
    ]
    if schema_only:
        options.append("--schema-only")
    elif connection.scalar(LARGE_OBJECTS):
        options.append("--blobs")  # which a choice of schemas would leave out
    commands[0] = [*commands[0], *options]
    record = backup_record.describe(connection, "schema" if schema_only else "full")
    record = replace(
        record, number=number, encrypted=recipient is not None, schemas=sorted(schemas)
    )
    if not schema_only:
        # Before the dump, since a sequence is in no snapshot and only goes on.
        record = replace(record, sequences=contents.sequences(connection, schemas))
    try:
        with _new_file(path, target) as partial:
            with partial.open("wb") as file:
                fcntl.flock(file, fcntl.LOCK_SH)  # so that nobody takes it for one of a dead run
                archive.run(commands, stdout=file, env=clients.environment(target.backup))
                os.fsync(file.fileno())
            if not schema_only:
                record = _with_contents(record, connection, schemas)
            backup_record.finish(record, partial, path)
    finally:
        connection.rollback()
    return path.stat().st_size


def _with_contents(
    record: backup_record.Record, connection: Connection, schemas: set[str]
) -> backup_record.Record:
    needed = around.read(connection, schemas)
    found = contents.read(connection, schemas)
    return replace(
        record,
        surroundings=needed,
        tables={name: asdict(content) for name, content in found.items()},
        catalog=catalog.look(connection, schemas).portable,
    )


@contextmanager
def _new_file(path: Path, target: Target) -> Iterator[Path]:
    """Make the file under its temporary name; remove it again if it got no other."""
    partial = path.with_name(path.name + ".partial")
    try:
        os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    except OSError as failure:
        raise UsageError(
            "file-unwritable",
            f"cannot create {partial}",
            cause=failure.strerror,
            help="name a file in a directory that takes one; a killed dump leaves its .partial",
        ) from None
    try:
        yield partial
    except (archive.Failed, OSError) as failure:
        raise TargetError(
            "dump-failed",
            f"pg_dump of {target.backup} failed",
            cause=failure.strerror if isinstance(failure, OSError) else str(failure),
            help="no file was left; try `dhafnck-db psql`, which goes the same way",
        ) from None
    finally:
        partial.unlink(missing_ok=True)


def _require_fitting(program: Path, major: int, *, newer_will_do: bool) -> None:
    """Refuse a pg_dump of another major version than the server's.

    An older one cannot read it, and the dump of a newer one is no older pg_restore's to read.
    """
    found = clients.version(program)
    if found == major or (newer_will_do and found > major):
        return
    raise TargetError(
        "client-too-old" if found < major else "client-too-new",
        f"{program} is {'older' if found < major else 'newer'} than the server "
        f"(PostgreSQL {major})",
        help=f"install postgresql-client-{major}, or name its directory in DB_CLIENT_BIN",
    )


def _exactly(name: str) -> str:
    """Return a name as pg_dump's pattern for it alone."""
    return '"' + name.replace('"', '""') + '"'
