"""`dhafnck-db psql`."""

import os

import click


@click.command("psql", short_help="Open psql on the database.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Open psql on the database, with the ARGUMENTS given (after --)."""
    from dhafnck_db import clients
    from dhafnck_db.target import connect_admin, current_target

    target = current_target()
    if len(target.route.endpoints) > 1:
        with connect_admin(target):
            pass  # libpq would not find the way by itself
    program = clients.program("psql", target.settings)
    # psql takes over this process, so that the terminal and signals are its own.
    os.execve(program, [str(program), *arguments], clients.environment(target.admin))  # noqa: S606  # a client program of PostgreSQL
