"""The schema of a target, moved by Alembic over one connection.

It never decides where to connect, and it never touches a schema that is not the project's.
"""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import Script, ScriptDirectory
from alembic.script.revision import MultipleHeads, RangeNotAncestorError, RevisionError
from alembic.util import CommandError, to_tuple
from sqlalchemy import Connection, Table
from sqlalchemy.schema import SchemaItem

from dhafnck_db import applied, drafting, lineage, lint, metadata, renames
from dhafnck_db.errors import ConfigurationError, UsageError
from dhafnck_db.migration import LooksOn
from dhafnck_db.renames import Renamed
from dhafnck_db.revision import Move, Verb, current, require
from dhafnck_db.settings import Settings, alembic_ini
from dhafnck_db.target import Target


def plan(
    connection: Connection, target: Target, verb: Verb, revision: str, config: Config | None = None
) -> Move:
    """Return what an upgrade or a downgrade to `revision` would do. Read-only.

    Args:
        connection: to the target.
        target: the database concerned.
        verb: which of the two.
        revision: where to, in Alembic's words; "head" and "base" are the ends.
        config: Alembic's configuration, if not that of `alembic_config`.

    Raises:
        TargetError: what the database has is not what the files say; see `lineage.require_one`.
        UsageError: no such revision.
        GuardError: it would upgrade production by a revision with a hazard that nobody waived.
        ConfigurationError: that cannot be examined, since the linter is missing; or the revision
            files have several heads, and none was chosen.
    """
    config = config or alembic_config(target.settings)
    script = ScriptDirectory.from_config(config)
    # The connection is left as it came: who goes on with it begins a transaction of its own.
    with connection.begin() if not connection.in_transaction() else connection.begin_nested():
        before = current(connection, target.settings.db_version_table)
        lineage.require_one(connection, script, target, upgrades=verb == "upgrade")
    with _explained(target):
        if verb == "upgrade":
            found = script.iterate_revisions(revision, before or (), implicit_base=True)
            steps = list(found)[::-1]
        else:
            steps = list(script.iterate_revisions(before, revision, select_for_downgrade=True))
    if not steps:
        return Move(False, before, before, [])
    if verb == "upgrade" and target.environment == "prod":
        lint.require_clean(steps, config, target.settings)
    after = steps[-1].revision if verb == "upgrade" else _below(steps[-1])
    return Move(True, before, after, [step.revision for step in steps])


def upgrade(
    connection: Connection,
    target: Target,
    revision: str = "head",
    *,
    dry_run: bool = False,
    looking_on: Sequence[LooksOn] = (),
) -> Move:
    """Apply the pending revisions up to `revision`, in one transaction; see `migration.run`.

    A database that gets its first schema also gets its identity. Each of `looking_on` is asked to
    look at every step from within. Raises what `plan` and `migration.run` raise.
    """
    return _move(connection, target, "upgrade", revision, dry_run, looking_on)


def downgrade(
    connection: Connection,
    target: Target,
    revision: str,
    *,
    dry_run: bool = False,
    looking_on: Sequence[LooksOn] = (),
) -> Move:
    """Undo revisions down to `revision` ("base" for all), in one transaction.

    Each of `looking_on` is asked to look at every step from within. Raises what `plan` and
    `migration.run` raise.
    """
    return _move(connection, target, "downgrade", revision, dry_run, looking_on)


def head(settings: Settings) -> str | None:
    """Return the newest revision of the migrations. Read-only; nothing is connected.

    Raises:
        ConfigurationError: there are several, of branches that were never merged.
    """
    heads = ScriptDirectory.from_config(alembic_config(settings)).get_heads()
    if len(heads) > 1:
        raise _several_heads(heads)
    return heads[0] if heads else None


def edited(connection: Connection, settings: Settings) -> list[str]:
    """Return the revisions whose file was edited after they were applied. Read-only."""
    script = ScriptDirectory.from_config(alembic_config(settings))
    return applied.edited(connection, script, settings)


def differences(connection: Connection, settings: Settings) -> list[str]:
    """Return how the database differs from the models, one line each; empty when it does not.

    Read-only.
    """
    options = metadata.comparison(settings.db_metadata, connection)
    with connection.begin():
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, options["target_metadata"])
    return [_described(difference) for difference in found]


