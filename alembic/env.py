"""What Alembic runs for every command: over the connection it was given, else over one of its own.

Typed by hand, `alembic upgrade head` goes through the same target, lock and checks as
`dhafnck-db schema upgrade`.
"""

from logging.config import fileConfig

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from dhafnck_db import identity, metadata
from dhafnck_db.endpoints import DRIVER
from dhafnck_db.errors import ToolkitError
from dhafnck_db.session import open_session
from dhafnck_db.settings import load_settings
from dhafnck_db.target import Target, current_target


def migrate(connection: Connection, target: Target) -> None:
    """Run the command's migrations; a database that gets its first schema gets its identity."""
    context.configure(
        connection=connection,
        on_version_apply=lambda **step: identity.stamp(step["ctx"].connection, target),
        **metadata.comparison(target.settings.db_metadata, connection),
    )
    with context.begin_transaction():
        context.run_migrations()


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
            with open_session(target) as connection:
                migrate(connection, target)
    except ToolkitError as error:
        raise CommandError(str(error)) from None
