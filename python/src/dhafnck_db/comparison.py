"""Whether a restored database is what was recorded of the one that was dumped.

It never writes, and what it says holds no value of a row.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sqlalchemy import Connection

from dhafnck_db import catalog, contents, revision
from dhafnck_db.backup_record import Record
from dhafnck_db.errors import VerificationError

SHOWN = 5  # differences of one message


def differences(connection: Connection, record: Record, *, with_catalog: bool = True) -> list[str]:
    """Return what the database has otherwise than the record, a sentence each. Read-only.

    Args:
        connection: to the restored database.
        record: of the dump.
        with_catalog: compare the schema too, with owners and grants; else only what it holds.
    """
    with connection.begin():
        said = []
        at = revision.current(connection)
        if at != record.revision:
            said.append(f"revision {at or 'none'}, recorded {record.revision or 'none'}")
        now = {
            name: asdict(content)
            for name, content in contents.read(connection, record.schemas).items()
        }
        for name in sorted(now.keys() | record.tables.keys()):
            said += _of_table(name, now.get(name), record.tables.get(name))
        reached = contents.sequences(connection, record.schemas)
        said += [
            f"sequence {name} at {reached.get(name, 'nothing')}, recorded {value}"
            for name, value in record.sequences.items()
            if reached.get(name, value - 1) < value
        ]
        if with_catalog:
            now_there = catalog.look(connection, record.schemas).portable.items()
            said += sorted(
                {
                    f"{name} is otherwise than recorded"
                    for name, _ in now_there ^ record.catalog.items()
                }
            )
    return said


def require_same(connection: Connection, record: Record, dump: Path) -> None:
    """Refuse a restored database that is not what was recorded. Read-only.

    Raises:
        VerificationError: it differs, and where.
    """
    said = differences(connection, record)
    if said:
        more = f"; and {len(said) - SHOWN} more" if len(said) > SHOWN else ""
        raise VerificationError(
            "restored-differs",
            f"what {dump} restores is not what was recorded",
            cause="; ".join(said[:SHOWN]) + more,
            help="do not rely on this backup: make a new one, and try that",
        )


def _of_table(
    name: str, found: dict[str, object] | None, recorded: dict[str, object] | None
) -> list[str]:
    if found is None:
        return [f"{name} is missing"]
    if recorded is None:
        return [f"{name} was not recorded"]
    if found["rows"] != recorded["rows"]:
        return [f"{name} has {found['rows']} rows, recorded {recorded['rows']}"]
    return [] if found == recorded else [f"{name} holds other values than recorded"]