def history(settings: Settings) -> list[dict[str, str | None]]:
    """Return the revisions, newest first. Read-only; nothing is connected."""
    script = ScriptDirectory.from_config(alembic_config(settings))
    return [
        {"revision": step.revision, "down_revision": _below(step), "doc": step.doc}
        for step in script.walk_revisions()
    ]


def revision(
    connection: Connection,
    target: Target,
    message: str,
    *,
    autogenerate: bool,
    renamed: Renamed | None = None,
) -> Path | None:
    """Write a new revision file and return its path; with `autogenerate`, from the models.

    Changes no database. The file is formatted where ruff is at hand. Where the models and the
    database do not differ, nothing is written, and None is returned.

    Args:
        connection: to the database that the models are compared with.
        target: that database.
        message: what the revision does, in a few words.
        autogenerate: from the models; else an empty file.
        renamed: the columns that are only called otherwise; None to ask at the terminal.

    Raises:
        TargetError: the database is not at head.
        UsageError: nobody says what is renamed; see `renames.settle`.
    """
    require(connection, target, head(target.settings))
    config = alembic_config(target.settings)
    config.attributes[renames.ANSWERS] = renamed
    made = _run(
        command.revision, connection, target, config, message=message, autogenerate=autogenerate
    )
    if not made:
        return None
    path = Path(made.path)
    drafting.tidy(path)
    return path


def alembic_config(settings: Settings) -> Config:
    """Return Alembic's configuration. Raises what `alembic_ini` raises."""
    # What Alembic prints would mix with the JSON of a command.
    return Config(alembic_ini(settings), cmd_opts=Namespace(quiet=True))


def _move(
    connection: Connection,
    target: Target,
    verb: Verb,
    revision: str,
    dry_run: bool,
    looking_on: Sequence[LooksOn],
) -> Move:
    config = alembic_config(target.settings)
    config.attributes["looking_on"] = looking_on
    move = plan(connection, target, verb, revision, config)
    if move.changed and not dry_run:
        action = command.upgrade if verb == "upgrade" else command.downgrade
        _run(action, connection, target, config, revision)
    return move


def _run(
    action: Any, connection: Connection, target: Target, config: Config, *args: Any, **options: Any
) -> Any:
    """Run an Alembic command over the given connection; alembic/env.py takes it from there."""
    config.attributes.update(connection=connection, target=target, command=action.__name__)
    with _explained(target):
        return action(config, *args, **options)


@contextmanager
def _explained(target: Target) -> Iterator[None]:
    """Turn Alembic's errors into the project's."""
    try:
        yield
    except (CommandError, RevisionError) as failure:
        reason = failure.__cause__ or failure  # Alembic wraps some
        if isinstance(reason, MultipleHeads):
            raise _several_heads(reason.heads) from None
        said = str(failure)
        if isinstance(failure, RangeNotAncestorError):  # Alembic's words name no revision here
            said = f"{target.admin} is not above the revision asked for"
        raise UsageError(
            "alembic", said, help="`dhafnck-db schema history` lists the revisions"
        ) from None


def _several_heads(heads: Sequence[str]) -> ConfigurationError:
    return ConfigurationError(
        "several-heads",
        f"the revision files have several heads: {', '.join(sorted(heads))}",
        cause="two branches each brought a revision after the same one",
        help="join them: alembic merge -m 'join' heads",
    )


def _below(step: Script) -> str | None:
    """Return the revision that a step builds on, or None for the first."""
    return ", ".join(to_tuple(step.down_revision, default=())) or None


def _described(difference: Any) -> str:
    """Return one line for a difference, which Alembic gives as a tuple or a list of tuples."""
    if isinstance(difference, list):
        return "; ".join(_described(part) for part in difference)
    kind, *objects = difference
    if kind.startswith("modify_"):
        schema, table, column, _, found, wanted = objects
        where = ".".join(part for part in (schema, table, column) if part)
        # A default wraps its text.
        is_, should = (getattr(value, "arg", value) for value in (found, wanted))
        return f"{kind} {where}: {is_} in the database, {should} in the models"
    item: Any = next(part for part in objects if isinstance(part, SchemaItem))
    if isinstance(item, Table):
        return f"{kind} {item.fullname}"
    return f"{kind} {item.table.fullname}.{item.name}"
