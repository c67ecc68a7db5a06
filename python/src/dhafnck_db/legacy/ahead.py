"""An iterator that works ahead of who takes from it, in a thread of its own.

It never holds more than a few items, and never outlives the block that it was made for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from queue import Full, Queue
from threading import Event, Thread
from typing import TypeVar

DEPTH = 4  # items made ahead
PATIENCE = 0.2  # seconds between two looks at whether anybody still takes

Item = TypeVar("Item")


@contextmanager
def ahead(items: Iterable[Item]) -> Iterator[Iterator[Item]]:
    """Yield an iterator over items that a thread makes; what making one raises is raised there.

    The thread has ended when the block does, whether or not every item was taken.
    """
    made: Queue[tuple[Item | None, BaseException | None]] = Queue(DEPTH)
    given_up = Event()

    def put(item: Item | None, failure: BaseException | None) -> bool:
        while not given_up.is_set():
            try:
                made.put((item, failure), timeout=PATIENCE)
            except Full:
                continue
            return True
        return False

    def make() -> None:
        try:
            for item in items:
                if not put(item, None):
                    return
        except BaseException as failure:
            put(None, failure)
        else:
            put(None, StopIteration())

    def take() -> Iterator[Item]:
        while True:
            item, failure = made.get()
            if isinstance(failure, StopIteration):
                return
            if failure is not None:
                raise failure
            yield item  # type: ignore[misc]

    maker = Thread(target=make, name="reader")
    maker.start()
    try:
        yield take()
    finally:
        given_up.set()
        maker.join()
