"""What makes the rows of a legacy table plain, and whether that can be told without a look at each.

It never reads a row; the structure of both sides is enough.
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import CheckConstraint, Enum, Table

from dhafnck_db.legacy.archive import archived_columns
from dhafnck_db.legacy.batches import Rows, quoted
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.layout import OWNER, PUBLIC, Laid
from dhafnck_db.legacy.mapping import LegacyMapping
from dhafnck_db.legacy.plain import IS, Check, Field, Lead, PlainTable
from dhafnck_db.legacy.plan import ColumnPlan, Derived
from dhafnck_db.legacy.rules import references, unique_keys
from dhafnck_db.legacy.source import encoding, is_declared_text

MOST_COLUMNS = 200  # SQLite bounds the depth of an expression
_BITS = {"smallint": 16, "integer": 32, "bigint": 64}


class NotPlain(Exception):
    """The table's rows have to be looked at one by one. Never leaves this module."""


def recognise(
    connection: sqlite3.Connection,
    laid: Laid,
    every: Sequence[Laid],
    keys: Keys,
    mapping: LegacyMapping,
    owner: str | None,
) -> PlainTable | None:
    """Return what to ask of SQLite for the rows of a table, or None where each has to be looked at.

    Args:
        connection: the snapshot.
        laid: the table.
        every: all tables of the file.
        keys: the notes of the run.
        mapping: which columns refer to which tables.
        owner: whom rows belong to whose owner the file does not tell.
    """
    if len(laid.source.columns) > MOST_COLUMNS:
        return None
    if laid.source.rowid is None or not laid.source.rows or encoding(connection) != "UTF-8":
        return None
    try:
        return _Recogniser(connection, laid, every, keys, mapping, owner).table()
    except NotPlain:
        return None


