"""`dhafnck-db backup …`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dhafnck_db.cli.consent import confirm_option
from dhafnck_db.cli.output import emit, format_option, table

if TYPE_CHECKING:
    from dhafnck_db.backup_folder import Entry

FILE = click.Path(path_type=Path)
dry_run_option = click.option("--dry-run", is_flag=True, help="Say what would be done, and stop.")
NUMBER = click.IntRange(min=0)


@click.group("backup", short_help="Dump the database, and prove that the dump is worth something.")
def command() -> None:
    """Dump the database, and prove that the dump is worth something."""


@command.command(short_help="Dump the database into a new file.")
@click.argument("file", type=FILE, required=False)
@format_option
def create(file: Path | None, format_: str) -> None:
    """Dump the database into FILE, in pg_dump's custom format (mode 0600). Read-only.

    Without FILE into a new one in DB_BACKUP_DIR. It is complete or not there at all; an existing
    one is never replaced. Beside it is a record of what the database held. With
    DB_BACKUP_RECIPIENT the dump is encrypted; DB_BACKUP_HOOK is run when it is done.
    """
    from dhafnck_db import backup, backup_folder, off_site
    from dhafnck_db.target import connect_admin, current_target

    target = current_target()
    settings = target.settings
    recipient = settings.db_backup_recipient
    if file is None:
        with backup_folder.locked(settings) as folder, backup_folder.attempt(folder):
            file, number = backup_folder.next_name(folder, str(target.app.url.database), recipient)
            with connect_admin(target) as connection:
                size = backup.dump(connection, target, file, recipient=recipient, number=number)
    else:
        with connect_admin(target) as connection:
            number = backup_folder.next_number(file.parent)
            size = backup.dump(connection, target, file, recipient=recipient, number=number)
    off_site.hand_over(settings, file)
    result = {"changed": True, "path": str(file), "bytes": size}
    emit(result, format_, lambda: click.echo(f"dumped {target.backup} to {file} ({size:,} bytes)"))


@command.command("list", short_help="List the backups, newest first.")
@format_option
def list_(format_: str) -> None:
    """List the backups of DB_BACKUP_DIR, newest first, and what a Supabase project has of its own.

    Connects to no database, and checks nothing. The platform's backups are asked of its Management
    API, with SUPABASE_ACCESS_TOKEN.
    """
    from dhafnck_db import backup_folder, drill_record, managed_backups
    from dhafnck_db.endpoints import project_reference
    from dhafnck_db.settings import load_settings

    settings = load_settings(connecting=False)
    folder = settings.db_backup_dir
    found = [_described(entry) for entry in backup_folder.entries(folder)]
    last = drill_record.last(folder)
    ref = project_reference(settings) if settings.database_type == "supabase" else None
    managed = managed_backups.read(settings, ref) if ref else None
    result = {
        "changed": False,
        "backups": found,
        "drill": last.to_dict() if last else None,
        "managed": managed.to_dict() if managed else None,
    }

    def show() -> None:
        head = ("backup", "made", "of", "revision", "rows", "bytes")
        rows = [
            (b["path"], b["created_at"], b["environment"], b["revision"], b["rows"], b["bytes"])
            for b in found
        ]
        table(head, rows)
        if last:
            ended = f"ok in {last.seconds} s" if last.ok else f"failed: {last.finding}"
            click.echo(f"last drill: {last.at}, {last.backup}, {ended}")
        if managed:
            click.echo(f"managed by Supabase: {managed}")

    emit(result, format_, show)


@command.command(short_help="Check a backup's file; exit 6 when it is damaged.")
@click.argument("file", type=FILE, required=False)
@format_option
def verify(file: Path | None, format_: str) -> None:
    """Check FILE, else the newest backup, against its record: size and hash, and list it.

    Connects to nothing. What is in the file only a drill proves.
    """
    from dhafnck_db import backup_folder, backup_record
    from dhafnck_db.settings import load_settings

    settings = load_settings(connecting=False)
    entry = backup_folder.find(settings, file)
    with backup_folder.in_use(entry):
        backup_record.require_whole(entry.path, entry.record, settings)
    result = {"changed": False, **_described(entry)}
    emit(result, format_, lambda: click.echo(f"{entry.path} is whole, as recorded"))


@command.command(short_help="Restore a backup into a server of its own and compare; exit 6 if not.")
@click.argument("file", type=FILE, required=False)
@format_option
def drill(file: Path | None, format_: str) -> None:
    """Restore FILE, else the newest backup, into a scratch server, and hold it against its record.

    Schema, owners, grants, row counts and the contents of every table are compared, and its health
    is measured. The database itself is not touched. The server is removed afterwards; how it ended
    is kept in drill.json beside the backup.
    """
    from dhafnck_db import backup_folder
    from dhafnck_db import drill as proof
    from dhafnck_db.settings import load_settings

    settings = load_settings(connecting=False)
    done = proof.run(settings, backup_folder.find(settings, file))
    said = (
        f"{done.backup} verified: restored in {done.seconds} s, {done.tables} tables, "
        f"{done.rows:,} rows, {done.finding}"
    )
    emit({"changed": False, **done.to_dict()}, format_, lambda: click.echo(said))


@command.command(short_help="Restore a backup into an empty database.")
@click.argument("file", type=FILE)
@click.option(
    "--masked", is_flag=True, help="Take a backup of production, and mask personal data in it."
)
@confirm_option
@dry_run_option
@format_option
def restore(file: Path, masked: bool, confirm: str | None, dry_run: bool, format_: str) -> None:
    """Restore FILE into the database, which has to be empty and of the same environment.

    Whole or not at all; then its contents are compared with the record. A backup of production goes
    into development only with --masked; one of development never goes to production.
    """
    from dhafnck_db import backup_folder
    from dhafnck_db import restore as restoring
    from dhafnck_db.guard import Work
    from dhafnck_db.session import open_session
    from dhafnck_db.target import current_target

    target = current_target()
    entry = backup_folder.find(target.settings, file)
    restoring.require_fitting(entry, target, refresh=masked)
    restores = {"restores": f"{file}, of {entry.record.created_at}"}
    work = Work("backup restore", not dry_run, True, confirm, lambda _connection: restores)
    with open_session(target, work, statement_timeout="0") as connection:
        done = restoring.run(connection, target, entry, dry_run=dry_run)
    said = "would restore" if dry_run else "restored"
    hidden = f", {done.masked} columns masked" if done.masked else ""
    emit(
        done.to_dict(),
        format_,
        lambda: click.echo(f"{said} {done.tables} tables, {done.rows:,} rows{hidden}"),
    )


@command.command(short_help="Remove backups that are too old to keep.")
@click.option("--days", type=NUMBER, default=7, show_default=True, help="How many keep one.")
@click.option("--weeks", type=NUMBER, default=4, show_default=True, help="How many keep one.")
@click.option("--months", type=NUMBER, default=6, show_default=True, help="How many keep one.")
@dry_run_option
@format_option
def prune(days: int, weeks: int, months: int, dry_run: bool, format_: str) -> None:
    """Remove the backups of DB_BACKUP_DIR that are none of the last of a day, week or month.

    The newest that is whole stays in any case. Refused after a backup that did not end well.
    Connects to nothing.
    """
    from dhafnck_db import retention
    from dhafnck_db.settings import load_settings

    settings = load_settings(connecting=False)
    rule = retention.Rule(days, weeks, months)
    done = retention.prune(settings, rule, dry_run=dry_run)
    result = {
        "changed": bool(done.removed),
        "kept": [str(path) for path in done.kept],
        "removed": [str(path) for path in done.removed],
        "in_use": [str(path) for path in done.in_use],
    }

    def show() -> None:
        for path in done.removed:
            click.echo(f"{'would remove' if dry_run else 'removed'} {path}")
        for path in done.in_use:
            click.echo(f"left {path}: somebody is reading it")
        click.echo(f"{len(done.kept)} kept")

    emit(result, format_, show)


def _described(entry: Entry) -> dict[str, Any]:
    record = entry.record
    return {
        "path": str(entry.path),
        "created_at": record.created_at,
        "environment": record.environment,
        "reference": record.reference,
        "database": record.database,
        "revision": record.revision,
        "server": record.server,
        "encrypted": record.encrypted,
        "tables": len(record.tables),
        "rows": record.rows,
        "bytes": record.bytes,
        "sha256": record.sha256,
    }
