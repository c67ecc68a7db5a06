"""Whole batches of what was loaded, read back in the order of loading and compared with the file.

It only ever says that a table is proven: what it cannot prove is compared row by row elsewhere,
which also finds what differs. It never writes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from typing import NamedTuple
from uuid import NAMESPACE_DNS

from psycopg2 import sql
from sqlalchemy import (
    Connection,
    Enum,
    LargeBinary,
    MetaData,
    String,
    Table,
    exists,
    func,
    literal,
    select,
    text,
)

from dhafnck_db.bookkeeping import id_map
from dhafnck_db.legacy.batches import MOST, Batch
from dhafnck_db.legacy.layout import PUBLIC, Laid
from dhafnck_db.legacy.plain import Field, PlainTable, add_functions
from dhafnck_db.legacy.snapshot import Snapshot
from dhafnck_db.legacy.spelling import FIELD, NULL, ROW, canonical_json

_WORKERS = "max_parallel_workers_per_gather"
# One process reads the table from its first page to its last, as the rows were appended.
IN_ORDER = ("SET LOCAL synchronize_seqscans = off", f"SET LOCAL {_WORKERS} = 0")
_UUID5 = "extensions.uuid_generate_v5(uuid,text)"
_SMALL = 40_000  # bytes of JSON as the server keeps it, which unpack to less than MOST
_JSON_FOLLOWS = FIELD + ROW + FIELD
Parts = tuple[bytes, ...]


class Expected(NamedTuple):
    """What a batch has to be; the bytes are None where its rows are looked at elsewhere."""

    rows: int
    texts: bytes | None = None
    json: bytes | None = None


class Hashes(NamedTuple):
    """What the rows of plain batches hash to (SHA-256), of each side computed by itself."""

    rows: int = 0
    file: str | None = None
    database: str | None = None


class Proof(NamedTuple):
    """Whether the plain batches of a table are proven, and what was equal as a stream."""

    holds: bool
    hashes: Hashes = Hashes()


def prove(
    connection: Connection,
    snapshot: Snapshot,
    laid: Laid,
    target: Table,
    models: MetaData,
    owner: str | None,
) -> Proof:
    """Tell whether the plain batches of a legacy table stand in the target as the file has them.

    Runs in the transaction of the load. The rows of other batches are counted, not looked at. An
    owner that was derived is in no hash: it is asked of the server.
    """
    plain = laid.plain
    fields = plain and (plain.archived if laid.target is not target else plain.fields)
    if plain is None or not fields:
        return Proof(False)
    owners = {derived.column for derived in laid.plan.derived if derived.kind == "owner"}
    compared = [field for field in fields if field.column not in owners]
    for setting in IN_ORDER:
        connection.execute(text(setting))
    rejected = frozenset(laid.plan.rejected)
    with closing(_expected(snapshot, plain, compared, laid.batches, rejected)) as expected:
        lines = _Lines(expected)
        with closing(connection.connection.cursor()) as cursor:
            cursor.copy_expert(_question(target, compared, laid.batches), lines)
        if not lines.all_equal():
            return Proof(False)
    connection.execute(text(f"SET LOCAL {_WORKERS} TO DEFAULT"))  # what follows only counts
    holds = laid.target is not target or (
        _owners_agree(connection, laid, target, models, owner)
        and _ids_agree(connection, laid, target)
    )
    return Proof(holds, lines.hashes())


def _expected(
    snapshot: Snapshot,
    plain: PlainTable,
    fields: Sequence[Field],
    batches: Sequence[Batch],
    rejected: frozenset[int],
) -> Generator[Expected, None, None]:
    texts = [field for field in fields if not field.json]
    documents = [field for field in fields if field.json]
    with closing(snapshot.reader()) as reader:
        add_functions(reader)
        for batch in batches:
            if batch.plain:
                json = plain.expected_json(reader, documents, batch) if documents else b""
                yield Expected(batch.rows, plain.expected(reader, texts, batch), json)
            else:
                lost = sum(batch.first <= number <= batch.last for number in rejected)
                yield Expected(batch.rows - lost)


def _question(target: Table, fields: Sequence[Field], batches: Sequence[Batch]) -> sql.Composable:
    """Return what COPY is asked: the fields, and after a mark those that are JSON."""
    # A row too big for a batch stands alone. It is not looked at, and not to be fetched either.
    has_big = any(batch.rows == 1 and not batch.plain for batch in batches)

    def asked(json: bool) -> list[sql.Composable]:
        return [
            sql.SQL(_unless_big(target, field) if has_big else field.asked).format(
                c=sql.Identifier(field.column)
            )
            for field in fields
            if field.json is json
        ]

    documents = asked(True)
    mark = [sql.Literal(ROW.decode())] if documents else []
    selected = sql.SQL(", ").join([*asked(False), *mark, *documents])
    return sql.SQL("COPY (SELECT {} FROM ONLY {}) TO STDOUT WITH (DELIMITER {}, NULL {})").format(
        selected,
        sql.Identifier(target.schema or PUBLIC, target.name),
        sql.Literal(FIELD.decode()),
        sql.Literal(NULL.decode()),
    )


def _unless_big(target: Table, field: Field) -> str:
    """Return the SQL of a field that is NULL where no plain row can have the value."""
    if field.json:
        # The text of JSON is made to tell how long it is: only of what is not small already.
        return (
            f"CASE WHEN pg_column_size({{c}}) < {_SMALL} OR octet_length({{c}}::text) <= {MOST} "
            f"THEN {field.asked} END"
        )
    kind = target.c[field.column].type
    if isinstance(kind, String | LargeBinary) and not isinstance(kind, Enum):
        return f"CASE WHEN octet_length({{c}}) <= {MOST} THEN {field.asked} END"
    return field.asked


class _Lines:
    """What psycopg2 writes the rows to; compares and hashes each batch as soon as it is there."""

    def __init__(self, expected: Iterator[Expected]) -> None:
        self._expected = expected
        self._rows: list[bytes] = []
        self._wanted = next(expected, None)
        self._equal = True
        self._hashed = 0
        self._file, self._database = hashlib.sha256(), hashlib.sha256()

    def write(self, row: bytes) -> None:
        self._rows.append(row)
        if self._wanted is None or len(self._rows) >= self._wanted.rows:
            self._compare()

    def all_equal(self) -> bool:
        """Whether every batch was there as expected, and nothing else."""
        self._compare()
        return self._equal and self._wanted is None and not self._rows

    def hashes(self) -> Hashes:
        """Return what the batches that were compared hash to."""
        if not self._hashed:
            return Hashes()
        return Hashes(self._hashed, self._file.hexdigest(), self._database.hexdigest())

    def _compare(self) -> None:
        while self._wanted is not None and len(self._rows) >= self._wanted.rows:
            if self._equal and self._wanted.texts is not None:
                wanted, found = _both(self._wanted.texts, self._wanted.json or b"", self._rows)
                self._equal = wanted == found
                for part, same in zip(wanted, found, strict=True):
                    self._file.update(part)
                    self._database.update(same)
                self._hashed += self._wanted.rows
            self._rows.clear()
            self._wanted = next(self._expected, None)
        if not self._equal or self._wanted is None:
            del self._rows[1:]  # one is enough to tell that there are too many


def _both(texts: bytes, json: bytes, rows: Sequence[bytes]) -> tuple[Parts, Parts]:
    """Return a batch as the file has it and as the database gave it, equal if the rows are."""
    if not json:
        return (texts + b"\n",), (b"".join(rows),)
    parts = [row.partition(_JSON_FOLLOWS) for row in rows]
    found = b"\n".join([part for part, _, _ in parts])
    # COPY ends a row with a line feed and writes a backslash twice; JSON has no other to escape.
    read = ROW.join([part[:-1] for _, _, part in parts]).replace(b"\\\\", b"\\")
    if texts != found:
        return (texts,), (found,)
    expected, given = canonical_json(json, read)
    return (texts, ROW, expected), (found, ROW, given)


def _owners_agree(
    connection: Connection, laid: Laid, target: Table, models: MetaData, owner: str | None
) -> bool:
    """Whether every row belongs to whom the row that it refers to belongs, asked of the server."""
    places = {c.name: c.to.column for c in laid.plan.columns if c.to and c.to.schema == PUBLIC}
    for derived in laid.plan.derived:
        if derived.kind != "owner":
            continue
        column, given = target.c[derived.column], literal(owner)
        wrong = select(func.count()).select_from(target).where(column.is_distinct_from(given))
        if derived.parent is not None:
            if derived.sources[0] not in places:
                return False
            parent = models.tables[derived.parent].alias()
            wanted = func.coalesce(parent.c[derived.column], given)
            reference = target.c[places[derived.sources[0]]]
            both = target.outerjoin(parent, parent.c.id == reference)
            wrong = select(func.count()).select_from(both).where(column.is_distinct_from(wanted))
        if connection.scalar(wrong):
            return False
    return True


def _ids_agree(connection: Connection, laid: Laid, target: Table) -> bool:
    """Whether legacy.id_map leads to every row whose id changed, asked of the server.

    The server makes the UUIDs itself; where it cannot, or some rows are looked at, nothing is said.
    """
    if laid.plain is None or not laid.plain.changed_ids:
        return True
    if not all(batch.plain for batch in laid.batches):
        return False
    if connection.scalar(select(func.to_regprocedure(_UUID5))) is None:
        return False
    made = func.extensions.uuid_generate_v5(NAMESPACE_DNS, id_map.c.legacy_id)
    (id_,) = target.primary_key
    mapped = select(id_map.c.id).where(
        id_map.c.table == target.name, id_map.c.id == made, id_map.c.id == id_
    )
    missing = select(func.count()).select_from(target).where(~exists(mapped))
    return not connection.scalar(missing)
