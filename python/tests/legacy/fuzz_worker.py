"""Assess and import damaged files, in a process that a crash of SQLite may take along.

Called with a database URL and a folder; prints one line for each file, as JSON, when it is done:
`[name, outcome, what is wrong]`. A file that takes too long ends the process with its stack.
"""

import faulthandler
import hashlib
import json
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

from sqlalchemy import Connection, NullPool, create_engine, text

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError
from legacy.state import contents, structure

SECONDS = 20  # for one file
VERIFIED_AGAIN = 5  # every so many files; the import has compared all of them itself
OWNER = "owner-1"
# Every table is there before; what an import adds to the empty target is taken away again.
EMPTIED = text("""
    DO $$ DECLARE found record; BEGIN
        FOR found IN SELECT DISTINCT archive FROM legacy.columns LOOP
            EXECUTE 'DROP TABLE ' || (
                SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
                WHERE schemaname || '.' || tablename = found.archive);
        END LOOP;
        EXECUTE (SELECT 'TRUNCATE ' || string_agg(format('%I.%I', schemaname, tablename), ', ')
                 FROM pg_tables WHERE schemaname IN ('public', 'legacy'));
    END $$
""")


def rows_by_hand(file: Path) -> dict[str, int]:
    """How many rows each table has, by its own tree: a damaged index may tell another number."""
    with closing(sqlite3.connect(f"{file.as_uri()}?immutable=1", uri=True)) as connection:
        connection.text_factory = bytes
        found = connection.execute(
            "SELECT CAST(name AS TEXT) FROM sqlite_master WHERE type = 'table'"
        )
        names = [name.decode() for (name,) in found]
        return {
            name: sum(1 for _ in connection.execute(f'SELECT * FROM "{name}" NOT INDEXED'))  # noqa: S608
            for name in names
            if not name.startswith("sqlite_")
        }


def examine(connection: Connection, file: Path, *, again: bool) -> str:
    """Take a file as far as it goes, and return how far: the refusal's code, or "imported".

    With `again`, compare the database with the file once more after the import.
    """
    try:
        plan = legacy.assess(file, owner=OWNER)
    except SourceError as refusal:
        return refusal.code
    counted = {table.name: table.rows for table in plan.tables}
    by_hand = rows_by_hand(file)
    assert counted == by_hand, f"{counted.items() ^ by_hand.items()} rows"
    if plan.rejects:
        try:
            legacy.import_file(connection, file, owner=OWNER)
        except legacy.RejectsFoundError as refusal:
            assert refusal.plan.rejects == plan.rejects
        else:
            raise AssertionError("rows that are rejects were imported")
        assert contents(connection) == {}, "a refusal wrote"
    result = legacy.import_file(connection, file, owner=OWNER, quarantine=True)
    assert result.verified
    assert result.plan == plan
    if again:
        assert legacy.verify_file(connection, file).comparison.rows == plan.totals["rows"]
    with connection.begin():
        connection.execute(EMPTIED)
    return "quarantined" if plan.rejects else "imported"


def main(url: str, folder: Path) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.connect() as connection:
        before = structure(connection)
        for number, file in enumerate(sorted(folder.glob("*.db"))):
            faulthandler.dump_traceback_later(SECONDS, exit=True)
            content, wrong = file.read_bytes(), None
            try:
                outcome = examine(connection, file, again=number % VERIFIED_AGAIN == 0)
            except Exception as failure:
                connection.rollback()
                outcome, wrong = "wrong", f"{type(failure).__name__}: {failure}"
            if hashlib.sha256(file.read_bytes()).digest() != hashlib.sha256(content).digest():
                wrong = "the file was written to"
            if (contents(connection), structure(connection)) != ({}, before):
                wrong = wrong or "the database is not as it was"
                with connection.begin():
                    connection.execute(EMPTIED)
            print(json.dumps([file.name, outcome, wrong]), flush=True)  # noqa: T201
            faulthandler.cancel_dump_traceback_later()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
