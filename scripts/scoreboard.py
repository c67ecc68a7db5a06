"""Bring every case of the corpus across with pgloader and with this project; judge what arrived.

It prints a line for each case and the totals, and works in a scratch server of its own. It ends
with 1 where this project lost a value silently or hung. `--write FILE` keeps the result as a page.
"""

import argparse
import contextlib
import json
import multiprocessing
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from bench import machine
from bench_server import OWNER, SURFACE, Server, running_server
from psycopg2 import sql

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python" / "tests"))

from legacy.corpus import CASES  # noqa: E402
from legacy.roundtrip import differences  # noqa: E402
from scoreboard_values import losses  # noqa: E402

from dhafnck_db import __version__  # noqa: E402
from dhafnck_db.cli.main import main as dhafnck_db  # noqa: E402

PORT = 25460
LIMIT = 15  # seconds for one file
AT_ONCE = 2
WIDTH = 118  # of the page's prose
HEAD = "head"  # the template database with the schema in place
KEPT, LISTED, LOST, HUNG, FAILED = "kept", "listed", "lost silently", "hung", "failed loudly"
WORDS = {
    KEPT: "every value is there, and the next id of every counter is not one that was given before",
    LISTED: "every value is there or in a list of what could not be carried",
    LOST: "values are missing or changed, no list names them, and the exit status tells of success "
    "(a line of the log may not)",
    HUNG: f"not at an end after {LIMIT} s",
    FAILED: "the exit status tells of a failure",
}
NOT_RUN = "not run"
REJECTED = 4  # the exit status of an import that quarantined rows, and of a refused file


@contextlib.contextmanager
def database(server: Server, name: str, template: str = SURFACE) -> Iterator[str]:
    """Make a database and drop it afterwards; yields its name."""
    names = [sql.Identifier(one) for one in (name, template, OWNER)]
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(*names))
        # A setting of a database is not copied from its template.
        cursor.execute(sql.SQL("ALTER DATABASE {} SET timezone = 'UTC'").format(names[0]))
        try:
            yield name
        finally:
            cursor.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(names[0]))


@dataclass(frozen=True)
class Verdict:
    """What became of a case."""

    word: str
    detail: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, metavar="FILE", help="write the result to a page")
    parser.add_argument("--only", default="", metavar="TEXT", help="cases with this in their names")
    arguments = parser.parse_args()
    chosen = [place for place, case in enumerate(CASES) if arguments.only in case.name]
    if not shutil.which("pgloader"):
        print("NOT RUN: pgloader is not installed (on Debian and Ubuntu: apt-get install pgloader)")
    began = time.monotonic()
    results = []
    with tempfile.TemporaryDirectory(prefix="dhafnck-scoreboard-") as folder:
        os.chdir(folder)  # no env file of the checkout is read
        for name in [name for name in os.environ if name.startswith(("DATABASE_", "DB_", "PG"))]:
            del os.environ[name]
        with running_server(PORT) as server, database(server, HEAD), processes() as pool:
            with closing(server.connect()) as connection, connection.cursor() as cursor:
                cursor.execute("ALTER SYSTEM SET fsync = off")  # nothing here is to last
                cursor.execute("SELECT pg_reload_conf()")
            versions = [f"PostgreSQL {server.setting('server_version')}"]
            _require(_command(server.url(HEAD), "schema", "upgrade"), "schema upgrade")
            for place, judged in zip(
                chosen,
                pool.map(judge, chosen, [server] * len(chosen), [folder] * len(chosen)),
                strict=True,
            ):
                results.append((CASES[place], *judged))
                print(line(*results[-1]), flush=True)
    spent = time.monotonic() - began
    versions += [
        f"SQLite {sqlite3.sqlite_version}",
        f"dhafnck-db {__version__}",
        pgloader_version(),
    ]
    totals = [Counter(of.word for of in column) for column in list(zip(*results, strict=True))[1:]]
    print(f"\n{'':14}{'pgloader':>10}{'dhafnck-db':>12}")
    for word in (*WORDS, NOT_RUN):
        if any(total[word] for total in totals):
            print(f"{word:14}{totals[0][word]:>10}{totals[1][word]:>12}")
    print(f"\n{len(results)} cases in {spent:.0f} s; {', '.join(versions)}; {machine()}")
    if arguments.write:
        (ROOT / arguments.write).write_text(page(results, totals, versions))
    return int(totals[1][LOST] + totals[1][HUNG] > 0)


def processes() -> ProcessPoolExecutor:
    """Processes that fork: what the commands import is imported once."""
    return ProcessPoolExecutor(AT_ONCE, mp_context=multiprocessing.get_context("fork"))


def judge(place: int, server: Server, folder: str) -> tuple[Verdict, Verdict]:
    """Bring one case across with both, each into a database of its own."""
    case = CASES[place]
    file = case.write(Path(folder))
    if shutil.which("pgloader"):
        with database(server, f"pgloader_{place}") as name:
            other = judge_pgloader(file, server, name, Path(folder) / f"root-{place}")
    else:
        other = Verdict(NOT_RUN)
    with database(server, f"ours_{place}", HEAD) as name:
        ours = judge_ours(file, server, name)
    file.unlink()
    return other, ours


