"""The entry point `dhafnck-db`: its commands, and how an error becomes an exit code.

It loads no library before a command needs it, so that `--help` answers at once.
"""

import gc
import logging
import signal
import sys
from importlib import import_module
from types import FrameType

import click

from dhafnck_db import __version__
from dhafnck_db.errors import ToolkitError

BY_SIGNAL = 128  # what a shell adds to the number of the signal that ended a command
REPEATED_AFTER = 0.01  # seconds, of a signal that came where it could not be raised


class LazyGroup(click.Group):
    """A group that imports the module of a command when the command is looked at."""

    modules = (
        "advise",
        "audit",
        "backup",
        "doctor",
        "health",
        "parity",
        "psql",
        "realtime",
        "schema",
        "serve",
        "snapshot",
        "sqlite",
        "stats",
        "target",
    )

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.modules:
            return None
        module = import_module(f"dhafnck_db.cli.{cmd_name}")
        command: click.Command = module.command
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="dhafnck-db")
@click.option("-v", "--verbose", is_flag=True, help="Say on stderr what is being done.")
def cli(verbose: bool) -> None:
    """Two PostgreSQL databases that behave the same: development and Supabase.

    The target comes from the environment and, for what is not set there, from .env.dev
    (DATABASE_TYPE=postgresql, the default) or .env.prod (DATABASE_TYPE=supabase).

    Exit codes: 0 ok, 1 bug, 2 usage, 3 configuration, 4 source, 5 target, 6 verification failed,
    7 refused by a guard, 8 done but the report is missing.
    """
    logging.basicConfig(
        stream=sys.stderr, level=logging.INFO if verbose else logging.WARNING, format="%(message)s"
    )


def main() -> None:
    """Run the command line and exit with the project's codes."""
    # Loading SQLAlchemy and Alembic allocates for good: collecting meanwhile finds nothing and
    # costs a tenth of a short command.
    gc.set_threshold(50_000)
    ended_by = [signal.SIGINT]

    def interrupt(number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGALRM:
            ended_by.append(signal.Signals(number))
        raise KeyboardInterrupt

    def once_more(lost: "sys.UnraisableHookArgs") -> None:
        # Where Python only calls back, such as when a module was imported, nothing can be raised.
        if isinstance(lost.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, REPEATED_AFTER)
        else:
            sys.__unraisablehook__(lost)

    signal.signal(signal.SIGTERM, interrupt)  # as Ctrl-C does: roll back, and say so
    signal.signal(signal.SIGALRM, interrupt)
    sys.unraisablehook = once_more
    try:
        code = cli.main(standalone_mode=False)
    except ToolkitError as error:
        click.echo(str(error), err=True)
        code = error.exit_code
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except click.Abort:
        click.echo("interrupted; nothing was left half done: run the command again", err=True)
        code = BY_SIGNAL + ended_by[-1]
    sys.exit(code)
