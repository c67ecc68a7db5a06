"""Copies of finished backups elsewhere, by a program of the operator's own.

It never knows where they go: rclone, restic or anything else can be called there.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from dhafnck_db import backup_record
from dhafnck_db.errors import TargetError
from dhafnck_db.settings import Settings


def hand_over(settings: Settings, dump: Path) -> None:
    """Run DB_BACKUP_HOOK with the dump and its record as arguments; nothing where none is set.

    What it prints goes to stderr.

    Raises:
        TargetError: it cannot be run, or ended badly; the backup stays.
    """
    hook = settings.db_backup_hook
    if hook is None:
        return
    try:
        ended = subprocess.run(  # noqa: S603  # named by the operator
            [hook.resolve(), dump.resolve(), backup_record.place(dump).resolve()],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        said, code = ended.stderr.decode(errors="replace").strip(), ended.returncode
    except OSError as failure:
        said, code = str(failure.strerror), 1
    if code != 0:
        raise TargetError(
            "hook-failed",
            f"{hook} did not take {dump} elsewhere",
            cause=said.splitlines()[-1] if said else f"it ended with {code}",
            help="the backup itself is complete and stays; mend the program and run it again",
        )