@dataclass
class _Recogniser:
    """What is gathered for one table; its fields are the arguments of `recognise`, and findings."""

    _connection: sqlite3.Connection
    _laid: Laid
    _every: Sequence[Laid]
    _keys: Keys
    _mapping: LegacyMapping
    _owner: str | None
    _parameters: dict[str, object] = field(default_factory=dict)
    _checks: dict[str, Check] = field(default_factory=dict)
    _conditions: list[str] = field(default_factory=list)
    _changed_ids: dict[str, str] = field(default_factory=dict)
    _lead: Lead | None = None

    def __post_init__(self) -> None:
        self._source = self._laid.source
        self._parameters["owner"] = self._owner

    def table(self) -> PlainTable:
        fields = self._mapped(self._laid.target) if self._laid.target is not None else {}
        archived = self._archived()
        plain = PlainTable(
            rows=Rows(f"main.{quoted(self._source.name)}", self._source.rowid or ""),
            parameters=self._parameters,
            fields=tuple(fields.values()),
            archived=archived,
            checks=tuple(self._checks.values()),
            conditions=tuple(self._conditions),
            sources={
                name: one.copied for name, one in fields.items() if one.copied.startswith("s.")
            },
            changed_ids=self._changed_ids,
            lead=self._lead,
        )
        target = self._laid.target
        if target is None or not self._is_referred_to(target):
            return plain
        self._parameters["space"] = self._keys.space(target.name, ("id",))
        owner = fields[OWNER].copied if OWNER in fields else "NULL"
        return replace(plain, note=(fields["id"].copied, owner))

    def _mapped(self, target: Table) -> dict[str, Field]:
        if sum(one.target is target for one in self._every if one.source.rows) > 1:
            raise NotPlain  # keys of the others would have to be known
        fields: dict[str, Field] = {}
        for column in self._laid.plan.columns:
            if column.to and column.to.schema == PUBLIC:
                name = column.to.column
                fields[name] = self._field(column, name, nullable=bool(target.c[name].nullable))
        self._derive(target, fields)
        self._fold(fields)
        self._refer(target, fields)
        self._constrain(target, fields)
        if any(
            column.name not in fields
            and not column.nullable
            and column.server_default is None
            and column.identity is None
            for column in target.columns
        ):
            raise NotPlain  # no row goes in, and each is listed
        for names in unique_keys(target):
            if set(names) <= fields.keys():
                self._require_unique([part for name in names for part in self._origins(name)])
        return fields

    def _field(self, column: ColumnPlan, name: str, *, nullable: bool) -> Field:
        """Return the field that a column becomes, and check the column."""
        kind, _, length = (column.convert or "").partition(" ")[0].partition("(")
        c = self._sql(column.name)
        number = self._holds_numbers(column)
        match kind:
            case "uuid" if number:
                target = self._laid.target
                if target is None or list(target.primary_key) != [target.c[name]]:
                    raise NotPlain
                self._check(column.name, "integer", nullable=nullable)
                self._changed_ids[str(target.name)] = c
                return Field(name, f"as_uuid({c})", f"same_uuid({c})")
            case "uuid":
                self._check(column.name, "text", "uuid", nullable=nullable)
            case "timestamptz":
                self._check(column.name, "text", "time", nullable=nullable)
                shortest = f"rtrim(rtrim({c}, '0'), '.')"
                back = f"CASE WHEN length({c}) = 19 THEN {c} ELSE {shortest} END || '+00'"
                return Field(name, c, back)
            case "jsonb":
                self._check(column.name, "text", "json", nullable=nullable)
                return Field(name, c, c, json=True)
            case "boolean":
                self._check(column.name, "integer", also=f"{c} IN (0, 1)", nullable=nullable)
                return Field(name, c, f"CASE {c} WHEN 1 THEN 't' WHEN 0 THEN 'f' END")
            case "smallint" | "integer" | "bigint":
                most = 1 << _BITS[kind] - 1
                within = f"{c} BETWEEN {-most} AND {most - 1}"
                self._check(column.name, "integer", also=within, nullable=nullable)
            case "double":
                self._check(column.name, "real", nullable=nullable)
                return _double(name, c)
            case "text" if number:
                self._check(column.name, "integer", nullable=nullable)
                return Field(name, f"CAST({c} AS TEXT)", f"CAST({c} AS TEXT)")
            case "text":
                self._check(column.name, "text", "text", nullable=nullable)
            case "varchar":
                fits = f"length({c}) <= {int(length.removesuffix(')'))}"
                self._check(column.name, "text", "text", also=fits, nullable=nullable)
            case "enum":
                labels = ", ".join(map(_text, self._labels(name)))
                self._check(
                    column.name, "text", also=f"{c} COLLATE BINARY IN ({labels})", nullable=nullable
                )
            case _:
                raise NotPlain
        return Field(name, c, c)

    def _check(
        self,
        name: str,
        stored: str,
        spelling: str = "",
        *,
        also: str = "",
        nullable: bool = True,
    ) -> None:
        c = self._sql(name)
        kept_as_text = stored == "text" and self._keeps_text(name)
        is_stored = f"{c} < x''" if kept_as_text else IS[stored].format(c=c)
        holds = " AND ".join(part for part in (is_stored, also) if part)
        known = self._checks.get(name)
        if known is not None:  # asked for twice, as an id and as a key of the archive for example
            if known.stored != stored:
                raise NotPlain
            strict = {known.spelling, spelling} - {"", "text"}
            if len(strict) > 1:
                raise NotPlain
            spelling = strict.pop() if strict else known.spelling or spelling
            holds = " AND ".join(dict.fromkeys((known.holds, holds)))
            nullable = known.nullable and nullable
        self._checks[name] = Check(name, c, stored, holds, spelling, nullable)

    def _derive(self, target: Table, fields: dict[str, Field]) -> None:
        for derived in self._laid.plan.derived:
            if derived.kind == "id":
                fields[derived.column] = self._derived_id(derived)
            elif derived.parent is None:
                if self._owner is None:
                    raise NotPlain  # the rows have to be counted
                fields[derived.column] = Field(derived.column, ":owner", ":owner")
            else:
                fields[derived.column] = self._inherited(derived)

    def _derived_id(self, derived: Derived) -> Field:
        """Return the field of an id that is made from other columns, of which the first is one."""
        parts = [self._sql(source) for source in derived.sources]
        if any(map(self._holds_numbers_named, derived.sources)):
            raise NotPlain
        self._check(derived.sources[0], "text", "uuid")
        for source in derived.sources[1:]:
            self._check(source, "text", "text")
        self._conditions += [f"{c} IS NOT NULL" for c in parts]
        if len(parts) == 1:
            return Field(derived.column, parts[0], parts[0])
        # Every id is of the same length, so that no two rows are spelled the same.
        joined = " || '/' || ".join(parts)
        return Field(derived.column, f"as_uuid({joined})", f"same_uuid({joined})")

    def _inherited(self, derived: Derived) -> Field:
        """Return the field of an owner that is that of the row referred to.

        A row that refers to none that goes in is looked at; one that refers to nobody belongs to
        whom the run names.
        """
        c = self._sql(derived.sources[0])
        self._parameters["parent"] = self._keys.space(derived.parent or "", ("id",))
        self._parameters["child"] = self._keys.space(self._source.name, ("owner",))
        found = (
            "(SELECT l.owner FROM scratch.leads l "
            f"WHERE l.child = :child AND l.number = s.{self._source.rowid})"
        )
        owner = f"CASE WHEN {c} IS NULL THEN :owner ELSE {found} END"
        self._lead = Lead(by=c, holds=f"({owner}) IS NOT NULL")
        return Field(derived.column, owner, owner)

    def _fold(self, fields: dict[str, Field]) -> None:
        """Add the field that takes the columns without a place of their own, as JSON."""
        folded = [column for column in self._laid.plan.columns if column.fold]
        if not folded or folded[0].fold is None:
            return
        members, expected = [], []
        for column in folded:
            c, label = self._sql(column.name), _text(column.name)
            is_json = "JSON" in column.declared.upper()
            key = json.dumps(column.name)
            match column.convert:
                case "text" if is_json:
                    self._check(column.name, "text", "json")
                    members.append(f"{_text(key + ': ')} || coalesce({c}, 'null')")
                    expected.append(f"{label}, json({c})")
                case "text":
                    self._check(column.name, "text", "text")
                    members.append(f"{_text(key + ': ')} || coalesce(json_quote({c}), 'null')")
                    expected.append(f"{label}, {c}")
                case "bigint":
                    members.append(f"{_text(key + ': ')} || coalesce({c}, 'null')")
                    expected.append(f"{label}, {c}")
                case _:
                    raise NotPlain
        name = folded[0].fold.column
        joined = " || ', ' || ".join(members)
        fields[name] = Field(
            name, f"'{{' || {joined} || '}}'", f"json_object({', '.join(expected)})", json=True
        )

    def _refer(self, target: Table, fields: Mapping[str, Field]) -> None:
        """Every reference that a constraint holds has to lead to a row that goes in."""
        leading = {(d.sources[0], d.parent) for d in self._laid.plan.derived if d.parent}
        for column, parent, referred in references(target):
            if column not in fields:
                continue
            if parent == target.name or referred != "id":
                raise NotPlain
            if (self._origin(column), parent) in leading:
                continue  # it is looked up for the owner
            name = f"refers_{column}"
            self._parameters[name] = self._keys.space(parent, ("id",))
            value = fields[column].copied
            self._conditions.append(
                f"({value} IS NULL OR EXISTS (SELECT 1 FROM scratch.keys k "
                f"WHERE k.space = :{name} AND k.key = {value}))"
            )

    def _constrain(self, target: Table, fields: Mapping[str, Field]) -> None:
        """The CHECK constraints that concern the fields have to hold."""
        for constraint in target.constraints:
            if not isinstance(constraint, CheckConstraint):
                continue
            rule = str(constraint.sqltext)
            words = set(re.findall(r"\w+", rule))
            used = [column.name for column in target.columns if column.name in words]
            if not set(used) <= fields.keys():
                continue  # it also concerns a default, which the server itself vouches for
            values = ", ".join(
                f"({fields[name].copied}) COLLATE BINARY AS {quoted(name)}" for name in used
            )
            nothing = ", ".join(f"NULL AS {quoted(name)}" for name in used)
            try:
                self._connection.execute(f"SELECT ({rule}) FROM (SELECT {nothing})")
            except sqlite3.OperationalError:
                continue  # written in PostgreSQL's own words: the server refuses the row, loudly
            self._conditions.append(f"coalesce((SELECT ({rule}) FROM (SELECT {values})), 1)")

    def _archived(self) -> tuple[Field, ...] | None:
        archive = self._laid.plan.archive
        if archive is None:
            return ()
        number = f"s.{self._source.rowid}"
        fields = [Field(archive.rowid, number, number)]
        written = True
        for name, column, kind in archived_columns(self._laid.plan, archive):
            c = self._sql(name)
            match kind:
                case "text":
                    self._check(name, "text", "text")
                    fields.append(Field(column, c, c))
                case "bigint":
                    self._check(name, "integer")
                    fields.append(Field(column, c, c))
                case "double precision":
                    self._check(name, "real")
                    fields.append(_double(column, c))
                case "bytea":
                    self._check(name, "blob")
                    digits = f"CASE WHEN {c} IS NOT NULL THEN '\\x' || hex({c}) END"
                    fields.append(Field(column, digits, f"lower({digits})"))
                case _:
                    written = False
        return tuple(fields) if written else None

    def _require_unique(self, names: Sequence[str]) -> None:
        """The file has to keep the columns unique itself, byte for byte."""
        if names == list(self._source.keys) and self._is_number(names):
            return
        indexes = self._connection.execute(
            'SELECT name FROM pragma_index_list(?) WHERE "unique" AND NOT partial',
            (self._source.name,),
        ).fetchall()
        for (index,) in indexes:
            columns = self._connection.execute(
                "SELECT name, coll FROM pragma_index_xinfo(?) WHERE key", (index,)
            ).fetchall()
            if {name for name, _ in columns} == set(names) and all(
                collation == "BINARY" for _, collation in columns
            ):
                return
        raise NotPlain

    def _is_number(self, names: Sequence[str]) -> bool:
        (first, *others) = names
        return not others and self._column(first).declared.upper() == "INTEGER"

    def _is_referred_to(self, target: Table) -> bool:
        return "id" in target.primary_key.columns and any(
            one.target is not None
            and (
                any(parent == target.name for _, parent, _ in references(one.target))
                or any(derived.parent == target.name for derived in one.plan.derived)
                or target.name in self._mapping.references.get(one.target.name, {}).values()
            )
            for one in self._every
        )

    def _origin(self, column: str) -> str:
        """Return the column of the file that a field has its value from."""
        (origin,) = self._origins(column)
        return origin

    def _origins(self, column: str) -> Sequence[str]:
        """Return the columns of the file that a field has its value from."""
        for planned in self._laid.plan.columns:
            if planned.to and planned.to.schema == PUBLIC and planned.to.column == column:
                return [planned.name]
        for derived in self._laid.plan.derived:
            if derived.column == column and derived.kind == "id":
                return derived.sources
        raise NotPlain

    def _keeps_text(self, name: str) -> bool:
        """Whether SQLite makes text of every number in a column, by its declared type."""
        return is_declared_text(self._column(name).declared)

    def _holds_numbers(self, column: ColumnPlan) -> bool:
        return "INT" in column.declared.upper()

    def _holds_numbers_named(self, name: str) -> bool:
        return "INT" in self._column(name).declared.upper()

    def _labels(self, name: str) -> Sequence[str]:
        target = self._laid.target
        kind = None if target is None else target.c[name].type
        return kind.enums if isinstance(kind, Enum) else ()

    def _column(self, name: str) -> ColumnPlan:
        return next(column for column in self._laid.plan.columns if column.name == name)

    def _sql(self, name: str) -> str:
        return f"s.{quoted(name)}"


def _double(name: str, c: str) -> Field:
    return Field(name, f"as_double({c})", f"bits({c})", asked="encode(float8send({c}), 'hex')")


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
