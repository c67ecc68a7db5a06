"""The rules that only this project can know: who may use a table, what the models still have.

Each takes one revision, as its statements, and yields findings. None executes anything.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

import postgast

from dhafnck_db import ddl
from dhafnck_db.ddl import Change
from dhafnck_db.lint.findings import Finding
from dhafnck_db.offline import Statement, Step
from dhafnck_db.privileges import ROLES

CLOSED_TO = frozenset(role.strip().lower() for role in ROLES.split(","))
LOSING = {
    "drop column": "drops a column with its data, which no downgrade brings back, and fails code "
    "that still reads it",
    "drop table": "drops a table with its rows, which no downgrade brings back, and fails code "
    "that still reads it",
    "truncate": "removes all rows, which no downgrade brings back",
    "delete": "removes rows, which no downgrade brings back",
}


def readable(step: Step) -> Iterator[Finding]:
    """Everything that the revision executes can be read without a database."""
    if step.up.fault is not None:
        yield _of_file(
            step,
            "not-offline",
            f"its upgrade cannot be shown without a database: {step.up.fault}",
            "let it execute SQL through op alone; what is behind this line was not examined",
        )
    for statement in step.up.statements:
        try:
            ddl.parse(statement.sql)
        except postgast.PgQueryError as failure:
            yield _of(
                step, statement, "not-parsed", f"this is no SQL: {failure}", "mend the statement"
            )


def closed(step: Step) -> Iterator[Finding]:
    """A new table is closed: row level security on, and no privilege left to defaults; it stays so.

    Supabase's default privileges give anon and authenticated everything on a new table.
    """
    for direction in (step.up, step.down):
        done = [(one, change) for one in direction.statements for change in ddl.changes(one.sql)]
        gone = {change.table for _, change in done if change.kind == "drop table"}
        secured = {change.table for _, change in done if change.kind == "enable row security"}
        revoked: dict[str, frozenset[str]] = {}
        for _, change in done:
            revoked[change.table] = revoked.get(change.table, frozenset()) | change.roles
        for statement, change in done:
            if change.kind == "disable row security":
                message = f"{change.table} loses its row level security"
                help = "narrow its policies instead, or let a role have BYPASSRLS"
                yield _of(step, statement, "table-without-row-security", message, help)
            if change.kind != "create table" or change.table in gone:
                continue
            name = change.table.removeprefix(f"{ddl.DEFAULT_SCHEMA}.")
            help = f'execute the statements of dhafnck_db.privileges.secure("{name}")'
            if change.table not in secured:
                message = f"the new table {change.table} has no row level security"
                yield _of(step, statement, "table-without-row-security", message, help)
            if not revoked[change.table] >= CLOSED_TO:
                message = f"who may use the new table {change.table} is left to default privileges"
                yield _of(step, statement, "table-without-grants", message, help)


def reversible(step: Step) -> Iterator[Finding]:
    """A downgrade brings back what was there, and takes away nothing else."""
    for statement in step.up.statements:
        for change in ddl.changes(statement.sql):
            if change.kind in LOSING:
                yield _of(
                    step,
                    statement,
                    "data-lost",
                    f"{change.object}: {LOSING[change.kind]}",
                    "stop using it first, keep its data for a release, and say so in a waiver",
                )
    down = step.down
    if down.fault is not None:
        yield _of_file(
            step,
            "downgrade-fails",
            f"its downgrade cannot be run: {down.fault}",
            "undo in downgrade() what upgrade() does",
        )
    elif step.up.statements and not down.statements:
        yield _of_file(
            step,
            "downgrade-missing",
            "its downgrade executes nothing, and its upgrade does",
            "undo in downgrade() what upgrade() does",
        )
    made = _made(step.up.statements)
    for statement in down.statements:
        for change in ddl.changes(statement.sql):
            if change.kind in LOSING and not {change.table, change.object} & made:
                yield _of(
                    step,
                    statement,
                    "downgrade-loses-data",
                    f"the downgrade {LOSING[change.kind].split(',')[0]} ({change.object}), and the "
                    "upgrade did not make it",
                    "let downgrade() undo what upgrade() does, and nothing else",
                )


def still_used(
    step: Step, later: Iterable[Step], tables: dict[str, Collection[str]]
) -> Iterator[Finding]:
    """What is dropped or renamed away is not in the models any more.

    Args:
        step: the revision.
        later: the revisions after it, which may make the same anew.
        tables: the models' tables, with their schema, and their columns.
    """
    anew = {
        change.to or change.object
        for one in later
        for statement in one.up.statements
        for change in ddl.changes(statement.sql)
        if change.kind in ("create table", "add column", "rename table", "rename column")
    }
    for statement in step.up.statements:
        for change in ddl.changes(statement.sql):
            if change.object not in anew and _in_models(change, tables):
                yield _of(
                    step,
                    statement,
                    "still-in-models",
                    f"{change.object} goes away while the models still have it",
                    "take it out of the models, or leave it in the database",
                )


def _in_models(change: Change, tables: dict[str, Collection[str]]) -> bool:
    if change.kind in ("drop table", "rename table"):
        return change.table in tables
    if change.kind in ("drop column", "rename column"):
        return change.column in tables.get(change.table, ())
    return False


def _made(statements: Iterable[Statement]) -> set[str]:
    """Return the tables and columns that statements make, also under another name."""
    made = set()
    for statement in statements:
        for change in ddl.changes(statement.sql):
            if change.kind in ("create table", "add column"):
                made.add(change.object)
            elif change.kind == "rename column":
                made.add(f"{change.table}.{change.to}")
            elif change.kind == "rename table":
                made.add(str(change.to))
    return made


def _of(step: Step, statement: Statement, rule: str, message: str, help: str) -> Finding:
    return Finding(step.revision, step.file, statement.line, rule, message, help, statement.sql)


def _of_file(step: Step, rule: str, message: str, help: str) -> Finding:
    return Finding(step.revision, step.file, 1, rule, message, help)
