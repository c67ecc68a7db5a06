"""`dhafnck-db stats`."""

import click

from dhafnck_db.cli.output import emit, format_option, table


@click.command("stats", short_help="Print size, connections, cache, dead rows, top statements.")
@format_option
def command(format_: str) -> None:
    """Print the figures of the database that /metrics has. Read-only.

    Statements come from pg_stat_statements, without their values.
    """
    from dhafnck_db import stats
    from dhafnck_db.health import measure
    from dhafnck_db.target import current_target, probe_engine

    target = current_target()
    engine = probe_engine(target, measure.DEADLINE)
    with (
        measure.connect(engine, target) as connection,
        measure.deadline(connection, measure.DEADLINE),
    ):
        measure.limit_statements(connection)
        found = stats.read(connection)
    ratio, lag = found.cache_hit_ratio, found.replication_lag

    def show() -> None:
        rows = [
            ("size", f"{found.size / 1e6:.1f} MB"),
            ("connections", f"{found.connections} of {found.connections_limit}"),
            ("cache hits", "" if ratio is None else f"{ratio:.1%}"),
            ("transactions", f"{found.commits} committed, {found.rollbacks} rolled back"),
            ("deadlocks", found.deadlocks),
            ("oldest transaction", f"{found.oldest_transaction:.0f} s"),
            (
                "replicas",
                found.replicas if lag is None else f"{found.replicas}, {lag:.1f} s behind",
            ),
            ("dead rows", found.dead),
        ]
        table(("figure", "value"), rows)
        if found.statements:
            click.echo()
            table(
                ("seconds", "calls", "rows", "statement"),
                [
                    (f"{s.seconds:.2f}", s.calls, s.rows, s.text)
                    for s in found.statements[: stats.TOP]
                ],
            )

    emit(found.to_dict(), format_, show)
