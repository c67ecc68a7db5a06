"""A dump of a database in PostgreSQL's custom format, complete or not there at all.

It never prunes, and it never overwrites a file.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from sqlalchemy import Connection, func, select

from dhafnck_db import backup_record, clients, metadata
from dhafnck_db.errors import TargetError, UsageError
from dhafnck_db.target import Target


def dump(connection: Connection, target: Target, path: Path, *, schema_only: bool = False) -> int:
    """Dump the target's database into a new file (mode 0600) and return its size in bytes.

    Written under a temporary name, synced and renamed, so that a file of that name is complete.
    Then a record is put beside it; see `backup_record.Record`.

    Args:
        connection: to the target.
        target: what to dump.
        path: the new file.
        schema_only: no rows.

    Of production the application's schemas and the project's own are dumped: what the vendor keeps
    beside them is closed to role postgres, and in the vendor's own backups.

    Raises:
        UsageError: the file exists or cannot be created.
        TargetError: no pg_dump, one older than the server, or it failed; no file is left.
    """
    for taken in (path, backup_record.place(path)):
        if taken.exists():
            raise UsageError("file-exists", f"{taken} exists", help="name a new file")
    program = clients.program("pg_dump", target.settings)
    server = (
        int(str(connection.scalar(select(func.current_setting("server_version_num"))))) // 10000
    )
    connection.commit()
    if clients.version(program) < server:
        raise TargetError(
            "client-too-old",
            f"{program} is older than the server (PostgreSQL {server})",
            help=f"install postgresql-client-{server}, or name its directory in DB_CLIENT_BIN",
        )
    record = backup_record.describe(connection, "schema" if schema_only else "full")
    options = ["--schema-only"] if schema_only else []
    if target.environment == "prod":
        schemas = metadata.own_schemas(target.settings.db_metadata, connection)
        connection.rollback()  # a dump may take its time
        options += [f"--schema={_exactly(schema)}" for schema in sorted(schemas)]
    partial = path.with_name(path.name + ".partial")
    try:
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as failure:
        raise UsageError(
            "file-unwritable",
            f"cannot create {partial}",
            cause=failure.strerror,
            help="name a file in a directory that takes one; a killed dump leaves its .partial",
        ) from None
    try:
        with os.fdopen(descriptor, "wb") as file:
            ended = subprocess.run(  # noqa: S603  # our own choice of program; nothing of a user's
                [program, "--format=custom", "--no-password", *options],
                stdout=file,
                stderr=subprocess.PIPE,
                text=True,
                env=clients.environment(target.backup),
                check=False,
            )
            os.fsync(file.fileno())
        if ended.returncode != 0:
            raise TargetError(
                "dump-failed",
                f"pg_dump of {target.backup} failed",
                cause=ended.stderr.strip().splitlines()[0] if ended.stderr.strip() else None,
                help="try `dhafnck-db psql`, which goes the same way",
            )
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
    backup_record.write(record, path)
    return path.stat().st_size


def _exactly(name: str) -> str:
    """Return a name as pg_dump's pattern for it alone."""
    return '"' + name.replace('"', '""') + '"'
