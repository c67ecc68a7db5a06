"""`dhafnck-db psql`."""

import os

import click

from dhafnck_db.cli.consent import confirm_option


@click.command("psql", short_help="Open psql on the database.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@confirm_option
def command(arguments: tuple[str, ...], confirm: str | None) -> None:
    """Open psql on the database, with the ARGUMENTS given (after --).

    What is typed there may write, so production asks for consent.
    """
    from dhafnck_db import clients, guard, identity
    from dhafnck_db.target import connect_admin, current_target

    target = current_target()
    with connect_admin(target) as connection:
        identity.require(connection, target)
        guard.require(connection, target, guard.Work("psql", confirm=confirm))
    program = clients.program("psql", target.settings)
    # psql takes over this process, so that the terminal and signals are its own.
    os.execve(program, [str(program), *arguments], clients.environment(target.admin))  # noqa: S606  # a client program of PostgreSQL
