"""COPY FROM STDIN of rows that are made one at a time.

It never begins or ends a transaction, and holds no more than a chunk of rows in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing

import psycopg2
from psycopg2 import sql
from sqlalchemy import Connection, Table

CHUNK = 1 << 16  # bytes


def copy_rows(
    connection: Connection,
    table: Table,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | None]],
) -> int:
    """Append rows to a table and return how many; fields are as PostgreSQL reads the type's text.

    Runs in the connection's transaction.
    """
    schema = table.schema or "public"
    command = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(schema, table.name), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    chunks = _Chunks(rows)
    with closing(connection.connection.cursor()) as raw:
        try:
            raw.copy_expert(command, chunks)
        except psycopg2.Error:
            if chunks.failure:
                raise chunks.failure from None
            raise
        return int(raw.rowcount)


class _Chunks:
    """What psycopg2 reads from: one chunk of whole rows for each call."""

    def __init__(self, rows: Iterable[Sequence[str | None]]) -> None:
        self._chunks = _chunked(rows)
        self.failure: BaseException | None = None

    def read(self, _size: int) -> bytes:
        try:
            return next(self._chunks, b"")
        except BaseException as failure:
            # The driver makes an error of the server out of it, an interrupt included.
            self.failure = failure
            raise


def _chunked(rows: Iterable[Sequence[str | None]]) -> Iterator[bytes]:
    waiting, size = [], 0
    for row in rows:
        line = "\t".join(map(_field, row)) + "\n"
        waiting.append(line)
        size += len(line)
        if size >= CHUNK:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield "".join(waiting).encode()


def _field(text: str | None) -> str:
    if text is None:
        return "\\N"
    if text.isalnum():
        return text
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r")
