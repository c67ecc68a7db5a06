"""The second process finds what this one would have found, and nobody misses it when it is gone."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from dhafnck_db.legacy import companion
from dhafnck_db.legacy.assessment import Assessment, assess_snapshot
from dhafnck_db.legacy.companion import companion_of, divide
from dhafnck_db.legacy.keys import Keys
from dhafnck_db.legacy.mapping import load_mapping
from dhafnck_db.legacy.plain import PlainTable
from dhafnck_db.legacy.snapshot import Snapshot, open_snapshot
from dhafnck_db.models import Base


def assessed(snapshot: Snapshot) -> Assessment:
    keys, mapping = Keys(snapshot.connection), load_mapping()
    return assess_snapshot(snapshot, keys, models=Base.metadata, mapping=mapping, owner="me")


def plain_table(assessment: Assessment, name: str) -> PlainTable:
    (laid,) = (one for one in assessment.tables if one.plan.name == name)
    assert laid.plain is not None
    return laid.plain


@pytest.fixture
def willing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A companion for the smallest file, and parts of the smallest table."""
    monkeypatch.setattr(companion, "WORTHWHILE", 0)
    monkeypatch.setattr(companion, "PARTED", 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 2)


@pytest.fixture
def file(sample: Path) -> Path:
    """The sample, with many labels, of which two are nothing that can be taken as it is."""
    with sqlite3.connect(sample) as db:
        db.execute(
            "INSERT INTO labels WITH RECURSIVE n(i) AS "
            "(SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000) SELECT "
            "1000 + i, 'label ' || i, 'red', '', "
            "iif(i IN (7, 3900), 'no time', '2025-01-02 03:04:05') FROM n"
        )
    return sample


@pytest.mark.usefixtures("willing")
def test_two_processes_find_what_one_finds(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_snapshot(file) as snapshot:
        by_two = assessed(snapshot)
    monkeypatch.setattr(companion, "WORTHWHILE", 1 << 60)
    with open_snapshot(file) as snapshot:
        by_one = assessed(snapshot)
    assert by_two.plan.to_dict() | {"source": {}} == by_one.plan.to_dict() | {"source": {}}
    assert [reject.table for reject in by_two.plan.rejects] == ["labels", "labels"]


@pytest.mark.usefixtures("willing")
def test_companion_takes_a_share(file: Path) -> None:
    """The parts are as many rows as the table, in their order, each once."""
    with open_snapshot(file) as snapshot:
        table = plain_table(assessed(snapshot), "labels")
        with companion_of(snapshot) as helper:
            assert helper is not None
            told: list[int] = []
            rows = snapshot.connection.execute("SELECT count(*) FROM labels").fetchone()[0]
            division = divide(snapshot, table, rows, helper, told.append)
    assert division.rows == sum(told) == rows
    numbers = [(batch.first, batch.last) for batch in division.batches]
    assert numbers == sorted(numbers)
    assert any(not batch.plain for batch in division.batches)


@pytest.mark.usefixtures("willing")
@pytest.mark.parametrize("killed", ["before", "while it works"])
def test_a_companion_that_is_gone_is_not_missed(file: Path, killed: str) -> None:
    with open_snapshot(file) as snapshot:
        table = plain_table(assessed(snapshot), "labels")
        rows = snapshot.connection.execute("SELECT count(*) FROM labels").fetchone()[0]
        with companion_of(snapshot) as helper:
            assert helper is not None
            if killed == "before":
                os.kill(helper.pid, signal.SIGKILL)
                time.sleep(0.2)
            told: list[int] = []

            def report(done: int) -> None:
                if not told:
                    os.kill(helper.pid, signal.SIGKILL)
                told.append(done)

            assert divide(snapshot, table, rows, helper, report).rows == rows == sum(told)


@pytest.mark.usefixtures("willing")
def test_what_fails_there_is_raised_here(file: Path) -> None:
    with open_snapshot(file) as snapshot:
        table = plain_table(assessed(snapshot), "labels")
        broken = replace(table, conditions=("no_such_function()",))
        with companion_of(snapshot) as helper:
            assert helper is not None
            helper.begin(broken, (1, 10))
            with pytest.raises(sqlite3.OperationalError, match="no_such_function"):
                helper.result()


def test_companion_ends_with_whoever_started_it(file: Path) -> None:
    script = (
        "import os, signal, sys; from pathlib import Path\n"
        "from dhafnck_db.legacy.companion import Companion\n"
        "print(Companion(Path(sys.argv[1])).pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    with open_snapshot(file) as snapshot:
        ended = subprocess.run(
            [sys.executable, "-c", script, snapshot.directory], capture_output=True, text=True
        )
    process = Path(f"/proc/{int(ended.stdout)}/status")
    deadline = time.monotonic() + 10
    while process.exists() and "State:\tZ" not in process.read_text():
        assert time.monotonic() < deadline, "it is still there"
        time.sleep(0.05)
    assert ended.stderr == ""


def test_small_file_has_no_companion(file: Path) -> None:
    with open_snapshot(file) as snapshot, companion_of(snapshot) as helper:
        assert helper is None


def test_companion_loads_little(file: Path) -> None:
    with open_snapshot(file) as snapshot:
        tables = [laid.plain for laid in assessed(snapshot).tables]
    assert not any(b"sqlalchemy" in pickle.dumps(table) for table in tables)
    script = (
        "import sys, dhafnck_db.legacy.companion\n"
        "print([name for name in ('sqlalchemy', 'psycopg2', 'pydantic') if name in sys.modules])"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert said.stdout == "[]\n"
