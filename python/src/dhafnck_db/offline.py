"""What revisions would execute, statement by statement, by Alembic's offline mode.

It connects to nothing and changes nothing; the code of the revisions runs, as it does for `--sql`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import postgast
from alembic import context
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.runtime.environment import EnvironmentContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError

from dhafnck_db import metadata
from dhafnck_db.errors import UsageError
from dhafnck_db.settings import Settings

TRANSACTION = ("BEGIN", "COMMIT")  # what an autocommit block writes around itself


@dataclass(frozen=True)
class Statement:
    """One SQL statement of a revision."""

    sql: str  # without the semicolon
    line: int  # of the revision file, that executes it
    in_transaction: bool = True  # else in an autocommit block


@dataclass(frozen=True)
class Direction:
    """What upgrading or downgrading executes, and why it could not be told whole."""

    statements: list[Statement]
    fault: str | None = None


@dataclass(frozen=True)
class Step:
    """A revision with what it would execute in each direction."""

    revision: str
    file: Path
    module: ModuleType = field(repr=False)
    up: Direction
    down: Direction


def read(steps: Iterable[Script], config: Config, settings: Settings) -> list[Step]:
    """Return the revisions with their statements, in the given order. Read-only.

    Args:
        steps: the revisions.
        config: Alembic's configuration.
        settings: name the models.
    """
    script = ScriptDirectory.from_config(config)
    options = metadata.comparison(settings.db_metadata)
    with _offline(config, script):
        return [_read(step, options) for step in steps]


def between(config: Config, revisions: str) -> list[Script]:
    """Return the revisions of a range, oldest first.

    Args:
        config: Alembic's configuration.
        revisions: `REV:REV`, those after the first up to the second as `alembic upgrade --sql`
            takes it, an end left out for the end of all; or `REV`, the one.

    Raises:
        UsageError: there is no such revision, or the first is not below the second.
    """
    script = ScriptDirectory.from_config(config)
    lower, colon, upper = revisions.partition(":")
    try:
        if not colon:
            return [step for step in script.get_revisions(revisions) if step is not None]
        return list(script.iterate_revisions(upper or "heads", lower or "base"))[::-1]
    except (CommandError, RevisionError) as failure:
        raise UsageError(
            "alembic",
            f"{revisions} is no revision, or no range of them",
            cause=str(failure),
            help="`dhafnck-db schema history` lists the revisions",
        ) from None


def _read(step: Script, options: dict[str, Any]) -> Step:
    path = Path(step.path)
    module = step.module
    return Step(
        step.revision,
        path,
        module,
        _run(getattr(module, "upgrade", None), path, options),
        _run(getattr(module, "downgrade", None), path, options),
    )


def _run(function: Callable[[], None] | None, path: Path, options: dict[str, Any]) -> Direction:
    if function is None:
        return Direction([], "there is no such function")
    written = _Written(path)
    opts = {**options, "as_sql": True, "literal_binds": True, "output_buffer": written}
    # Named: the driver's own style would double each percent sign.
    named = {"paramstyle": "named"}
    migration = MigrationContext.configure(dialect_name="postgresql", dialect_opts=named, opts=opts)
    operations = Operations(migration)
    operations._install_proxy()
    try:
        function()
    except Exception as failure:  # whatever the code of a revision does
        said = str(failure).strip().splitlines() or [""]
        return Direction(written.statements, f"{type(failure).__name__}: {said[0]}")
    finally:
        operations._remove_proxy()
    return Direction(written.statements)


@contextmanager
def _offline(config: Config, script: ScriptDirectory) -> Iterator[None]:
    """Let revisions that ask know that there is no database."""
    # alembic/env.py may be running already, and goes on with its own.
    outer = getattr(context, "_proxy", None)
    try:
        with EnvironmentContext(config, script, as_sql=True):
            yield
    finally:
        if outer is not None:
            outer._install_proxy()


class _Written:
    """What Alembic writes to, which knows what line of the revision had it written."""

    def __init__(self, path: Path) -> None:
        self.statements: list[Statement] = []
        self._path = str(path)
        self._in_transaction = True

    def write(self, text: str) -> None:
        line = _line(sys._getframe(1), self._path)
        for sql in _split(text):
            word = sql.upper()
            if word in TRANSACTION:
                self._in_transaction = word == "BEGIN"
            else:
                self.statements.append(Statement(sql, line, self._in_transaction))

    def flush(self) -> None:
        """Do nothing: everything is kept."""


def _line(frame: FrameType | None, path: str) -> int:
    while frame is not None:
        if frame.f_code.co_filename == path:
            return frame.f_lineno
        frame = frame.f_back
    return 1


def _split(text: str) -> list[str]:
    try:
        parts = postgast.split(text)
    except postgast.PgQueryError:
        parts = [text]  # whoever looks at it will say so
    return [part for part in (part.strip().rstrip(";").rstrip() for part in parts) if part]
