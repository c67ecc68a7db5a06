"""The guard before a write to production: an identity card, and consent by the project's ref.

It never writes to a database, and it takes nothing but the ref for consent.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import click
from sqlalchemy import Connection, func, select, text

from dhafnck_db import backup_record, metadata, revision
from dhafnck_db.errors import GuardError
from dhafnck_db.target import Target

Facts = Mapping[str, str]
WAY = "type the project's ref when asked, or give --confirm or SUPABASE_CONFIRM for this run"


def _nothing_more(_connection: Connection) -> Facts:
    return {}


@dataclass(frozen=True)
class Work:
    """What a command is about to do.

    `facts` says what only the command knows for the card, such as pending revisions; it may read
    from the connection. It is asked only where somebody has to consent.
    """

    command: str  # as it is typed, without options
    writes: bool = True  # a dry run does not
    destructive: bool = False  # data may be lost
    confirm: str | None = None  # the ref, given with --confirm; wins over SUPABASE_CONFIRM
    facts: Callable[[Connection], Facts] = _nothing_more


# Of a caller that does not say: taken for a write, so that forgetting to say opens nothing.
UNNAMED = Work("a run of unnamed work")


def require(connection: Connection, target: Target, work: Work) -> None:
    """Let a write to production go on only with the project's ref as consent.

    Development and test databases, and what does not write, are not asked about. Shows the
    identity card on stderr. Then the ref comes from `work.confirm` or SUPABASE_CONFIRM; without
    either a person at a terminal is asked. Writes nothing, and leaves no transaction open.

    Raises:
        GuardError: the project is not named, a destructive command finds no verified backup that is
            young enough, or there is no consent.
    """
    if target.environment != "prod" or not work.writes:
        return
    reference = target.reference
    if not reference:
        raise GuardError(
            "project-unnamed",
            f"which project {target.admin} belongs to is not said, so nobody can consent to it",
            help="set SUPABASE_URL; nothing was changed",
        )
    card = {
        "command": work.command,
        "project": reference,
        "host": f"{target.admin.url.host or 'localhost'}:{target.admin.url.port or 5432}",
        "way": target.route.reason,
        "server": f"PostgreSQL {_server_version(connection)}",
        "revision": revision.current(connection, target.settings.db_version_table) or "none",
        **work.facts(connection),
    }
    if work.destructive:
        card["rows"] = f"about {_rows(connection, target):,} in the project's tables"
    connection.rollback()  # a person may take their time
    if work.destructive:
        card["backup"] = backup_record.require_recent(target)
    click.echo("a write to production", err=True)
    for name, fact in card.items():
        click.echo(f"  {name:9} {fact}", err=True)
    given = target.settings.supabase_confirm if work.confirm is None else work.confirm
    _require_consent(reference, given)


def _require_consent(reference: str, given: str | None) -> None:
    if given is None:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise GuardError(
                "consent-missing",
                f"nobody consented to a write to project {reference}; nothing was changed",
                cause="there is no terminal to ask at, and what is piped in does not count",
                help=WAY,
            )
        click.echo("type the project's ref to go on: ", nl=False, err=True)
        given = sys.stdin.readline().strip()
    if given != reference:
        raise GuardError(
            "consent-wrong",
            f"what was given is not the ref of project {reference}; nothing was changed",
            help=WAY,
        )


def _rows(connection: Connection, target: Target) -> int:
    """Return how many rows the project's tables hold, as the server's statistics know it."""
    query = text(
        "SELECT coalesce(sum(n_live_tup), 0) FROM pg_stat_user_tables "
        "WHERE schemaname = ANY (:schemas)"
    )
    schemas = metadata.own_schemas(target.settings.db_metadata, connection)
    return int(str(connection.scalar(query, {"schemas": sorted(schemas)})))


def _server_version(connection: Connection) -> str:
    return str(connection.scalar(select(func.current_setting("server_version"))))
