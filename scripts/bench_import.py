"""Time the import beside pgloader and beside psql's \\copy, the floor; print what was required.

All three load the same made-up legacy file into a private, durable server, in turn, so that a
busy minute of the machine meets each of them. It judges nothing. The file stays in .local/bench.
"""

import argparse
import json
import os
import re
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from bench import ROOT, machine
from bench_server import SUPERUSER, Server, running_server
from legacy_data import SCHEMA, SEED, SIZES, write_legacy_file
from memory import watched
from psycopg2 import sql

KEPT = ROOT / ".local" / "bench"
PORT = 25450
RUNS = {"small": 3, "big": 2}
SAID = "said.txt"
Command = list[str | Path]
OURS = ("DATABASE_", "TEST_DATABASE_", "DB_", "SUPABASE_", "PG")

# With pgloader's defaults the big file exhausts its heap; the indexes are dropped where that is
# faster, so that the import is held against the best that pgloader can do.
PGLOADER_INDEXES = {"small": "", "big": ", drop indexes"}
PGLOADER = """
LOAD DATABASE FROM sqlite://{file} INTO {url}
WITH data only{indexes}, workers = 2, concurrency = 1,
     batch rows = 10000, prefetch rows = 10000, batch size = 8MB
SET timezone TO 'UTC';
"""


@dataclass
class Run:
    """One load, as its whole process: seconds, the phases it tells of, and its peak of memory."""

    wall: float
    resident: float  # MiB, VmHWM
    private: float  # MiB, RssAnon
    phases: dict[str, float] = field(default_factory=dict)


