"""An iterator that works ahead of who takes from it, in a thread of its own.

It never holds more than a few items, and never outlives the block that it was made for.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

DEPTH = 4  # items made ahead
# Seconds after which a thread that computes lets another one go on. With Python's own 5 ms whoever
# sends what was made waits that long for its turn, at every item, and the server with it.
TURN = 0.0002
PATIENCE = 0.2  # seconds between two looks at whether anybody still takes

Item = TypeVar("Item")


@contextmanager
def ahead(items: Iterable[Item]) -> Iterator[Iterator[Item]]:
    """Yield an iterator over items that a thread makes; what making one raises is raised there.

    The thread has ended when the block does, whether or not every item was taken.
    """
    # An item in a tuple, what making one raised, or None at the end.
    made: Queue[tuple[Item] | BaseException | None] = Queue(DEPTH)
    given_up = Event()

    def put(what: tuple[Item] | BaseException | None) -> bool:
        while not given_up.is_set():
            try:
                made.put(what, timeout=PATIENCE)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put((item,)):
                    return
        except BaseException as failure:
            put(failure)
        else:
            put(None)

    def take() -> Iterator[Item]:
        while (what := made.get()) is not None:
            if isinstance(what, BaseException):
                raise what
            yield what[0]

    maker = Thread(target=make, name="reader")
    turn = sys.getswitchinterval()
    sys.setswitchinterval(TURN)
    maker.start()
    try:
        yield take()
    finally:
        given_up.set()
        maker.join()
        sys.setswitchinterval(turn)
