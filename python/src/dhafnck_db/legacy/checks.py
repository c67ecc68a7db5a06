"""The target's CHECK constraints, asked before a row is sent.

It never repeats a rule: the constraint's own text is evaluated, by SQLite in memory.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Float,
    Integer,
    Select,
    Table,
    bindparam,
    literal_column,
    select,
)
from sqlalchemy.dialects import sqlite

from dhafnck_db.legacy.literal import Value
from dhafnck_db.legacy.long import Written, whole


class Checks:
    """The constraints of one table that concern the columns which are given values."""

    def __init__(self, target: Table, columns: Sequence[str]) -> None:
        self._db = sqlite3.connect(":memory:")
        self._read = [_reader(target, name) for name in columns]
        self._rules: list[tuple[str, str, list[int]]] = []
        for constraint in target.constraints:
            if isinstance(constraint, CheckConstraint):
                self._add(str(constraint.name), str(constraint.sqltext), target, columns)
        self._rules.sort()

    def broken(self, fields: Sequence[Written]) -> str | None:
        """Return the name of the first constraint that the row breaks, or None."""
        for name, statement, positions in self._rules:
            values = [self._read[at](whole(fields[at])) for at in positions]
            if self._db.execute(statement, values).fetchone()[0] == 0:
                return name
        return None

    def close(self) -> None:
        """Release the memory."""
        self._db.close()

    def _add(self, name: str, rule: str, target: Table, columns: Sequence[str]) -> None:
        words = set(re.findall(r"\w+", rule))
        used = [column.name for column in target.columns if column.name in words]
        if not set(used) <= set(columns):
            return  # it also concerns a default, which the server itself vouches for
        values = select(*(bindparam(column, 0).label(column) for column in used)).subquery()
        asked: Select[*tuple[Any, ...]] = select(literal_column(f"({rule})")).select_from(values)
        compiled = asked.compile(dialect=sqlite.dialect())
        order = [columns.index(bound) for bound in compiled.positiontup or ()]
        try:
            self._db.execute(str(compiled), [None] * len(order))
        except sqlite3.OperationalError:
            return  # written in PostgreSQL's own words: the server refuses the row, loudly
        self._rules.append((name, str(compiled), order))


def _reader(target: Table, name: str) -> Callable[[str | None], Value]:
    match target.c[name].type:
        case Boolean():
            return lambda text: None if text is None else int(text == "t")
        case Integer():
            return lambda text: None if text is None else int(text)
        case Float():
            return lambda text: None if text is None else float(text)
    return lambda text: text