def judge_pgloader(file: Path, server: Server, database: str, root: Path) -> Verdict:
    """Run pgloader with its default options and compare what it made."""
    command = ["pgloader", "--root-dir", str(root), str(file), server.url(database)]
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT, check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict(HUNG)
    if done.returncode:
        return Verdict(FAILED, f"exit {done.returncode}")
    with closing(psycopg2.connect(server.url(database))) as connection:
        lost = losses(file, connection)
    if not lost:
        return Verdict(KEPT)
    listed = sum(len(kept.read_bytes().splitlines()) for kept in root.rglob("*.dat"))
    detail = "; ".join(words for words, _ in lost[:2])
    detail += f" and {len(lost) - 2} more" if len(lost) > 2 else ""
    return Verdict(LISTED if listed >= max(rows for _, rows in lost) else LOST, detail)


def judge_ours(file: Path, server: Server, database: str) -> Verdict:
    """Run `dhafnck-db sqlite import --quarantine` and compare what it made."""
    command = ("sqlite", "import", str(file), "--owner", "someone", "--quarantine")
    status, out, said = _command(server.url(database), *command, "--format", "json")
    if status is None:
        return Verdict(HUNG)
    with closing(psycopg2.connect(server.url(database))) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM legacy.imports")
            (imported,) = cursor.fetchone() or (0,)
        if not imported:
            code = said.partition("error[")[2].partition("]")[0]
            return Verdict(FAILED if status else LOST, f"exit {status}, {code}: nothing written")
        result = json.loads(out)
        lost = differences(file, connection, result)
    rejected = result["totals"]["rejected"]
    if lost or status != (REJECTED if rejected else 0):
        return Verdict(LOST, "; ".join(lost[:2]) or f"exit {status}")
    if not rejected:
        return Verdict(KEPT)
    codes = sorted({reject["code"] for reject in result["rejects"]})
    return Verdict(LISTED, f"{rejected} of {result['totals']['rows']} rows: {', '.join(codes)}")


def _command(url: str, *arguments: str) -> tuple[int | None, str, str]:
    """Run the command line in a process of its own: its exit status, stdout and stderr.

    The status is None where it was not at an end in time.
    """
    context = multiprocessing.get_context("fork")
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as said:
        process = context.Process(target=_run, args=(url, arguments, out, said))
        process.start()
        process.join(LIMIT)
        if process.exitcode is None:
            process.kill()
            process.join()
            return None, "", ""
        out.seek(0)
        said.seek(0)
        return process.exitcode, out.read(), said.read()


def _run(url: str, arguments: tuple[str, ...], out: Any, said: Any) -> None:
    os.environ["DATABASE_URL"] = url
    sys.argv = ["dhafnck-db", *arguments]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(said):
        dhafnck_db()


def _require(done: tuple[int | None, str, str], what: str) -> None:
    if done[0] != 0:
        sys.exit(f"{what} failed: {done[2]}")


def pgloader_version() -> str:
    if not shutil.which("pgloader"):
        return "no pgloader"
    done = subprocess.run(["pgloader", "--version"], capture_output=True, text=True, check=False)
    version = done.stdout.splitlines()[0].partition('"')[2].rstrip('"')
    return f"pgloader {version}"


def line(case: Any, other: Verdict, ours: Verdict) -> str:
    return f"{case.name:42} {other.word:14} {ours.word:14} {other.detail or ours.detail}"[:140]


def page(results: list[Any], totals: list[Any], versions: list[str]) -> str:
    """Return the result as Markdown."""
    return "\n".join(_page(results, totals, versions)) + "\n"


def _page(results: list[Any], totals: list[Any], versions: list[str]) -> Iterator[str]:
    yield "# What arrives: this import beside pgloader"
    yield ""
    yield from textwrap.wrap(
        f"`make scoreboard WRITE=1` made this page: {', '.join(versions)}, {machine()}.", WIDTH
    )
    yield ""
    yield from textwrap.wrap(
        f"Each of the {len(results)} files of the [corpus](../python/tests/legacy/corpus) goes "
        "through `pgloader FILE URL` with its default options, and through "
        "`dhafnck-db sqlite import FILE --quarantine`, each time into a fresh database. Then every "
        "value is compared with the file: for pgloader column by column, in whatever type it "
        "chose, as long as it says the same; for this import row by row, to the last bit, with its "
        "class. Compared are values and the counters of AUTOINCREMENT; indexes, constraints, views "
        "and triggers are not. pgloader makes its own tables, so it also keeps rows that the "
        "application's tables refuse; this import lists those.",
        WIDTH,
        break_long_words=False,
        break_on_hyphens=False,
    )
    yield ""
    yield "| | pgloader | dhafnck-db | |"
    yield "|---|---:|---:|---|"
    for word, meaning in WORDS.items():
        yield f"| {word} | {totals[0][word]} | {totals[1][word]} | {meaning} |"
    if totals[0][NOT_RUN]:
        yield f"| {NOT_RUN} | {totals[0][NOT_RUN]} | 0 | pgloader was not installed |"
    group = None
    for case, other, ours in results:
        if case.group != group:
            group = case.group
            yield ""
            yield f"## {group.capitalize()}"
            yield ""
            yield "| case | pgloader | dhafnck-db |"
            yield "|---|---|---|"
        yield f"| {case.name} | {_cell(other)} | {_cell(ours)} |"


def _cell(verdict: Verdict) -> str:
    if not verdict.detail:
        return verdict.word
    shown = "".join(c if c.isprintable() else " " for c in verdict.detail[:120])
    for sign in "\\|`*<_":
        shown = shown.replace(sign, f"\\{sign}")
    return f"{verdict.word}: {shown}"


if __name__ == "__main__":
    sys.exit(main())
