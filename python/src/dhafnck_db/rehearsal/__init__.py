"""Revisions tried on a copy of the target: up, down again and up again, with times and locks.

It never writes to the target, and what it could not do is a failure.
"""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from dhafnck_db import catalog, contents, identity, lineage, revision, schema, scratch_database
from dhafnck_db.bookkeeping import PROJECT_SCHEMA
from dhafnck_db.catalog import Catalog
from dhafnck_db.contents import Content
from dhafnck_db.errors import ToolkitError, UsageError, VerificationError
from dhafnck_db.rehearsal import copy
from dhafnck_db.rehearsal.copy import Copy
from dhafnck_db.rehearsal.watch import MODES, WRITES, StepWatch
from dhafnck_db.target import Target, connect_admin

Way = Literal["up", "down", "up again"]
NOBODY_WRITES = text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
Shape = dict[tuple[str, str], str]


@dataclass(frozen=True)
class Lock:
    """The strongest lock that a step held on a table that was there before."""

    table: str
    mode: str
    rows: float | None  # of the table, as far as known


@dataclass(frozen=True)
class Step:
    """One revision on the copy, in one direction."""

    revision: str
    way: Way
    seconds: float
    locks: list[Lock]


@dataclass(frozen=True)
class Rehearsal:
    """What was tried, and what came of it."""

    revisions: list[str]  # oldest first
    pending: bool  # whether the target lacks them
    at: str | None  # where the target is
    source: str
    backup: str | None
    major: int  # of the scratch server
    seconds: float
    steps: list[Step]
    untouched: int  # tables that no step could have changed
    lost: list[str]  # tables whose rows are others after up and down
    differences: list[str] = field(default_factory=list)  # what should be the same and is not

    def to_dict(self) -> dict[str, Any]:
        return {"changed": False, **asdict(self)}


def run(target: Target, last: int | None = None, *, schema_only: bool = False) -> Rehearsal:
    """Try revisions on a copy of the target. Read-only towards the target.

    Args:
        target: what is copied.
        last: how many of the newest revisions; None for those that are pending, and where none is,
            the newest one.
        schema_only: take the schema without rows, even where there is a backup.

    Raises:
        UsageError: there are not that many revisions.
        VerificationError: a revision failed on the copy.
        ToolkitError: no copy could be made, or the target would be refused by an upgrade too.
    """
    started = time.monotonic()
    with connect_admin(target) as connection:
        connection.execute(NOBODY_WRITES)
        connection.commit()
        identity.require(connection, target)
        script = ScriptDirectory.from_config(schema.alembic_config(target.settings))
        lineage.require_one(connection, script, target, upgrades=True)
        at = revision.current(connection, target.settings.db_version_table)
        chain = _chain(script, schema.head(target.settings))
        pending = chain[chain.index(at) + 1 :] if at else chain
        number = last or len(pending) or 1
        if number > len(chain):
            raise UsageError(
                "too-few-revisions",
                f"there are {len(chain)} revisions, not {number}",
                help="`dhafnck-db schema history` lists them",
            )
        chosen = chain[-number:]
        below = [None, *chain][-number - 1]
        connection.rollback()
        with copy.made(connection, target, chain, schema_only=schema_only) as made:
            tried = _Trial(made, chain, [below, *chosen])
            tried.prepare()
            tried.go()
            major = int(made.superuser.exec_driver_sql("SHOW server_version_num").scalar_one())
    return Rehearsal(
        revisions=chosen,
        pending=chosen == pending,
        at=at,
        source=made.source,
        backup=made.backup,
        major=major // 10000,
        seconds=round(time.monotonic() - started, 1),
        steps=tried.steps,
        untouched=len(tried.untouched),
        lost=tried.lost,
        differences=tried.differences,
    )


