"""The memory of a process and its children, watched as long as it runs (Linux)."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SAMPLED_EVERY = 0.05  # seconds


@contextmanager
def watched(process: int) -> Iterator[list[tuple[float, float]]]:
    """Give a list that grows with the memory of a process, see `memory`, as long as it runs."""
    seen = [(0.0, 0.0)]
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(SAMPLED_EVERY):
            seen.append(memory(process))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        ended.set()
        watcher.join()


def memory(process: int) -> tuple[float, float]:
    """Return the peak resident and the present private memory of a process and its children, MiB.

    Resident memory counts the pages of a file that is mapped, too, which the kernel takes back.
    """
    folder = Path(f"/proc/{process}")
    try:
        status = (folder / "status").read_text()
        tasks = [task / "children" for task in (folder / "task").iterdir()]
        children = [int(child) for task in tasks for child in task.read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return 0, 0  # it has just ended
    sizes = dict(re.findall(r"^(VmHWM|RssAnon):\s+(\d+) kB", status, re.MULTILINE))
    resident, private = int(sizes.get("VmHWM", 0)) / 1024, int(sizes.get("RssAnon", 0)) / 1024
    for child in children:
        below = memory(child)
        resident, private = resident + below[0], private + below[1]
    return resident, private