class Contest:
    """The three ways to load one file, each into a fresh database of the server."""

    def __init__(self, server: Server, size: str, file: Path, scratch: Path) -> None:
        self._server = server
        self._size = size
        self._file = file
        self._scratch = scratch
        self._psql: Command = [server.programs / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1"]
        self._loaded: dict[str, int] = {}  # rows of each table that an import fills

    def prepare(self) -> None:
        """Import once for what the floor needs, and so that no run meets a server just started.

        Whoever comes first also pays for memory that the server touches and log files that it
        makes for the first time: a fifth of a load.
        """
        self.import_()

    def import_(self) -> Run:
        """Import the file as a user does; the first time also keep what the floor loads."""
        with self._server.database("bench_import") as database:
            environment = {
                "DATABASE_TYPE": "postgresql",
                "DATABASE_URL": self._server.url(database),
            }
            self._call(["dhafnck-db", "schema", "upgrade"], environment)
            command: Command = ["dhafnck-db", "sqlite", "import", self._file, "--owner", "bench"]
            run = self._call([*command, "--format", "json"], environment)
            run.phases = json.loads(self._said())["seconds"]
            if not self._loaded:
                self._prepare_floor(database)
        return run

    def floor(self) -> Run:
        """Copy ready text into bare tables and make keys, indexes and references afterwards."""
        with self._server.database("bench_floor", template="template0") as database:
            admin = self._server.url(database, SUPERUSER)
            self._call([*self._psql, "-f", self._scratch / "pre-data.sql", admin])
            script = self._scratch / "floor.sql"
            run = self._call([*self._psql, "-f", script, self._server.url(database)])
            if self._rows(database) != self._loaded:
                sys.exit("the floor did not load the rows that the import did")
        return run

    def pgloader(self) -> Run:
        """Let pgloader fill tables of its own: the file's columns, the target's types and rules."""
        with self._server.database("bench_pgloader", template="template0") as database:
            tables = self._scratch / "pgloader_tables.sql"
            tables.write_text(pgloader_tables())
            self._call([*self._psql, "-f", tables, self._server.url(database)])
            rules = self._rules(database)
            script = self._scratch / "pgloader.load"
            script.write_text(
                PGLOADER.format(
                    file=self._file,
                    url=self._server.url(database),
                    indexes=PGLOADER_INDEXES[self._size],
                )
            )
            run = self._call(["pgloader", "--on-error-stop", script])
            loaded, wanted = sum(self._rows(database).values()), rows_of(self._file)
            if loaded != wanted:
                sys.exit(f"pgloader loaded {loaded:,} of {wanted:,} rows:\n{self._said()}")
            if missing := rules - self._rules(database):  # it ends with 0 nevertheless
                sys.exit(f"pgloader did not make these again: {', '.join(sorted(missing))}")
        return run

    def _prepare_floor(self, database: str) -> None:
        """Write the tables, the text of every row, and all that follows, from a finished import."""
        for section in ("pre-data", "post-data"):
            dump: Command = [self._server.programs / "pg_dump", "--no-publications"]
            dump += [f"--section={section}"]
            dump += ["-f", self._scratch / f"{section}.sql"]
            self._call([*dump, self._server.url(database, SUPERUSER)])
        self._loaded = self._rows(database)
        lines = []
        with closing(self._server.connect(database)) as connection, connection.cursor() as cursor:
            for table, rows in self._loaded.items():
                if rows:
                    file = self._scratch / f"{table}.txt"
                    with file.open("wb") as text:
                        cursor.copy_expert(sql.SQL("COPY {} TO STDOUT").format(named(table)), text)
                    lines.append(f"\\copy {table} FROM '{file}'")
        lines.append(f"\\i {self._scratch}/post-data.sql")
        (self._scratch / "floor.sql").write_text("\n".join(lines) + "\n")

    def _rows(self, database: str) -> dict[str, int]:
        with closing(self._server.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT schemaname || '.' || tablename FROM pg_tables"
                " WHERE schemaname IN ('public', 'legacy') ORDER BY 1"
            )
            counted = {}
            for (table,) in cursor.fetchall():
                cursor.execute(sql.SQL("SELECT count(*) FROM {}").format(named(table)))
                counted[table] = int(next(cursor)[0])
        return counted

    def _rules(self, database: str) -> set[str]:
        """Return the definitions of keys, references, checks and indexes."""
        with closing(self._server.connect(database)) as connection, connection.cursor() as cursor:
            cursor.execute(
                "SELECT conrelid::regclass || ' ' || pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE connamespace = 'public'::regnamespace"
                " UNION SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
            )
            return {definition for (definition,) in cursor.fetchall()}

    def _call(self, command: Command, environment: dict[str, str] | None = None) -> Run:
        return measured(command, self._scratch, environment or {})

    def _said(self) -> str:
        return (self._scratch / SAID).read_text()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--runs", type=int, help="of each; default 3 (small) or 2 (big)")
    given = parser.parse_args()
    size, rounds = given.size, given.runs or RUNS[given.size]
    file = legacy_file(size)
    with (
        running_server(PORT) as server,
        tempfile.TemporaryDirectory(prefix="dhafnck-bench-") as scratch,
    ):
        print(f"{machine()}, {versions(server)}")
        print(f"{durability(server)}; nothing else of the server is configured")
        print(
            f"{size}: {rows_of(file):,} rows, {file.stat().st_size / 1e6:,.0f} MB, {rounds} runs\n"
        )
        contest = Contest(server, size, file, Path(scratch))
        contest.prepare()
        ways = {"import": contest.import_, "floor": contest.floor}
        if shutil.which("pgloader"):
            ways["pgloader"] = contest.pgloader
        runs = in_turn(ways, rounds)
    if "pgloader" not in runs:
        print("NOT RUN: pgloader (not installed; try `apt-get install pgloader`)\n")
    show_runs(runs)
    show_requirements(requirements(size, runs))
    # What the other size is compared with.
    (KEPT / f"{size}.json").write_text(json.dumps(peak_memory(runs["import"])))


def legacy_file(size: str) -> Path:
    """Return the file to load, made once for each size and seed, and read: no run meets it cold."""
    KEPT.mkdir(parents=True, exist_ok=True)
    file = KEPT / f"{size}-{SEED}.db"
    made_by = (SCHEMA, SCHEMA.with_name("legacy_data.py"))
    if not file.exists() or file.stat().st_mtime < max(one.stat().st_mtime for one in made_by):
        print(f"writing {file.relative_to(ROOT)} (once)", flush=True)
        write_legacy_file(file, size)
    with file.open("rb") as data:
        while data.read(1 << 20):
            pass
    return file


def in_turn(ways: dict[str, Callable[[], Run]], rounds: int) -> dict[str, list[Run]]:
    """Run each way once, then each again; say what each took, since a round may take minutes.

    Each round begins with another one, since each finds the machine as the one before left it.
    """
    runs: dict[str, list[Run]] = {name: [] for name in ways}
    for place in range(rounds):
        order = list(ways)
        for name in order[place % len(order) :] + order[: place % len(order)]:
            runs[name].append(ways[name]())
            print(f"  {name}: {runs[name][-1].wall:.2f} s", file=sys.stderr, flush=True)
    return runs


def measured(command: Command, folder: Path, environment: dict[str, str]) -> Run:
    """Run a command to its end in a folder, watching its memory and that of its children.

    What it says stays in the folder, in SAID. Of the caller's environment, and of an env file, it
    sees nothing that names a database. A failure ends the benchmark.
    """
    clean = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    with (folder / SAID).open("wb") as said, (folder / f"{SAID}.errors").open("wb") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdout=said, stderr=errors, env=clean | environment, cwd=folder
        )
        with watched(process.pid) as seen:
            process.wait()
        wall = time.perf_counter() - started
    if process.returncode:
        told = "".join((folder / name).read_text() for name in (SAID, f"{SAID}.errors"))
        sys.exit(f"{' '.join(map(str, command[:3]))} failed:\n{told[-3000:]}")
    return Run(wall, max(peak for peak, _ in seen), max(private for _, private in seen))


