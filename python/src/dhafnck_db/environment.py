"""The environment in which Alembic runs a command: over the connection it was given, or its own.

Whatever is typed goes through one target, lock, guard and checks. An application that has its own
revisions calls `run` in its own env.py.
"""

from collections.abc import Sequence
from logging.config import fileConfig
from typing import Any

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from dhafnck_db import applied, identity, lineage, metadata, migration, schema
from dhafnck_db.endpoints import DRIVER
from dhafnck_db.errors import ToolkitError
from dhafnck_db.guard import Facts, Work
from dhafnck_db.migration import LooksOn
from dhafnck_db.revision import Verb
from dhafnck_db.session import open_session
from dhafnck_db.settings import load_settings
from dhafnck_db.target import Target, current_target

# Of those that connect; every other one is taken for a command that writes.
READING = ("check", "current", "edit", "history", "revision", "show")
MOVES: dict[str, Verb] = {"upgrade": "upgrade", "downgrade": "downgrade"}


def run() -> None:
    """Run the command that Alembic was started for, in its env.py.

    With a connection in the configuration's attributes it is taken, with its target; else the
    configured target is opened as any run that writes opens it.

    Raises:
        CommandError: the target is refused or cannot be used.
    """
    given = context.config.attributes
    if "connection" in given:
        _migrate(given["connection"], given["target"])
        return
    if context.config.config_file_name and context.config.file_config.has_section("loggers"):
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    try:
        if context.is_offline_mode():
            _print_sql()
        else:
            target = current_target()
            with open_session(target, _work(target)) as connection:
                _migrate(connection, target)
    except ToolkitError as error:
        raise CommandError(str(error)) from None


def _command() -> str:
    """Return the name of the Alembic command that runs, as a function or as typed by hand."""
    given = context.config.attributes.get("command")
    typed = getattr(context.config.cmd_opts, "cmd", None)
    return str(given or (typed[0].__name__ if typed else "command"))


def _work(target: Target) -> Work:
    """Return what the command that was typed is about to do."""
    name = _command()
    asked = getattr(context.config.cmd_opts, "revision", None)

    def facts(connection: Connection) -> Facts:
        verb = MOVES.get(name)
        if verb is None or asked is None:
            return {}
        return schema.plan(connection, target, verb, asked, context.config).facts(verb)

    return Work(
        f"alembic {name}",
        writes=name not in READING,
        destructive=name == "downgrade",
        facts=facts,
    )


def _migrate(connection: Connection, target: Target) -> None:
    """Run the command's migrations; a database that gets its first schema gets its identity."""
    reads = _command() in READING

    settings = target.settings
    lookers: Sequence[LooksOn] = context.config.attributes.get("looking_on", ())

    def note(*, heads: set[str], **_: object) -> None:
        identity.stamp(connection, target)
        applied.record(connection, context.script, heads, settings)

    options: dict[str, Any] = {
        # Who looks on comes first, and sees what the revision alone did.
        "on_version_apply": (*(look.applied for look in lookers), note),
        "version_table": settings.db_version_table,
        "dont_mutate": reads,  # else Alembic makes its table even for what only reads
    }

    def once() -> None:
        compared = metadata.comparison(settings.db_metadata, connection)
        context.configure(connection=connection, **options, **compared)
        for look in lookers:
            look.begin()
        with context.begin_transaction():
            context.run_migrations()

    if reads:
        once()
    else:
        verb = MOVES.get(_command())
        if verb is not None:
            lineage.require_one(connection, context.script, target, upgrades=verb == "upgrade")
        migration.run(connection, target, once)


def _print_sql() -> None:
    """Print the SQL of `--sql` and connect to nothing."""
    settings = load_settings(connecting=False)
    context.configure(
        url=f"{DRIVER}://",
        literal_binds=True,
        dialect_opts={"paramstyle": "named"},  # psycopg2's own would double each %
        version_table=settings.db_version_table,
        **metadata.comparison(settings.db_metadata),
    )
    with context.begin_transaction():
        context.run_migrations()
