"""COPY FROM STDIN of rows that are made while others are on their way.

It never begins or ends a transaction, and holds no more than a few chunks of rows in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from typing import TypeGuard

import psycopg2
from psycopg2 import sql
from sqlalchemy import Connection, Table

from dhafnck_db.legacy.ahead import ahead
from dhafnck_db.legacy.long import Written
from dhafnck_db.legacy.spelling import FIELD, NULL

CHUNK, PIECE = 1 << 16, 1 << 20  # bytes
_READ_FAILED = "error in .read() call"  # what the driver makes of anything raised there


def copy_in(
    connection: Connection, table: Table, columns: Sequence[str], chunks: Iterable[bytes]
) -> int:
    """Append rows to a table and return how many.

    Runs in the connection's transaction; the chunks are whole rows in COPY's text format, with
    FIELD between the fields and NULL for NULL. They are made ahead, in a thread.
    """
    command = sql.SQL("COPY {} ({}) FROM STDIN WITH (DELIMITER {}, NULL {})").format(
        sql.Identifier(table.schema or "public", table.name),
        sql.SQL(", ").join(map(sql.Identifier, columns)),
        sql.Literal(FIELD.decode()),
        sql.Literal(NULL.decode()),
    )
    with ahead(_in_pieces(chunks)) as made, closing(connection.connection.cursor()) as raw:
        source = _Chunks(made)
        try:
            raw.copy_expert(command, source)
        except psycopg2.Error as failure:
            if source.failure:
                raise source.failure from None
            if _READ_FAILED in str(failure):
                raise KeyboardInterrupt from None  # it came before a chunk was asked for
            raise
        return int(raw.rowcount)


def written(rows: Iterable[Sequence[Written]]) -> Iterator[bytes]:
    """Yield rows as `copy_in` takes them; fields are as PostgreSQL reads the type's text."""
    waiting: list[str] = []
    size = 0
    for row in rows:
        if not _has_whole_fields(row) or sum(map(len, filter(None, row))) > PIECE:
            if waiting:  # nothing at all would end the COPY
                yield "".join(waiting).encode()
                waiting, size = [], 0
            yield from filter(None, _in_parts(row))
            continue
        waiting.append(_FIELD.join(map(_field, row)) + "\n")
        size += len(waiting[-1])
        if size >= CHUNK:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    if waiting:
        yield "".join(waiting).encode()


def _has_whole_fields(row: Sequence[Written]) -> TypeGuard[Sequence[str | None]]:
    # To compare types is fast, and nearly always enough: a name may be of a type of its own.
    return _WHOLE.issuperset(map(type, row)) or all(
        text is None or isinstance(text, str) for text in row
    )


def _in_parts(row: Sequence[Written]) -> Iterator[bytes]:
    """Yield a long row; COPY joins the parts, and what is escaped is one byte each."""
    for place, text in enumerate(row):
        if place:
            yield FIELD
        if text is None or isinstance(text, str):
            field = _field(text)
            yield from (field[at : at + PIECE].encode() for at in range(0, len(field), PIECE))
            continue
        for part in text:
            for raw, escaped in _ESCAPES:
                part = part.replace(raw.encode(), escaped.encode())
            yield part
    yield b"\n"


def _in_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yield chunks in pieces that need no more room on their way than others; COPY joins them."""
    for chunk in chunks:
        if len(chunk) <= PIECE:
            yield chunk
        else:
            yield from (chunk[at : at + PIECE] for at in range(0, len(chunk), PIECE))


class _Chunks:
    """What psycopg2 reads from: one chunk of whole rows for each call."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self.failure: BaseException | None = None

    def read(self, _size: int) -> bytes:
        try:
            return next(self._chunks, b"")
        except BaseException as failure:
            # The driver makes an error of the server out of it, an interrupt included.
            self.failure = failure
            raise


def _field(text: str | None) -> str:
    if text is None:
        return _NULL
    if text.isalnum():
        return text
    for raw, escaped in _ESCAPES:
        text = text.replace(raw, escaped)
    return text


_WHOLE = frozenset((str, type(None)))
_FIELD, _NULL = FIELD.decode(), NULL.decode()
_ESCAPES = (
    ("\\", "\\\\"),
    ("\n", "\\n"),
    ("\r", "\\r"),
    (_FIELD, "\\" + _FIELD),
    (_NULL, "\\" + _NULL),
)