def pgloader_tables() -> str:
    """Return the legacy schema as pgloader can fill it, with the types that the target has."""
    statements = SCHEMA.read_text()
    for pattern, kind in (
        (r"^( +(?!user_id|assignee_id|assigned_agent_id)(?:\w+_)?id) VARCHAR", r"\1 uuid"),
        (r"^( +\w+) JSON\b", r"\1 jsonb"),
        (r"^( +\w+) DATETIME\b", r"\1 timestamptz"),
        (r"^( +\w+) FLOAT\b", r"\1 double precision"),
    ):
        statements = re.sub(pattern, kind, statements, flags=re.MULTILINE)
    return statements


def requirements(size: str, runs: dict[str, list[Run]]) -> list[tuple[str, str, str]]:
    """Return what is required, how much of it, and what was measured: a median and each round.

    A ratio is one of two runs of the same round, which met the machine in the same state.
    """
    phases = [run.phases for run in runs["import"]]
    loads = [told["load"] for told in phases]
    floors = [run.wall for run in runs["floor"]]
    rows = [("load / floor", "<= 1.10", ratio(loads, floors))]
    if "pgloader" in runs:
        pgloaders = [run.wall for run in runs["pgloader"]]
        proven = [told["assess"] + told["load"] + told["verify"] for told in phases]
        rows += [
            ("pgloader / load", ">= 2.2", ratio(pgloaders, loads)),
            ("(assess + load + verify) / pgloader", "<= 1.00", ratio(proven, pgloaders)),
        ]
    rows += [
        (f"{phase} / load", limit, ratio([told[phase] for told in phases], loads))
        for phase, limit in (("assess", "<= 0.35"), ("verify", "<= 0.80"))
    ]
    peaks = {size: peak_memory(runs["import"])}
    for other in SIZES.keys() - peaks.keys():
        if (before := KEPT / f"{other}.json").exists():
            peaks[other] = json.loads(before.read_text())
    for kind, peak in peaks[size].items():
        rows.append((f"memory of the import, peak {kind}", "<= 64", f"{peak:8.1f} MiB"))
    for kind in peaks[size]:
        growth = " NOT RUN"
        if len(peaks) == len(SIZES):
            growth = f"{peaks['big'][kind] / peaks['small'][kind] - 1:+8.1%}"
        rows.append((f"the same for big beside small, peak {kind}", "<= 10 %", growth))
    return rows


def ratio(above: list[float], below: list[float]) -> str:
    found = [one / other for one, other in zip(above, below, strict=True)]
    each = "  ".join(f"{one:.2f}" for one in found)
    return f"{statistics.median(found):8.2f}  {each}"


def peak_memory(runs: list[Run]) -> dict[str, float]:
    return {
        "resident": max(run.resident for run in runs),
        "private": max(run.private for run in runs),
    }


def show_runs(runs: dict[str, list[Run]]) -> None:
    print(f"{'seconds':28}  median  each run")
    for name, own in runs.items():
        show_line(name, [run.wall for run in own])
        for phase in own[0].phases:
            show_line(f"  {phase}", [run.phases[phase] for run in own])
        if own[0].phases:
            show_line("  outside the phases", [run.wall - sum(run.phases.values()) for run in own])
    print(f"\n{'MiB, the highest of all runs':28}  resident  private")
    for name, own in runs.items():
        peak = peak_memory(own)
        print(f"{name:28}  {peak['resident']:8.1f}  {peak['private']:7.1f}")


def show_line(name: str, seconds: list[float]) -> None:
    each = "  ".join(f"{one:.2f}" for one in seconds)
    print(f"{name:28}  {statistics.median(seconds):6.2f}  {each}")


def show_requirements(rows: list[tuple[str, str, str]]) -> None:
    width = max(len(name) for name, _, _ in rows)
    print(f"\n{'':{width}}  required    median  each round")
    for name, required, measured_ in rows:
        print(f"{name:{width}}  {required:>8}  {measured_}")


def versions(server: Server) -> str:
    found = [
        f"PostgreSQL {server.setting('server_version').split()[0]}",
        f"SQLite {sqlite3.sqlite_version}",
    ]
    if shutil.which("pgloader"):
        said = subprocess.run(["pgloader", "--version"], capture_output=True, text=True).stdout
        found.append(said.splitlines()[0].replace(" version", "").replace('"', ""))
    return ", ".join(found)


def durability(server: Server) -> str:
    names = ("fsync", "synchronous_commit", "full_page_writes", "wal_level", "shared_buffers")
    return ", ".join(f"{name} {server.setting(name)}" for name in names)


@cache
def rows_of(file: Path) -> int:
    with closing(sqlite3.connect(file)) as db:
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        counts = (f"SELECT count(*) FROM {name}" for (name,) in tables)  # noqa: S608
        return sum(db.execute(count).fetchone()[0] for count in counts)


def named(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split("."))


if __name__ == "__main__":
    main()
