"""What a draft of autogenerate gets on top: renames, closed tables, and no file for nothing.

It changes the draft alone, before Alembic writes it, and the looks of the file afterwards.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from alembic.autogenerate import renderers
from alembic.autogenerate.api import AutogenContext
from alembic.migration import MigrationContext
from alembic.operations import ops
from sqlalchemy import Column, Integer, String, Table, Uuid

from dhafnck_db import renames
from dhafnck_db.policies import SUBJECT, SUBJECT_AS_UUID, VERBS, OwnRows

OWNER = "user_id"  # the column by which a row is somebody's
KEY = "id"  # what OwnRows takes a parent's key to be called
LOOKS = ("SELECT", "DELETE")  # what a user does with a table that has secrets


class CloseTableOp(ops.MigrateOperation):
    """Close a new table, and let users of the API reach what the models say is theirs."""

    def __init__(self, table: Table, rule: OwnRows | None) -> None:
        self.table = table
        self.rule = rule


def complete(context: MigrationContext, directives: list[ops.MigrationScript]) -> None:
    """Complete the draft of `alembic revision --autogenerate`, or of the command that calls it.

    A draft without a difference is taken away. A column that goes while one like it comes is
    renamed where somebody says so; see `renames`. A table that either direction makes is closed
    with `privileges.secure`; where it has rows of users, `policies.permit` gives them their own.

    Args:
        context: of the comparison.
        directives: the drafts; changed in place.

    Raises:
        UsageError: nobody says whether a column is renamed.
    """
    config = context.config
    if config is None or _command(config) != "revision" or not directives:
        return
    draft = directives[0]
    up, down = draft.upgrade_ops, draft.downgrade_ops
    if up is None or down is None or not _compared(context):
        return
    if up.is_empty():
        directives.clear()
        return
    renames.settle(up, down, config.attributes.get(renames.ANSWERS), context.dialect)
    metadata = context.opts["target_metadata"]
    models = {name: table for part in metadata for name, table in part.tables.items()}
    for direction in (up, down):
        made = [op for op in direction.ops if isinstance(op, ops.CreateTableOp)]
        tables = [op.to_table(context) for op in made]
        direction.ops.extend(CloseTableOp(table, own_rows(table, models)) for table in tables)


def tidy(path: Path) -> None:
    """Format a written file with ruff, where there is one; else leave it as it is."""
    beside = Path(sys.executable).with_name("ruff")
    program = str(beside) if beside.is_file() else shutil.which("ruff")
    if program is not None:
        subprocess.run([program, "format", "--quiet", path], capture_output=True, check=False)  # noqa: S603  # our own file


def own_rows(table: Table, others: Mapping[str, Table]) -> OwnRows | None:
    """Return whose rows a new table has, as its columns say; None where nobody's.

    What its foreign keys refer to has to be the user's own too. Where a column is a secret, users
    only look at the others, and delete.

    Args:
        table: the new one.
        others: the models' tables by name.
    """
    if table.schema is not None or OWNER not in table.columns:
        return None
    secrets = {column.name for column in table.columns if column.info.get("secret")}
    shown = tuple(column.name for column in table.columns if column.name not in secrets)
    return OwnRows(
        table.name,
        _parents(table, others),
        verbs=LOOKS if secrets else VERBS,
        columns=shown if secrets else (),
        subject=SUBJECT_AS_UUID if isinstance(table.columns[OWNER].type, Uuid) else SUBJECT,
    )


def _parents(table: Table, others: Mapping[str, Table]) -> dict[str, str]:
    found = {}
    for column in table.columns:
        for key in column.foreign_keys:
            name, _, of = key.target_fullname.rpartition(".")
            parent = others.get(name)
            if parent is None or parent.schema or of != KEY or OWNER not in parent.columns:
                continue
            # The rule compares it with the subject as text.
            if isinstance(parent.columns[OWNER].type, String):
                found[column.name] = name
    return found


def _sequences(table: Table) -> list[str]:
    """Return the names of the sequences that PostgreSQL makes with a table."""

    def numbers(column: Column[Any]) -> bool:
        plain = column is table._autoincrement_column and column.server_default is None
        serial = plain and isinstance(column.type, Integer) and not column.foreign_keys
        return column.identity is not None or serial

    return [f"{table.name}_{column.name}_seq" for column in table.columns if numbers(column)]


@renderers.dispatch_for(CloseTableOp)
def _render(context: AutogenContext, op: CloseTableOp) -> str:
    context.imports.add("from dhafnck_db.privileges import secure")
    closed = [repr(op.table.name)]
    if op.table.schema is None:
        closed.append("service=True")
    else:
        closed.append(f"schema={op.table.schema!r}")
    if sequences := _sequences(op.table):
        closed.append(f"sequences={sequences!r}")
    lines = [f"*secure({', '.join(closed)}),"]
    if op.rule is not None:
        context.imports.add("from dhafnck_db.policies import OwnRows, permit")
        lines.append(f"*permit(OwnRows({_arguments(op.rule)})),")
    if op.rule is not None and op.rule.subject == SUBJECT_AS_UUID:
        context.imports.add("from dhafnck_db.policies import SUBJECT_AS_UUID")
    return _loop(lines)


def _arguments(rule: OwnRows) -> str:
    given = [repr(rule.table)]
    if rule.parents:
        given.append(repr(dict(rule.parents)))
    if rule.columns:
        given += [f"verbs={rule.verbs!r}", f"columns={rule.columns!r}"]
    if rule.subject == SUBJECT_AS_UUID:
        given.append("subject=SUBJECT_AS_UUID")
    return ", ".join(given)


def _loop(lines: Sequence[str]) -> str:
    """Return the loop that executes the statements; Alembic indents its first line."""
    inner = "".join(f"        {line}\n" for line in lines)
    return f"for statement in (\n{inner}    ):\n        op.execute(statement)"


def _command(config: Any) -> str:
    typed = getattr(config.cmd_opts, "cmd", None)
    return str(config.attributes.get("command") or (typed[0].__name__ if typed else ""))


def _compared(context: MigrationContext) -> bool:
    """Return whether the draft is from a comparison, and not one that was asked for empty."""
    environment = context.environment_context
    drafts = None if environment is None else environment.context_opts.get("revision_context")
    return drafts is not None and bool(drafts.command_args["autogenerate"])
