"""What a file holds beside rows, and that has no place in the target.

It never decides where rows go, and never writes.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from dhafnck_db.legacy.batches import quoted
from dhafnck_db.legacy.layout import PUBLIC, Laid
from dhafnck_db.legacy.literal import escaped, is_clean
from dhafnck_db.legacy.plan import Unplaced
from dhafnck_db.legacy.source import SourceTable

_CHECK = re.compile(r"\bCHECK\s*\(", re.IGNORECASE)
_REASONS = {
    "view": "a view holds no rows",
    "trigger": "the application keeps these rules itself",
    "virtual table": "its rows are in the tables that it stands on, which are archived",
    "check": "the archive keeps rows as they were, whatever rule they were under",
    "index": "an expression or partial index holds no rows",
    "generated column": "the values are kept, the expression is not",
    "foreign key": "the archive keeps rows as they were, whatever they refer to",
    "unique": "the archive keeps rows as they were, and tells them apart by their number",
    "collation": "the values are kept, the archive compares them as PostgreSQL does",
    "default": "every row has its values, and none is added to the archive",
}


def read_unplaced(connection: sqlite3.Connection, tables: Sequence[Laid]) -> tuple[Unplaced, ...]:
    """Return what holds no rows: views, triggers, special indexes, and the rules of tables.

    Foreign keys, UNIQUE, collations and defaults are among them where a column that they are about
    is archived: the models have their own. Read-only.
    """
    found = []
    definitions: dict[str, str] = {}
    rows = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name")
    for kind, name, sql in rows:
        if kind in ("view", "trigger"):
            found.append(_unplaced(kind, name, sql))
        elif kind == "index" and sql and is_clean(name) and _is_special(connection, name):
            found.append(_unplaced("index", name, sql))
        elif kind == "table" and (sql or "").upper().startswith("CREATE VIRTUAL TABLE"):
            found.append(_unplaced("virtual table", name, sql))
        elif kind == "table":
            definitions[name] = sql or ""
            if _CHECK.search(sql or ""):
                found.append(_unplaced("check", name, sql))
    for laid in sorted(tables, key=lambda one: one.source.name):
        found += _rules(connection, laid, definitions[laid.source.name])
    return tuple(found)


def _rules(connection: sqlite3.Connection, laid: Laid, definition: str) -> Iterator[Unplaced]:
    source = laid.source
    for column in source.columns:
        if column.generated:
            yield _unplaced("generated column", f"{source.name}.{column.name}", definition)
    archived = {c.name for c in laid.plan.columns if c.to is None or c.to.schema != PUBLIC}
    if not archived:
        return
    found = [
        *_foreign_keys(connection, source),
        *_uniques(connection, source),
        *(_collations(connection, source, archived) if "COLLATE" in definition.upper() else ()),
        *_defaults(connection, source),
    ]
    for kind, columns, sql in found:
        if archived.intersection(columns):
            yield _unplaced(kind, f"{source.name}.{', '.join(columns)}", sql)


_Rule = tuple[str, Sequence[str], str]  # the kind, the columns it is about, and as SQL


def _foreign_keys(connection: sqlite3.Connection, source: SourceTable) -> Iterator[_Rule]:
    rows = connection.execute(
        'SELECT id, "table", on_update, on_delete, "from", "to" '
        "FROM pragma_foreign_key_list(?) ORDER BY id, seq",
        (source.name,),
    )
    for (_, parent, on_update, on_delete), parts in groupby(rows, itemgetter(0, 1, 2, 3)):
        columns, referred = zip(*((column, to) for *_, column, to in parts), strict=True)
        sql = f"FOREIGN KEY ({_list(columns)}) REFERENCES {quoted(parent)}"
        if None not in referred:  # else it is the primary key there
            sql += f" ({_list(referred)})"
        for event, action in (("UPDATE", on_update), ("DELETE", on_delete)):
            if action != "NO ACTION":
                sql += f" ON {event} {action}"
        yield "foreign key", columns, sql


def _uniques(connection: sqlite3.Connection, source: SourceTable) -> Iterator[_Rule]:
    rows = connection.execute(
        "SELECT l.seq, m.sql, i.name FROM pragma_index_list(?) l, pragma_index_info(l.name) i "
        "LEFT JOIN sqlite_master m ON m.type = 'index' AND m.name = l.name "
        "WHERE l.\"unique\" AND l.origin <> 'pk' AND NOT l.partial ORDER BY l.seq, i.seqno",
        (source.name,),
    )
    for (_, sql), parts in groupby(rows, itemgetter(0, 1)):
        columns = [column for *_, column in parts]
        if None not in columns:  # an expression; such an index is listed as what it is
            yield "unique", columns, sql or f"UNIQUE ({_list(columns)})"


def _collations(
    connection: sqlite3.Connection, source: SourceTable, names: Collection[str]
) -> Iterator[_Rule]:
    for column in source.columns:
        if column.name in names and (collation := _collation(connection, source, column.name)):
            yield "collation", [column.name], f"COLLATE {collation}"


def _collation(connection: sqlite3.Connection, source: SourceTable, name: str) -> str | None:
    """Return the collation of a column, which no pragma tells; None for the usual one.

    UNION drops what the collation of its first part takes for the same.
    """
    nothing = f"FROM main.{quoted(source.name)} WHERE 0"
    question = f"SELECT {quoted(name)} {nothing} UNION VALUES ('a'), ('A'), ('b'), ('b ')"
    try:
        different = {value for (value,) in connection.execute(question)}
    except sqlite3.OperationalError as failure:
        before, _, unknown = str(failure).partition("no such collation sequence: ")
        if before or not unknown:
            raise
        return unknown
    if not {"a", "A"} <= different:
        return "NOCASE"
    return None if {"b", "b "} <= different else "RTRIM"


def _defaults(connection: sqlite3.Connection, source: SourceTable) -> Iterator[_Rule]:
    rows = connection.execute(
        "SELECT name, dflt_value FROM pragma_table_xinfo(?) "
        "WHERE hidden = 0 AND upper(dflt_value) <> 'NULL'",
        (source.name,),
    )
    for name, value in rows:
        yield "default", [name], f"DEFAULT {value}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(quoted, names))


def _unplaced(kind: str, name: str, sql: str | None) -> Unplaced:
    return Unplaced(kind, escaped(name), _REASONS[kind], sql and escaped(sql))


def _is_special(connection: sqlite3.Connection, index: str) -> bool:
    expression = connection.execute(
        "SELECT count(*) FROM pragma_index_info(?) WHERE cid = -2", (index,)
    ).fetchone()[0]
    partial = connection.execute(
        "SELECT l.partial FROM sqlite_master m, pragma_index_list(m.tbl_name) l "
        "WHERE m.name = ? AND l.name = m.name",
        (index,),
    ).fetchone()
    return bool(expression or (partial and partial[0]))
