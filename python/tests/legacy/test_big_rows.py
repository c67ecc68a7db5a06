"""Rows of 50 MB and tables without rowid go in, within the memory of a few such rows."""

import json
import re
import sqlite3
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from conftest import Server
from sqlalchemy import URL

from legacy.faults import Cluster, copy_of_server, start_import, write_many
from legacy.generations import NEWEST, OLDEST

MEGABYTE = 1 << 20
ROW = 50 * MEGABYTE
MOST_ROWS = 5  # whose memory an import may take, above that of next to nothing
# The most memory that the process ever had, as the kernel counts it for this program alone.
MEASURED = r"""
import atexit, re, sys
from pathlib import Path
from dhafnck_db.cli.main import main

def tell():
    (found,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    print("peak", int(found) * 1024, file=sys.stderr)

atexit.register(tell)
main()
"""


class Measured(NamedTuple):
    """What an import said, and the memory that it took."""

    result: dict[str, Any]
    peak: int


@pytest.fixture(scope="module")
def cluster(server: Server, surface: str) -> Iterator[Cluster]:
    with copy_of_server(server) as cluster:
        yield cluster


def measured(url: URL, file: Path, *options: str, code: int = 0) -> Measured:
    """Import a file, and tell how much memory that took."""
    program = MEASURED.replace("main()", f"sys.argv += {options!r}\nmain()")
    process = start_import(url, file, sys.executable, "-c", program)
    out, error = process.communicate(timeout=300)
    assert process.returncode == code, error
    peak = re.search(r"^peak (\d+)\n", error, re.MULTILINE)
    assert peak, error
    return Measured(json.loads(out), int(peak[1]))


