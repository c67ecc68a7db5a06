"""`dhafnck-db serve`."""

import click


@click.command("serve", short_help="Serve health, metrics and a page over HTTP.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes any."
)
def command(host: str, port: int) -> None:
    """Serve health, metrics and a page over HTTP, until Ctrl-C. Read-only.

    /health/live, /health/ready, /health/database, /metrics, and a page at /. Nobody is asked for a
    password: listen where only those reach it who may know how the database is.
    """
    import socket

    import uvicorn

    from dhafnck_db.errors import ConfigurationError
    from dhafnck_db.service import create_app
    from dhafnck_db.target import current_target

    app = create_app(current_target())
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
    except OSError as failure:
        raise ConfigurationError(
            "address-taken",
            f"cannot listen on {host}:{port}",
            cause=failure.strerror,
            help="choose another with --port or --host, or stop what listens there",
        ) from None
    click.echo(f"serving on http://{host}:{listening.getsockname()[1]}", err=True)
    config = uvicorn.Config(app, log_level="warning", access_log=False, server_header=False)
    uvicorn.Server(config).run(sockets=[listening])
