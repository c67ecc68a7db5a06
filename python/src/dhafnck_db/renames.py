"""What autogenerate cannot see: that what goes and what comes is one thing under another name.

It asks a person, and never guesses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import click
from alembic.operations import ops
from sqlalchemy import Column, Dialect

from dhafnck_db.errors import UsageError

ANSWERS = "renames"  # the attribute of Alembic's configuration that holds the answers

Renamed = dict[tuple[str, str], str]  # from table and old name to the new one


@dataclass(frozen=True)
class Candidate:
    """A column that goes, and one of the same table and type that comes."""

    table: str  # with its schema, where it is not the default one
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.table}.{self.old}={self.new}"


def parse(given: Iterable[str]) -> Renamed:
    """Return what `table.old=new` says, given once for each rename.

    Raises:
        UsageError: one is not of that form.
    """
    found = {}
    for text in given:
        place, _, new = text.partition("=")
        table, _, old = place.rpartition(".")
        if not (table and old and new):
            raise UsageError(
                "rename-malformed", f"{text} is no rename", help="give --rename table.old=new"
            )
        found[table, old] = new
    return found


def settle(
    up: ops.UpgradeOps, down: ops.DowngradeOps, answers: Renamed | None, dialect: Dialect
) -> None:
    """Make renames of the columns, and in both directions, that somebody says are renamed.

    Args:
        up: of a draft, changed in place.
        down: the way back, changed in place.
        answers: the renames; None where a person at a terminal has to be asked.
        dialect: by which types are compared.

    Raises:
        UsageError: there is a candidate, no answer and no terminal; or an answer fits nothing, or
            a table is renamed.
    """
    _refuse_tables(up, answers)
    wanted = _asked(up, dialect) if answers is None else _given(up, answers)
    for rename in wanted:
        _rename(up, rename.table, rename.old, rename.new)
        _rename(down, rename.table, rename.new, rename.old)


def _given(up: ops.UpgradeOps, answers: Renamed) -> list[Candidate]:
    possible = {(table, old, new) for table, old, new, _, _ in _pairs(up)}
    for (table, old), new in answers.items():
        if (table, old, new) not in possible:
            raise UsageError(
                "rename-unknown",
                f"{table}.{old}={new} is no rename: the models have to lack {old}, and the "
                f"database {new}",
                help="`dhafnck-db schema check` lists the differences; nothing was written",
            )
    return [Candidate(table, old, new) for (table, old), new in answers.items()]


def _asked(up: ops.UpgradeOps, dialect: Dialect) -> list[Candidate]:
    agreed: list[Candidate] = []
    for table, old, new, was, becomes in _pairs(up):
        settled = {name for one in agreed if one.table == table for name in (one.old, one.new)}
        if settled & {old, new} or was.type.compile(dialect) != becomes.type.compile(dialect):
            continue
        candidate = Candidate(table, old, new)
        if _ask(f"is column {old} of {table} now called {new}?", f"--rename {candidate}"):
            agreed.append(candidate)
    return agreed


def _refuse_tables(up: ops.UpgradeOps, answers: Renamed | None) -> None:
    """Refuse to drop a table that may only be called otherwise now."""
    if answers is not None:
        return
    gone = [op for op in up.ops if isinstance(op, ops.DropTableOp)]
    for made in (op for op in up.ops if isinstance(op, ops.CreateTableOp)):
        columns = {item.name for item in made.columns if isinstance(item, Column)}
        for old in gone:
            if {column.name for column in old.to_table().columns} == columns and _ask(
                f"is table {old.table_name} now called {made.table_name}?", "--no-renames"
            ):
                raise UsageError(
                    "rename-by-hand",
                    f"a draft would drop {old.table_name} with its rows, and make "
                    f"{made.table_name} empty; nothing was written",
                    help="`dhafnck-db schema revision --empty`, and write op.rename_table",
                )


def _ask(question: str, option: str) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise UsageError(
            "rename-unsaid",
            f"nobody says what autogenerate cannot see: {question.rstrip('?')}, or is one dropped "
            "with its data and the other new",
            cause="there is no terminal to ask at",
            help=f"`dhafnck-db schema revision` takes {option}, or --no-renames where none is one",
        )
    return click.confirm(question, err=True)


def _pairs(
    up: ops.UpgradeOps,
) -> Iterator[tuple[str, str, str, Column[object], Column[object]]]:
    """Yield each column that goes with each that comes to its table."""
    for group in up.ops:
        if not isinstance(group, ops.ModifyTableOps):
            continue
        table = f"{group.schema}.{group.table_name}" if group.schema else group.table_name
        gone = [op for op in group.ops if isinstance(op, ops.DropColumnOp)]
        come = [op for op in group.ops if isinstance(op, ops.AddColumnOp)]
        for old in gone:
            for new in come:
                yield table, old.column_name, new.column.name, old.to_column(), new.column


def _rename(direction: ops.OpContainer, table: str, old: str, new: str) -> None:
    """Put a rename in the place of the new column, and let the old one stay."""
    for group in direction.ops:
        if not isinstance(group, ops.ModifyTableOps):
            continue
        if table != (f"{group.schema}.{group.table_name}" if group.schema else group.table_name):
            continue
        kept: list[ops.MigrateOperation] = []
        (was,) = (
            op for op in group.ops if isinstance(op, ops.DropColumnOp) and op.column_name == old
        )
        for op in group.ops:
            if isinstance(op, ops.AddColumnOp) and op.column.name == new:
                kept.append(_renaming(was, op))
            elif op is not was:
                kept.append(op)
        group.ops[:] = kept


def _renaming(was: ops.DropColumnOp, becomes: ops.AddColumnOp) -> ops.AlterColumnOp:
    before, after = was.to_column(), becomes.column
    nullable = after.nullable if before.nullable != after.nullable else None
    return ops.AlterColumnOp(
        was.table_name,
        was.column_name,
        schema=was.schema,
        existing_type=before.type,
        existing_nullable=before.nullable,
        modify_nullable=nullable,
        modify_name=after.name,
    )
