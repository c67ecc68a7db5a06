"""Folders for what is thrown away afterwards; nobody else enters them.

A process that is killed leaves its folder behind. The next one that makes a folder of the same kind
removes it: whoever lives holds a lock on its own.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dhafnck_db.errors import ToolkitError


@contextmanager
def scratch_folder(kind: str, end: Callable[[Path], None] | None = None) -> Iterator[Path]:
    """Make a folder below TMPDIR (mode 0700) and remove it with all that is in it.

    First it removes those of its kind, of the same user, whose processes are no more.

    Args:
        kind: what the folders are for, as a part of their names.
        end: ends what may still run in a folder that was left; where it raises a ToolkitError the
            folder stays.

    Raises:
        OSError: no folder can be made.
    """
    prefix = f"dhafnck-{kind}-"
    for left in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        _remove_if_left(left, end)
    made, held = _make(prefix)
    try:
        yield made
    finally:
        # Nothing that cannot be removed hides what the block raised; it goes with the next run.
        shutil.rmtree(made, ignore_errors=True)
        os.close(held)


def _remove_if_left(folder: Path, end: Callable[[Path], None] | None) -> None:
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return  # it is gone, or another user's
    try:
        if os.fstat(held).st_uid != os.getuid():
            return
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if end is not None:
            end(folder)
        shutil.rmtree(folder)
    except (OSError, ToolkitError):
        pass  # its process lives, or it cannot be ended or removed now: another run tries again
    finally:
        os.close(held)


def _make(prefix: str) -> tuple[Path, int]:
    """Return a new folder and the open file that holds its lock."""
    while True:
        made = Path(tempfile.mkdtemp(prefix=prefix))
        held = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
        with suppress(OSError):  # a file system without locks: then nobody removes it, either
            fcntl.flock(held, fcntl.LOCK_EX)
        if made.exists():
            return made, held
        os.close(held)  # before the lock was taken it looked like one that was left
