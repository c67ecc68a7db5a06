"""`dhafnck-db target …`."""

import click

from dhafnck_db.cli.output import emit, format_option, table


@click.group("target", short_help="Show where commands connect to.")
def command() -> None:
    """Show where commands connect to, and whether the application's pools fit there."""


@command.command(short_help="Show the endpoints and their TLS; connects to nothing.")
@format_option
def show(format_: str) -> None:
    """Show the endpoints for each use, in the order in which they are tried, and their TLS.

    Connects to nothing, and never shows a password.
    """
    from dhafnck_db.target import current_target

    target = current_target()
    uses = [("app", target.app), *(("admin, backup", way) for way in target.route.endpoints)]
    rows = [
        {
            "use": use,
            "way": way.way,
            "endpoint": str(way),
            "sslmode": way.sslmode,
            "sslrootcert": str(way.sslrootcert) if way.sslrootcert else None,
        }
        for use, way in uses
    ]
    result = {
        "changed": False,
        "environment": target.environment,
        "reference": target.reference,
        "endpoints": rows,
    }

    def show() -> None:
        table(
            ("use", "way", "endpoint", "TLS"),
            [(row["use"], row["way"], row["endpoint"], row["sslmode"] or "any") for row in rows],
        )

    emit(result, format_, show)


LIMIT = click.IntRange(min=1)


@command.command(short_help="Count the pools' connections against the limits; exit 3 if too many.")
@click.option("--processes", type=LIMIT, required=True, help="Processes of the application.")
@click.option("--server", type=LIMIT, required=True, help="max_connections of the server.")
@click.option(
    "--reserved",
    type=click.IntRange(min=0),
    default=10,
    show_default=True,
    help="Of these, kept for administration and the vendor's services.",
)
@click.option("--pooler-size", type=LIMIT, help="The pooler's connections to the server.")
@click.option("--pooler-clients", type=LIMIT, help="Clients that the pooler takes.")
@format_option
def budget(
    processes: int,
    server: int,
    reserved: int,
    pooler_size: int | None,
    pooler_clients: int | None,
    format_: str,
) -> None:
    """Count what all processes together may open: processes x (pool size + overflow).

    Connects to nothing. The pool is the configured one, the way is the application's endpoint.
    """
    from dhafnck_db import budget as pools
    from dhafnck_db.target import current_target, pool_of

    target = current_target()
    limits = pools.Limits(server, reserved, pooler_size, pooler_clients)
    found = pools.plan(target.app, processes, sum(pool_of(target.settings)), limits)
    pools.require(found)
    said = f"{found.wanted} of {found.allowed} connections to the {found.way} ({found.limit})"
    emit({"changed": False, **found.to_dict()}, format_, lambda: click.echo(said))
