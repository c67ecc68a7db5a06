"""Where each table and column of a file goes, before a single row is looked at.

It never converts a value, and never knows the target database: the models are enough.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from sqlalchemy import MetaData, Table
from sqlalchemy.schema import sort_tables

from dhafnck_db.bookkeeping import ARCHIVE_SCHEMA
from dhafnck_db.errors import SourceError
from dhafnck_db.legacy import archive as archives
from dhafnck_db.legacy.batches import Batch, Rows, quoted, scan, spans
from dhafnck_db.legacy.convert import conversion_to
from dhafnck_db.legacy.literal import Row, is_clean
from dhafnck_db.legacy.long import LongText
from dhafnck_db.legacy.mapping import LegacyMapping
from dhafnck_db.legacy.plain import PlainTable
from dhafnck_db.legacy.plan import Archive, ColumnPlan, Derived, Place, TablePlan
from dhafnck_db.legacy.rules import counted_column, known_by
from dhafnck_db.legacy.snapshot import LONE, Snapshot
from dhafnck_db.legacy.source import (
    SourceTable,
    encoding,
    histogram,
    holds_text,
    read_rows,
    read_span,
)

OWNER = "user_id"
PUBLIC = "public"
Types = Mapping[str, Mapping[str, int]]  # how many values each storage class has, by column


@dataclass(frozen=True)
class Laid:
    """A legacy table, its plan so far, and the table of the models that it goes into."""

    source: SourceTable
    plan: TablePlan
    target: Table | None
    plain: PlainTable | None = None  # what to ask of plain rows
    batches: Sequence[Batch] = ()  # none: every row has to be looked at


def lay_out(
    snapshot: Snapshot,
    tables: Sequence[SourceTable],
    models: MetaData,
    mapping: LegacyMapping,
) -> list[Laid]:
    """Return where every table goes, parents and owners before what refers to them. Read-only.

    Raises:
        SourceError: a table to archive has more columns than a PostgreSQL table can have.
    """
    names = archives.unique_names((table.name for table in tables), taken=archives.BOOKKEEPING)
    laid = []
    for source, name in zip(tables, names, strict=True):
        target = _target(source, models, mapping)
        if target is None:
            laid.append(Laid(source, _archived(snapshot, source, name), None))
        else:
            laid.append(Laid(source, _mapped(snapshot, source, name, target, mapping), target))
    owned = [
        (models.tables[path.parent], models.tables[name])
        for name, path in mapping.owners.items()
        if {name, path.parent} <= models.tables.keys()
    ]
    sorted_tables = sort_tables(models.tables.values(), extra_dependencies=owned)
    order = {table.name: place for place, table in enumerate(sorted_tables)}
    return sorted(laid, key=lambda one: order[one.target.name] if one.target is not None else -1)


def _target(source: SourceTable, models: MetaData, mapping: LegacyMapping) -> Table | None:
    name = source.name.casefold()
    return models.tables.get(mapping.tables.get(name, name))


def _archived(snapshot: Snapshot, source: SourceTable, name: str) -> TablePlan:
    every = [column.name for column in source.columns]
    types = histogram(snapshot.connection, source, every)
    kinds = _representations(snapshot, source, types, every)
    archive, names = _archive(snapshot, source, name, (), kinds)
    return TablePlan(
        name=source.name,
        rows=source.rows,
        to=f"{ARCHIVE_SCHEMA}.{name}",
        columns=tuple(
            ColumnPlan(
                column.name,
                column.declared,
                Place(ARCHIVE_SCHEMA, name, names[column.name]),
                kinds[column.name],
                types[column.name],
            )
            for column in source.columns
        ),
        archive=archive,
        autoincrement=source.autoincrement,
    )


def _mapped(
    snapshot: Snapshot,
    source: SourceTable,
    name: str,
    target: Table,
    mapping: LegacyMapping,
) -> TablePlan:
    places = _places(source, target, mapping.columns.get(target.name, {}))
    told_by = source.keys
    if words := _words_for_numbers(snapshot, source, places, target, mapping):
        del places[words]
        other_key = known_by(target, places.values()) or ()
        told_by += tuple(c.name for c in source.columns if places.get(c.name) in other_key)
    homeless = [c.name for c in source.columns if c.name not in places] if source.rows else []
    archive: Archive | None = None
    names: dict[str, str] = {}
    kinds: dict[str, str] = {}
    types: Types = {}  # of the others once the rows were looked at
    if homeless:
        keys = [key for key in dict.fromkeys(told_by) if key in places]
        types = histogram(snapshot.connection, source, [*keys, *homeless])
        kinds = _representations(snapshot, source, types, [*keys, *homeless])
        archive, names = _archive(snapshot, source, name, keys, kinds)
    fold = mapping.folds.get(target.name)
    folded = Place(PUBLIC, target.name, fold) if fold and fold not in places.values() else None
    columns = []
    for c in source.columns:
        stored = types.get(c.name, {})
        if c.name in places:
            column = target.c[places[c.name]]
            conversion = conversion_to(column.type)
            to = Place(PUBLIC, str(target.name), str(column.name))  # nothing of SQLAlchemy's own
            convert = conversion.name if conversion else None
            columns.append(ColumnPlan(c.name, c.declared, to, convert, stored))
        elif archive:
            place = Place(ARCHIVE_SCHEMA, archive.table, names[c.name])
            columns.append(ColumnPlan(c.name, c.declared, place, kinds[c.name], stored, folded))
        else:
            columns.append(ColumnPlan(c.name, c.declared, None, None, stored))
    return TablePlan(
        name=source.name,
        rows=source.rows,
        to=f"{PUBLIC}.{target.name}",
        columns=tuple(columns),
        derived=_derived(source, places, target, mapping),
        archive=archive,
        autoincrement=source.autoincrement,
    )


def _places(source: SourceTable, target: Table, renames: Mapping[str, str]) -> dict[str, str]:
    """Return the target column of each source column that has one."""
    known = {c.name for c in target.columns if conversion_to(c.type)}
    own = {c.name.casefold(): c.name for c in source.columns}
    places = {own[name]: name for name in known if name in own}
    for old, new in renames.items():
        if old in own and new in known and new not in places.values():
            places[own[old]] = new
    return places


def _words_for_numbers(
    snapshot: Snapshot,
    source: SourceTable,
    places: Mapping[str, str],
    target: Table,
    mapping: LegacyMapping,
) -> str | None:
    """Return the column of words whose place holds numbers that nothing refers to, if there is one.

    The target can count such rows itself, where another key of theirs still tells them apart.
    """
    counted = counted_column(target, mapping)
    for old, new in places.items():
        if new == counted and holds_text(snapshot.connection, source, old):
            return old if known_by(target, set(places.values()) - {new}) else None
    return None


def _derived(
    source: SourceTable, places: Mapping[str, str], target: Table, mapping: LegacyMapping
) -> tuple[Derived, ...]:
    by_target = {new: old for old, new in places.items()}
    by_name = {column.name.casefold(): column.name for column in source.columns} | by_target
    derived = []
    parts = mapping.ids.get(target.name)
    if parts and "id" not in by_target and all(part in by_name for part in parts):
        derived.append(Derived("id", "id", tuple(by_name[part] for part in parts)))
    owner = target.columns.get(OWNER)
    if (
        owner is not None
        and not owner.nullable
        and OWNER not in by_target
        and not owner.foreign_keys
    ):
        path = mapping.owners.get(target.name)
        if path and path.column in by_name:
            derived.append(Derived(OWNER, "owner", (by_name[path.column],), path.parent))
        else:
            derived.append(Derived(OWNER, "owner"))
    return tuple(derived)


def _archive(
    snapshot: Snapshot,
    source: SourceTable,
    name: str,
    keys: Sequence[str],
    kinds: Mapping[str, str],
) -> tuple[Archive, dict[str, str]]:
    if len(kinds) > archives.MOST_COLUMNS:
        raise SourceError(
            "source-too-wide",
            f"table {source.name} has {len(kinds)} columns, PostgreSQL takes "
            f"{archives.MOST_COLUMNS}",
            help="split the table first",
        )
    _require_room(snapshot, source, kinds)
    names = dict(
        zip(kinds, archives.unique_names(kinds, taken=archives.SYSTEM_COLUMNS), strict=True)
    )
    (rowid,) = archives.unique_names(
        [archives.ROWID], taken=[*archives.SYSTEM_COLUMNS, *names.values()]
    )
    return Archive(name, rowid, {key: (names[key], kinds[key]) for key in keys}), names


def _require_room(snapshot: Snapshot, source: SourceTable, kinds: Mapping[str, str]) -> None:
    """Refuse a row that no page of PostgreSQL has room for, even with its values kept elsewhere."""
    if len(kinds) * archives.POINTER < archives.ROOM:
        return
    places = [(source.position(name), kind) for name, kind in kinds.items()]
    for row in read_rows(snapshot.connection, source):
        if archives.least_size((row[place], kind) for place, kind in places) > archives.ROOM:
            raise SourceError(
                "source-too-wide",
                f"a row of {source.name} does not fit into a page of PostgreSQL: "
                f"number {row[-1]!r}, of {len(kinds)} columns",
                help="split the table first",
            )


def _representations(
    snapshot: Snapshot, source: SourceTable, types: Types, names: Sequence[str]
) -> dict[str, str]:
    texts = [name for name in names if set(types[name]) - {"null"} == {"text"}]
    unclean = _unclean(snapshot, source, texts) if texts else set()
    return {name: archives.representation(types[name], clean=name not in unclean) for name in names}


def _unclean(snapshot: Snapshot, source: SourceTable, names: Sequence[str]) -> set[str]:
    """Return the columns that hold a text which PostgreSQL cannot."""
    if source.rowid is None or encoding(snapshot.connection) != "UTF-8":
        return _unclean_among(read_rows(snapshot.connection, source), source, names)
    rows = Rows(f"main.{quoted(source.name)}", source.rowid)
    joined = ", ".join(f"group_concat(s.{quoted(name)}, '')" for name in names)
    found = set()
    with closing(snapshot.reader()) as reader:
        (whole,) = spans(reader, rows, 1)
        for first, last, texts in scan(reader, rows, whole, joined, {}, texts=len(names)):
            if texts is None:
                few = read_span(snapshot.connection, source, first, last)
                found |= _unclean_among(few, source, names)
            else:
                found |= {
                    name
                    for name, text in zip(names, texts, strict=True)
                    if isinstance(text, bytes) and not is_clean(text.decode(errors=LONE))
                }
    return found


def _unclean_among(rows: Iterable[Row], source: SourceTable, names: Sequence[str]) -> set[str]:
    places = [(name, source.position(name)) for name in names]
    found = set()
    for row in rows:
        for name, place in places:
            value = row[place]
            if isinstance(value, str | LongText) and not is_clean(value):
                found.add(name)
    return found
