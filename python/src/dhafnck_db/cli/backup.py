"""`dhafnck-db backup …`."""

from pathlib import Path

import click

from dhafnck_db.cli.output import emit, format_option


@click.group("backup", short_help="Dump the database.")
def command() -> None:
    """Dump the database."""


@command.command(short_help="Dump the database into a new file.")
@click.argument("file", type=click.Path(path_type=Path))
@format_option
def create(file: Path, format_: str) -> None:
    """Dump the database into FILE (mode 0600), in pg_dump's custom format. Read-only.

    FILE is complete or not there at all; an existing one is never replaced.
    """
    from dhafnck_db import backup
    from dhafnck_db.target import connect_admin, current_target

    target = current_target()
    with connect_admin(target) as connection:
        size = backup.dump(connection, target, file)
    result = {"changed": True, "path": str(file), "bytes": size}
    emit(result, format_, lambda: click.echo(f"dumped {target.backup} to {file} ({size:,} bytes)"))