@dataclass
class _Trial:
    """The steps on the copy, and what they left."""

    made: Copy
    chain: list[str]  # all revisions, oldest first
    places: list[str | None]  # the revision below the first, then each of them
    steps: list[Step] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    untouched: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Bring the copy to where the first step begins."""
        made, below = self.made, self.places[0]
        now = revision.current(made.connection, made.target.settings.db_version_table)
        made.connection.rollback()
        heights = {name: height for height, name in enumerate([None, *self.chain])}
        if now not in heights:
            raise VerificationError(
                "rehearsal-failed",
                f"{made.source} is at revision {now}, which this checkout does not know",
                help="rehearse with --schema-only, or make a new backup",
            )
        try:
            if heights[now] < heights[below]:
                schema.upgrade(made.connection, made.target, str(below))
            elif heights[now] > heights[below]:
                schema.downgrade(made.connection, made.target, below or "base")
        except (ToolkitError, NotImplementedError) as failure:
            way: Way = "up" if heights[now] < heights[below] else "down"
            raise _failed(f"on the way to {below or 'base'}", way, failure) from None

    def go(self) -> None:
        """Go up, down and up again, and compare."""
        before = self._contents()
        bottom = self._shape()
        self._up("up")
        top = self._shape()
        self._down()
        self.differences += _compared("going down leaves", bottom, self._shape())
        back = self._contents()
        self._up("up again")
        self.differences += _compared("going up again gives", top, self._shape())
        after = self._contents()
        touched = {
            lock.table
            for step in self.steps
            for lock in step.locks
            if MODES.index(lock.mode) >= WRITES
        }
        self.untouched = sorted((before.keys() & after.keys()) - touched)
        self.differences += [
            f"{name} holds other rows than before, and no step was seen to write to it"
            for name in self.untouched
            if before[name] != after[name] or back.get(name) != before[name]
        ]
        self.lost = sorted(
            name for name in before.keys() - set(self.untouched) if back.get(name) != before[name]
        )

    def _up(self, way: Way) -> None:
        for name in self.places[1:]:
            self._step(str(name), way, str(name))

    def _down(self) -> None:
        pairs = list(zip(self.places, self.places[1:], strict=False))
        for below, name in reversed(pairs):
            self._step(str(name), "down", below or "base")

    def _step(self, name: str, way: Way, to: str) -> None:
        made = self.made
        watch = StepWatch(made.connection, made.superuser)
        move = schema.downgrade if way == "down" else schema.upgrade
        try:
            move(made.connection, made.target, to, looking_on=[watch])
        except (ToolkitError, NotImplementedError) as failure:
            raise _failed(name, way, failure) from None
        finally:
            watch.end()
        version = f"public.{made.target.settings.db_version_table}"
        locks = [
            Lock(table, mode, made.rows.get(table))
            for table, mode in sorted(watch.modes.items())
            if table != version and mode != MODES[0]
        ]
        self.steps.append(Step(name, way, round(watch.seconds, 3), locks))

    def _contents(self) -> dict[str, Content]:
        """What the tables hold, but for those in which every move leaves its own trace."""
        own = {
            f"public.{self.made.target.settings.db_version_table}",
            f"{PROJECT_SCHEMA}.revisions",
        }
        with self._reading() as connection:
            found = contents.read(connection, self.made.schemas)
        return {name: content for name, content in found.items() if name not in own}

    def _shape(self) -> Shape:
        with self._reading() as connection:
            connection.exec_driver_sql("SET LOCAL search_path = ''")
            return shape(catalog.look(connection, self.made.schemas))

    def _reading(self) -> AbstractContextManager[Connection]:
        return scratch_database.connected(self.made.server, copy.DATABASE, "REPEATABLE READ")


def shape(found: Catalog) -> Shape:
    """Return a catalog without what is another in a table or column that was made anew."""
    return {
        (kind, name): json.dumps(json.loads(definition)[1:])
        if kind in ("relation", "column")  # their first part is the number and the position
        else definition
        for kind, name, definition in found.entries
    }


def _compared(words: str, wanted: Shape, found: Shape) -> list[str]:
    """Return how a shape differs from the one that it should be, a sentence each."""
    said = []
    for kind, name in sorted(wanted.keys() | found.keys()):
        key = kind, name
        if key not in found:
            said.append(f"{words} no {kind} {name}")
        elif key not in wanted:
            said.append(f"{words} {kind} {name}, which was not there")
        elif wanted[key] != found[key]:
            said.append(f"{words} another {kind} {name}")
    return said


def _chain(script: ScriptDirectory, head: str | None) -> list[str]:
    """Return all revisions up to the head, oldest first."""
    steps = script.iterate_revisions(head, "base") if head else ()
    return [step.revision for step in steps][::-1]


def _failed(name: str, way: Way, failure: ToolkitError | NotImplementedError) -> VerificationError:
    if isinstance(failure, ToolkitError):
        cause = f"{failure.message}: {failure.cause}" if failure.cause else failure.message
    else:
        cause = str(failure) or "it raises NotImplementedError"
    return VerificationError(
        "rehearsal-failed",
        f"revision {name} failed on the copy, going {way}",
        cause=cause,
        help="the target was only read; mend the revision, and rehearse again",
    )
