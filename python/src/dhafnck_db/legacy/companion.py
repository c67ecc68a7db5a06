"""A second process that divides tables of a snapshot: SQLite reads no faster in a second thread.

It only reads, ends with whoever started it, and is needed by nobody: what it does not do is done
here. It loads little, so that it is there soon and stays small.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from pathlib import Path

from dhafnck_db.legacy.batches import Batches, Span, spans
from dhafnck_db.legacy.plain import Division, PlainTable, add_functions
from dhafnck_db.legacy.snapshot import Snapshot, open_reader

WORTHWHILE = 8 << 20  # bytes of a file from which on a second process is worth its start
PARTED = 10_000  # rows of a table from which on it is shared
PARTS = 32  # of a shared table, so that both end at about the same time
AHEAD = 2  # parts that it is given, so that it never waits for the next


class Companion:
    """The other process, as it is seen from here."""

    def __init__(self, directory: Path) -> None:
        self._talk, theirs = Pipe()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # this program itself
                # -P: nothing is imported from the working directory.
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno()), str(directory)],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                process_group=0,  # Ctrl-C is for this process alone, which then ends the other
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def begin(self, table: PlainTable, span: Span) -> None:
        """Give it a span of a table to divide."""
        with suppress(OSError):  # it is gone, and `result` tells
            self._talk.send((table, span))

    def is_done(self) -> bool:
        """Whether `result` has something to tell at once."""
        return self._talk.poll()

    def result(self) -> Division | None:
        """Return the division of the oldest span given, or None where the process is gone.

        Raises what was raised there.
        """
        try:
            result: Division | Exception = self._talk.recv()
        except (EOFError, OSError):
            return None
        if isinstance(result, Exception):
            raise result
        return result

    def close(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()
        self._talk.close()


@contextmanager
def companion_of(snapshot: Snapshot) -> Iterator[Companion | None]:
    """Yield a companion for a snapshot that is big, on a machine with a second processor."""
    if snapshot.bytes < WORTHWHILE or (os.cpu_count() or 1) < 2:
        yield None
        return
    with closing(Companion(snapshot.directory)) as companion:
        yield companion


def divide(
    snapshot: Snapshot,
    table: PlainTable,
    rows: int,
    companion: Companion | None,
    report: Callable[[int], None],
) -> Division:
    """Return all rows of a table in batches, each found plain or not.

    Args:
        snapshot: what the table is in.
        table: what to ask of its rows.
        rows: how many there are.
        companion: who takes a share, if anybody.
        report: is told how many more rows are done.
    """
    if rows < PARTED:
        companion = None
    done: dict[Span, Division] = {}
    away: deque[Span] = deque()  # what the companion has, the oldest first
    with closing(snapshot.reader()) as reader:
        add_functions(reader)
        left = deque(spans(reader, table.rows, PARTS if companion else 1))
        while left or away:
            while companion and len(left) > 1 and len(away) < AHEAD:
                away.append(left.pop())
                companion.begin(table, away[-1])
            if left:
                span = left.popleft()
                done[span] = table.divide(reader, span, report)
            while companion and away and (companion.is_done() or not left):
                division = companion.result()
                if division is None:
                    left.extend(away)
                    away.clear()
                    companion = None
                    break
                done[away.popleft()] = division
                report(division.rows)
    ordered = [done[span] for span in sorted(done)]
    return Division(
        Batches(batch for division in ordered for batch in division.batches),
        sum((division.nulls for division in ordered), Counter()),
    )


def _serve(talk: Connection, directory: Path) -> None:
    """Divide what is asked for until nobody asks any more."""
    while True:
        try:
            table, span = talk.recv()
        except EOFError:
            return
        try:
            # The notes may have grown since the last span.
            with closing(open_reader(directory)) as reader:
                add_functions(reader)
                answer: Division | Exception = table.divide(reader, span, lambda rows: None)
        except Exception as failure:  # whatever it is, it is for who asked
            answer = failure
        talk.send(answer)


if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # who asked is gone
    _serve(Connection(int(sys.argv[1])), Path(sys.argv[2]))
