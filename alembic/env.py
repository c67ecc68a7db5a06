"""What Alembic runs for every command: over the connection it was given, else over one of its own.

Typed by hand, `alembic upgrade head` goes through the same target, lock, guard and checks as
`dhafnck-db schema upgrade`.
"""

from logging.config import fileConfig

from alembic import context
from alembic.migration import MigrationContext
from alembic.util import CommandError
from sqlalchemy import Connection

from dhafnck_db import applied, identity, metadata, migration, schema
from dhafnck_db.endpoints import DRIVER
from dhafnck_db.errors import ToolkitError
from dhafnck_db.guard import Facts, Work
from dhafnck_db.session import open_session
from dhafnck_db.settings import load_settings
from dhafnck_db.target import Target, current_target

# Of those that connect; every other one is taken for a command that writes.
READING = ("check", "current", "edit", "history", "revision", "show")


def command() -> str:
    """Return the name of the Alembic command that runs, as a function or as typed by hand."""
    given = context.config.attributes.get("command")
    typed = getattr(context.config.cmd_opts, "cmd", None)
    return str(given or (typed[0].__name__ if typed else "command"))


def work(target: Target) -> Work:
    """Return what the command that was typed is about to do."""
    name = command()
    asked = getattr(context.config.cmd_opts, "revision", None)

    def facts(connection: Connection) -> Facts:
        if name not in ("upgrade", "downgrade"):
            return {}
        return schema.plan(connection, target, name, asked, context.config).facts(name)

    return Work(
        f"alembic {name}",
        writes=name not in READING,
        destructive=name == "downgrade",
        facts=facts,
    )


def migrate(connection: Connection, target: Target) -> None:
    """Run the command's migrations; a database that gets its first schema gets its identity."""
    reads = command() in READING

    def note(ctx: MigrationContext, heads: set[str], **_: object) -> None:
        identity.stamp(connection, target)
        applied.record(connection, context.script, heads, target.settings)

    def once() -> None:
        context.configure(
            connection=connection,
            on_version_apply=note,
            dont_mutate=reads,  # else Alembic makes its table even for what only reads
            **metadata.comparison(target.settings.db_metadata, connection),
        )
        with context.begin_transaction():
            context.run_migrations()

    if reads:
        once()
    else:
        migration.run(connection, target, once)


def print_sql() -> None:
    """Print the SQL of `--sql` and connect to nothing."""
    context.configure(
        url=f"{DRIVER}://",
        literal_binds=True,
        **metadata.comparison(load_settings(connecting=False).db_metadata),
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes
if "connection" in given:
    migrate(given["connection"], given["target"])
else:
    fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    try:
        if context.is_offline_mode():
            print_sql()
        else:
            target = current_target()
            with open_session(target, work(target)) as connection:
                migrate(connection, target)
    except ToolkitError as error:
        raise CommandError(str(error)) from None
