"""Write a big legacy SQLite file: realistic rows of the August 2025 schema, none of them a reject.

The same size and seed give the same rows. Ids are UUIDs throughout, so that tools which convert
nothing can load the file too.

    python scripts/legacy_data.py big .local/bench/big.db
"""

import json
import random
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from itertools import count
from pathlib import Path
from typing import TypeVar

SCHEMA = Path(__file__).with_name("legacy_schema.sql")
SEED = 20250819
SIZES = {"small": 1, "big": 10}  # about 130 MB and 280,000 rows, and ten times that

Value = str | int | float | None
Row = tuple[Value, ...]
Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]
T = TypeVar("T")

USERS = [f"user-{number}" for number in range(1, 9)] + ["default_id", "anna@example.org", "бен"]
AGENTS = [f"@{name}_agent" for name in (
    "coding", "test_orchestrator", "code_reviewer", "devops", "ui_designer", "security_auditor",
    "documentation", "debugger", "task_planning", "uber_orchestrator", "system_architect",
    "brainjs_ml", "branding", "compliance_scope", "deep_research", "health_monitor",
)]  # fmt: skip
STATES = ("todo", "in_progress", "blocked", "review", "testing", "done", "cancelled")
PRIORITIES = ("low", "medium", "high", "urgent", "critical")
EFFORTS = ("2 hours", "30 minutes", "1 day", "3 days", "1 week")
LEVELS = ("task", "project", "global")
VOCABULARY = """
    import schema branch context migrate server verify the a of to and with without after before
    deadlock retry token session cache index agent subtask label template update rollback deploy
    größer Küche façade naïve señal żółć Ελλάδα задача 設計 テスト 한국어 مهمة ✓ 🛠 👩‍💻 → ½ "quoted"
    it's C:\\temp\\new \\N \\. 100% {curly} [brackets] a,b a;b x=1 <b>bold</b> -- /* */ $1 :name
"""
WORDS = VOCABULARY.split()


def main() -> None:
    if len(sys.argv) != 3 or sys.argv[1] not in SIZES:
        sys.exit(f"usage: legacy_data.py {'|'.join(SIZES)} FILE")
    path = Path(sys.argv[2])
    rows = write_legacy_file(path, sys.argv[1])
    print(f"{path}: {rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB")


