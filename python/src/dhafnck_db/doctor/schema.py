"""The database behind the connection: whose it is, its revision, and its indexes.

It never moves the schema; what a revision means is judged by `identity`, `revision` and `applied`.
"""

from __future__ import annotations

from collections.abc import Iterator

from alembic.script import ScriptDirectory
from alembic.script.revision import RevisionError
from alembic.util import CommandError
from sqlalchemy import text

from dhafnck_db import applied, identity, lineage, revision
from dhafnck_db.doctor.checks import Check, chain, said
from dhafnck_db.doctor.connection import SESSION
from dhafnck_db.doctor.context import Context
from dhafnck_db.errors import GuardError, TargetError
from dhafnck_db.schema import alembic_config

AT = "SELECT version_num FROM alembic_version"
HISTORY = "dhafnck-db schema history"
# One that is being built right now is not valid yet, and no fault. The index of a partitioned table
# is not either before all parts have theirs.
INVALID = text("""
    SELECT format('%I.%I', n.nspname, c.relname) AS name, i.indrelid::regclass::text AS of_table
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid AND c.relkind = 'i'
    JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE NOT i.indisvalid AND pg_has_role(c.relowner, 'USAGE')
      AND i.indexrelid NOT IN (
          SELECT index_relid FROM pg_stat_progress_create_index WHERE index_relid IS NOT NULL)
    ORDER BY 1
""")


def _identity(context: Context) -> Iterator[tuple[str, ...]]:
    confirm = "SELECT environment, reference FROM dhafnck.identity"
    try:
        found = identity.require(context.reading, context.target)
    except GuardError as fault:
        yield (*said(fault), confirm)
        return
    if found is None and _at(context):
        yield (
            "the database has no identity: its schema was not made by dhafnck-db",
            "check DATABASE_URL; a database of its own gets its schema by `dhafnck-db schema "
            "upgrade`",
            confirm,
        )


def _files(context: Context) -> Iterator[tuple[str, ...]]:
    try:
        heads = _script(context).get_heads()
    except (CommandError, RevisionError, KeyError) as broken:
        yield f"the revision files do not fit together: {broken}", "update the checkout", HISTORY
        return
    if len(heads) > 1:
        yield (
            f"the revision files have several heads: {', '.join(sorted(heads))}",
            "join them: alembic merge -m 'join' heads",
            "alembic heads",
        )


def _diverged(context: Context) -> Iterator[tuple[str, ...]]:
    try:
        revision.current(context.reading, context.settings.db_version_table)
    except TargetError as fault:
        yield (*said(fault), AT)


def _unknown(context: Context) -> Iterator[tuple[str, ...]]:
    at = _at(context)
    known = {step.revision for step in _script(context).walk_revisions()}
    if at is not None and at not in known:
        yield (
            f"the database is at revision {at}, which this checkout does not know",
            "update the checkout; the database was migrated by a newer one, or by another branch",
            AT,
        )


def _history(context: Context) -> Iterator[tuple[str, ...]]:
    stray = lineage.diverged(context.reading, _script(context), context.settings)
    if stray:
        yield (
            f"the database has revision {', '.join(stray)}, which does not lead to "
            f"{_at(context) or 'base'}, where it says it is",
            "take the checkout that it was migrated with, or tell by `alembic stamp` where it "
            "really is; `dhafnck-db schema check` compares it with the models",
            "SELECT revision FROM dhafnck.revisions",
        )


def _behind(context: Context) -> Iterator[tuple[str, ...]]:
    at, head = _at(context), _script(context).get_current_head()
    if at != head:
        yield (
            f"the database is at revision {at or 'none'}; the newest is {head}",
            "dhafnck-db schema upgrade",
            AT,
        )


def _edited(context: Context) -> Iterator[tuple[str, ...]]:
    names = applied.edited(context.reading, _script(context), context.settings)
    if names:
        yield (
            f"the file of revision {', '.join(names)} is another than when it was applied here",
            "put the file back as it was (git log -- alembic/versions), and write the change into "
            "a new revision",
            "SELECT revision, sha256 FROM dhafnck.revisions",
        )


def _indexes(context: Context) -> Iterator[tuple[str, ...]]:
    for name, of_table in context.reading.execute(INVALID):
        yield (
            f"index {name} of table {of_table} is invalid: building it CONCURRENTLY broke off, and "
            "it is written to and never read",
            f"DROP INDEX CONCURRENTLY {name}; then build it again",
            f"SELECT indisvalid FROM pg_index WHERE indexrelid = '{name}'::regclass",  # noqa: S608  # to be read, not run
        )


def _at(context: Context) -> str | None:
    return revision.current(context.reading, context.settings.db_version_table)


def _script(context: Context) -> ScriptDirectory:
    return ScriptDirectory.from_config(alembic_config(context.settings))


CHECKS = (
    *chain(
        {
            "revision diverged": _diverged,
            "identity": _identity,
            "revision files": _files,
            "revision unknown": _unknown,
            "revision history": _history,
            "revision behind": _behind,
        },
        after=SESSION,
    ),
    Check("revision edited", _edited, "revision unknown"),
    Check("invalid index", _indexes, "identity"),
)