@pytest.fixture(scope="module")
def base(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> int:
    """The memory that an import of next to nothing takes."""
    return measured(cluster.fresh(), write_many(tmp_path_factory.mktemp("b") / "old.db", 0)).peak


def heavy_text(size: int = ROW) -> str:
    """A text of about that many bytes, in which COPY, literals and JSON have much to escape."""
    return "Küche\tund\\Bad 😀 it's \x1e\n" * (size // 31)


def heavy_json(size: int = ROW) -> str:
    """JSON of about that many bytes: many small things, and one string that is half of it."""
    step = (
        r'{"n": 12, "at": 1.50e3, "done": true, "note": "a \ud83d\ude00 \"b\" \\ é", "of": [1, -2]}'
    )
    steps = ",\n".join([step] * (size // 2 // (len(step) + 3)))
    return (
        f'{{"text": {json.dumps(heavy_text(size // 3), ensure_ascii=False)}, "steps": [{steps}]}}'
    )


def mapped(connection: sqlite3.Connection) -> None:
    """Texts and JSON in tables that the models know."""
    connection.executescript(NEWEST)
    connection.execute("UPDATE tasks SET description = ?", (heavy_text(),))
    for n, history in enumerate((heavy_json(), '{"n": 1}')):
        connection.execute(
            "INSERT INTO tasks SELECT ?, title, 'D', git_branch_id, progress_state, ?, user_id,"
            " created_at, updated_at FROM tasks LIMIT 1",
            (f"e9fb3fc9-fec0-4209-a232-00000000000{n}", history),
        )


def archived(connection: sqlite3.Connection) -> None:
    """Texts and blobs in tables that the models do not know, in each representation."""
    blob, text = bytes(range(256)) * (ROW // 256), heavy_text()
    for table, values in {
        "blobs": (blob, blob[::-1], b"small"),
        "texts": (text, text.swapcase(), "small"),
        "either": (blob, text, 1, None),
        "unclean": (text + "\x00",),
    }.items():
        connection.execute(f"CREATE TABLE {table} (n INTEGER PRIMARY KEY, data)")
        inserted = f"INSERT INTO {table} (data) VALUES (?)"  # noqa: S608  # a name from above
        connection.executemany(inserted, [(value,) for value in values])
    connection.execute("CREATE TABLE keyless (k TEXT PRIMARY KEY, data TEXT) WITHOUT ROWID")
    connection.executemany("INSERT INTO keyless VALUES (?, ?)", [("a", text), ("b", text)])


def folded(connection: sqlite3.Connection) -> None:
    """JSON that goes into an archive, and into a column with others as well."""
    connection.executescript(OLDEST)
    connection.execute("DELETE FROM context_inheritance_cache")
    connection.execute("UPDATE project_contexts SET team_preferences = ?", (heavy_json(),))


def of_many_columns(connection: sqlite3.Connection) -> None:
    """Rows in which no value is long, of texts and of blobs."""
    columns = [f"c{n}" for n in range(400)]
    connection.execute(f"CREATE TABLE wide ({', '.join(columns)})")
    marks = ", ".join(["?1"] * len(columns))
    text = heavy_text(ROW // len(columns))
    connection.execute(f"INSERT INTO wide VALUES ({marks})", (text,))  # noqa: S608  # question marks
    connection.execute("INSERT INTO wide SELECT * FROM wide")
    connection.execute(f"CREATE TABLE blobs ({', '.join(columns)})")
    blob = bytes(range(256)) * (ROW // len(columns) // 256)
    connection.execute(f"INSERT INTO blobs VALUES ({marks})", (blob,))  # noqa: S608  # the same


def rejected(connection: sqlite3.Connection) -> None:
    """Rows that do not go in for something else, or for the big value."""
    connection.executescript(NEWEST)
    connection.execute("UPDATE tasks SET description = ?, created_at = 'soon'", (heavy_text(),))
    connection.execute("UPDATE labels SET description = ?", (bytes(range(256)) * (ROW // 256),))
    connection.execute("DELETE FROM subtasks")


@pytest.mark.parametrize(
    "fill",
    [
        mapped,
        archived,
        folded,
        of_many_columns,
    ],
)
def test_rows_of_50_mb_take_the_memory_of_a_few_of_them(
    cluster: Cluster, base: int, tmp_path: Path, fill: Callable[[sqlite3.Connection], None]
) -> None:
    heavy = measured(cluster.fresh(), written(tmp_path, fill))
    assert heavy.result["verified"] is True
    assert heavy.result["totals"]["rejected"] == 0
    assert heavy.peak < base + MOST_ROWS * ROW, told(heavy, base)


def test_rows_of_50_mb_go_into_quarantine(cluster: Cluster, base: int, tmp_path: Path) -> None:
    heavy = measured(cluster.fresh(), written(tmp_path, rejected), "--quarantine", code=4)
    assert heavy.result["verified"] is True
    assert heavy.result["totals"]["rejected"] == 2
    assert heavy.peak < base + MOST_ROWS * ROW, told(heavy, base)


def written(folder: Path, fill: Callable[[sqlite3.Connection], None]) -> Path:
    with closing(sqlite3.connect(folder / "heavy.db")) as connection:
        fill(connection)
        connection.commit()
    return folder / "heavy.db"


def told(heavy: Measured, base: int) -> str:
    return f"{(heavy.peak - base) / ROW:.1f} rows above the base"


def test_tables_without_rowid_go_in_whole(cluster: Cluster, base: int, tmp_path: Path) -> None:
    file = tmp_path / "without.db"
    with closing(sqlite3.connect(file)) as connection:
        connection.executescript(
            """
            CREATE TABLE pairs (k TEXT, n INTEGER, v, PRIMARY KEY (k, n)) WITHOUT ROWID;
            CREATE TABLE agents (id TEXT PRIMARY KEY, name TEXT) WITHOUT ROWID;
            WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 200000)
                INSERT INTO pairs SELECT 'k' || n % 1000, n, n * 0.1 FROM c;
            WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 5000)
                INSERT INTO agents SELECT 'agent ' || n, 'A' FROM c;
            """
        )
    without = measured(cluster.fresh(), file)
    assert without.result["verified"] is True
    assert without.result["totals"]["rows"] == 205_000
    assert without.peak < base + ROW