def write_legacy_file(path: Path, size: str, seed: int = SEED) -> int:
    """Write a legacy file of a size (see SIZES) to `path`, replacing one; return its row count.

    It appears under its name only when it is complete.
    """
    unfinished = path.with_name(path.name + ".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished, isolation_level=None)) as db:
        # Nobody reads the file before it is complete, so nothing protects it meanwhile.
        db.executescript(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -500000;"
        )
        tables, indexes = _statements()
        for statement in tables:
            db.execute(statement)
        db.execute("BEGIN")
        for name, rows in _Data(seed, SIZES[size]).tables():
            columns = db.execute("SELECT count(*) FROM pragma_table_info(?)", (name,)).fetchone()[0]
            places = ", ".join("?" * columns)
            db.executemany(f"INSERT INTO {name} VALUES ({places})", rows)  # noqa: S608
        for statement in indexes:
            db.execute(statement)
        db.execute("COMMIT")
        written = db.total_changes
    unfinished.replace(path)
    return written


def _statements() -> tuple[list[str], list[str]]:
    """Return what creates the tables and what creates the indexes, which is faster done last."""
    found = [part.strip() for part in SCHEMA.read_text().split(";\n")]
    return (
        [one for one in found if "CREATE TABLE" in one],
        [one for one in found if one.startswith("CREATE INDEX")],
    )


class _Data:
    """The rows of every table; `scale` multiplies how many."""

    def __init__(self, seed: int, scale: int) -> None:
        self._scale = scale
        self._rng = random.Random(seed)  # noqa: S311  (data to measure with, no secret)
        self._random = self._rng.random
        self._number = count(1)
        # Texts and documents are made once and varied by a number: making each would take longer
        # than everything that is measured with them.
        self._titles = [self._words(3, 7, " ") for _ in range(4000)]
        self._texts = [self._words(4, 16, " ") for _ in range(4000)]
        self._pages = [self._words(15, 60, " ", "\n", "\t", "\r\n", "\n\n- ") for _ in range(2000)]
        self._documents = [json.dumps(self._document(6, 12)) for _ in range(2000)]
        self._notes = [json.dumps(self._document(1, 2)) for _ in range(2000)]
        self._lists = [
            json.dumps(self._rng.sample(self._titles, self._rng.randint(0, 3))) for _ in range(2000)
        ]
        self._teams = [
            json.dumps(self._rng.sample(AGENTS, self._rng.randint(0, 3))) for _ in range(200)
        ]
        self._days = [f"2025-{month:02}-{day:02}" for month in range(1, 9) for day in range(1, 29)]

    def tables(self) -> Iterator[tuple[str, Iterable[Row]]]:
        """Yield each table with its rows, parents first."""
        scale = self._scale
        projects = self._ids(50 * scale)
        branches = self._ids(500 * scale)
        tasks = self._ids(50_000 * scale)
        with_context = [task for task in tasks if self._random() < 0.4]
        labels = range(1, 200 * scale + 1)
        glob = self._id()
        home = {branch: projects[place % len(projects)] for place, branch in enumerate(branches)}
        place_of = dict(zip(tasks, (self._pick(branches) for _ in tasks), strict=True))
        context_of = set(with_context)

        yield "projects", (self._project(one) for one in projects)
        yield "agents", (self._agent(one) for one in self._ids(200 * scale))
        yield "hierarchical_context", (self._level(one) for one in self._ids(500 * scale))
        yield "labels", (self._label(number) for number in labels)
        yield "templates", (self._template(one) for one in self._ids(500 * scale))
        yield "global_contexts", [self._global_context(glob)]
        yield "project_git_branchs", (self._branch(one, home[one]) for one in branches)
        yield "project_contexts", (self._project_context(one, glob) for one in projects)
        yield "branch_contexts", (self._branch_context(one, home[one]) for one in branches)
        yield "tasks", (self._task(one, place_of[one], one in context_of) for one in tasks)
        yield "task_subtasks", (self._subtask(self._pick(tasks)) for _ in range(100_000 * scale))
        yield "task_assignees", self._assignees(tasks)
        yield "task_dependencies", self._dependencies(tasks)
        yield "task_labels", self._task_labels(tasks, labels)
        yield "task_contexts", (self._task_context(one, place_of[one]) for one in with_context)
        yield "context_delegations", (self._delegation(tasks) for _ in range(3000 * scale))
        yield (
            "context_inheritance_cache",
            (self._cached(one) for one in with_context[: 2000 * scale]),
        )

    def _project(self, id_: str) -> Row:
        created, updated = self._times()
        return (
            id_, self._title(), self._text(), created, updated, self._pick(USERS),
            "active" if self._random() < 0.8 else "archived", self._rich(),
        )  # fmt: skip

    def _agent(self, id_: str) -> Row:
        created, updated = self._times()
        return (
            id_, self._title(), self._text(), self._pick(self._teams), "available",
            self._random(), updated if self._random() < 0.7 else None, created, updated,
            self._note(),
        )  # fmt: skip

    def _level(self, id_: str) -> Row:
        created, updated = self._times()
        task = self._random() < 0.8
        return (
            id_, "task" if task else "project", self._id(), "project" if task else None,
            self._id() if task else None, self._rich(), self._note(), "{}", self._note(),
            "{}", "{}", self._rich(), updated, self._int(100), self._int(9) + 1, created,
            updated,
        )  # fmt: skip

    def _label(self, number: int) -> Row:
        name = f"{self._pick(WORDS)} {number}"
        return (number, name, f"#{self._int(1 << 24):06x}", self._text(), self._time())

    def _template(self, id_: str) -> Row:
        created, updated = self._times()
        return (
            id_, self._title(), "task", self._rich(), "general", self._pick(self._lists),
            self._int(500), created, updated, "system",
        )  # fmt: skip

    def _global_context(self, id_: str) -> Row:
        documents = [self._rich() for _ in range(5)]
        return (id_, self._id(), *documents, *self._times(), 1)

    def _branch(self, id_: str, project: str) -> Row:
        created, updated = self._times()
        return (
            id_, project, f"feature/{self._title()}", self._text(), created, updated,
            self._pick(AGENTS) if self._random() < 0.5 else None, self._pick(PRIORITIES),
            self._pick(STATES), self._note(), self._int(200), self._int(100),
        )  # fmt: skip

    def _project_context(self, id_: str, parent: str) -> Row:
        documents = [self._rich() for _ in range(4)]
        return (id_, parent, *documents, "{}", self._note(), *self._times(), self._int(9) + 1, 0)

    def _branch_context(self, id_: str, project: str) -> Row:
        documents = [self._rich(), self._note(), self._note(), "{}", "{}"]
        return (id_, project, project, *documents, 0, self._int(2), *self._times(), 1)

    def _task(self, id_: str, branch: str, context: bool) -> Row:
        created, updated = self._times()
        return (
            id_, self._title(), self._text(), branch, self._pick(STATES), self._pick(PRIORITIES),
            self._page() if self._random() < 0.5 else "", self._pick(EFFORTS),
            self._pick(self._days) if self._random() < 0.3 else None, created, updated,
            id_ if context else None,
        )  # fmt: skip

    def _subtask(self, task: str) -> Row:
        created, updated = self._times()
        done = self._random() < 0.3
        return (
            self._id(), task, self._title(), self._text(), "done" if done else self._pick(STATES),
            self._pick(PRIORITIES), self._pick(self._teams),
            self._pick(EFFORTS) if self._random() < 0.6 else None, 100 if done else self._int(100),
            self._text() if self._random() < 0.3 else "", "", self._text() if done else "", "",
            self._pick(self._lists), created, updated, updated if done else None,
        )  # fmt: skip

    def _assignees(self, tasks: list[str]) -> Iterator[Row]:
        number = count(1)
        for task in tasks:
            first = self._int(len(AGENTS))
            yield (next(number), task, AGENTS[first], "owner", self._time())
            if self._random() < 0.2:
                second = AGENTS[first - 1]  # never the same one twice
                yield (next(number), task, second, "contributor", self._time())

    def _dependencies(self, tasks: list[str]) -> Iterator[Row]:
        number = count(1)
        for place in range(10, len(tasks)):
            if self._random() < 0.4:  # only on an earlier task, so that there is no circle
                earlier = tasks[place - 1 - self._int(10)]
                yield (next(number), tasks[place], earlier, "blocks", self._time())

    def _task_labels(self, tasks: list[str], labels: range) -> Iterator[Row]:
        for task in tasks:
            if self._random() < 0.4:
                yield (task, self._pick(labels), self._time())

    def _task_context(self, id_: str, branch: str) -> Row:
        documents = [self._rich(), "{}", self._note(), "{}"]
        return (id_, branch, branch, *documents, 0, self._int(2), *self._times(), 1)

    def _delegation(self, tasks: list[str]) -> Row:
        created, updated = self._times()
        processed = self._random() < 0.5
        return (
            self._id(), "task", self._pick(tasks), self._pick(LEVELS), self._id(),
            self._rich(), self._text(), "manual", self._int(2),
            self._random() if self._random() < 0.7 else None, int(processed),
            self._int(2) if processed else None, self._pick(AGENTS) if processed else None,
            None, created, updated if processed else None,
        )  # fmt: skip

    def _cached(self, context: str) -> Row:
        resolved = self._rich()
        return (
            context, "task", resolved, f"{self._rng.getrandbits(256):064x}", "global/project/task",
            self._time(), self._time(), self._int(50), self._time(), len(resolved), self._int(2),
            None,
        )  # fmt: skip

    def _id(self) -> str:
        digits = f"{self._rng.getrandbits(128):032x}"
        return (
            f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-"
            f"{'89ab'[int(digits[16], 16) & 3]}{digits[17:20]}-{digits[20:]}"
        )

    def _ids(self, how_many: int) -> list[str]:
        return [self._id() for _ in range(how_many)]

    def _pick(self, pool: Sequence[T]) -> T:
        return pool[int(self._random() * len(pool))]

    def _int(self, below: int) -> int:
        return int(self._random() * below)

    def _title(self) -> str:
        return f"{self._pick(self._titles)} #{next(self._number)}"

    def _text(self) -> str:
        return f"{self._pick(self._texts)} ({next(self._number)})"

    def _page(self) -> str:
        return f"{next(self._number)}.\n{self._pick(self._pages)}"

    def _rich(self) -> str:
        """Return a JSON object of 0.2 to 2 KB."""
        return self._numbered(self._pick(self._documents))

    def _note(self) -> str:
        """Return a small JSON object, often an empty one."""
        return "{}" if self._random() < 0.5 else self._numbered(self._pick(self._notes))

    def _numbered(self, document: str) -> str:
        return f'{{"revision": {next(self._number)}, {document[1:]}'

    def _time(self) -> str:
        """Return a time as SQLite writes it, or as the application does, with a fraction."""
        bits = self._rng.getrandbits(48)
        return self._at(self._pick(self._days), bits)

    def _times(self) -> tuple[str, str]:
        """Return when a row was created, and when it was changed, which is not earlier."""
        bits = self._rng.getrandbits(48)
        first, second = self._int(len(self._days)), self._int(len(self._days))
        if first > second:
            first, second = second, first
        return self._at(self._days[first], bits), self._at(self._days[second], bits)

    def _at(self, day: str, bits: int) -> str:
        hour, minute, second = bits % 24, (bits >> 8) % 60, (bits >> 16) % 60
        whole = f"{day} {hour:02}:{minute:02}:{second:02}"
        return f"{whole}.{(bits >> 24) % 1_000_000:06}" if bits >> 47 else whole

    def _words(self, least: int, most: int, *gaps: str) -> str:
        words = self._rng.choices(WORDS, k=self._rng.randint(least, most))
        return "".join(word + self._rng.choice(gaps) for word in words).strip()

    def _document(self, least: int, most: int) -> dict[str, Json]:
        rng = self._rng
        found: dict[str, Json] = {}
        for number in range(rng.randint(least, most)):
            choices: list[Json] = [
                rng.choice(self._titles),
                rng.choice(self._texts),
                [rng.choice(self._titles), number],
                rng.randint(-(10**9), 10**9),
                rng.random() * 100,
                {"enabled": rng.random() < 0.5, "owner": None, "weights": [1, 2.5, 1e-7]},
            ]
            found[f"{rng.choice(WORDS[:20])}_{number}"] = rng.choice(choices)
        return found


if __name__ == "__main__":
    main()
