"""The private cluster of a checkout, told by its own files.

It reads them and asks whether a process lives; it runs no program of the server but `--version`.
"""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

HOME = Path(".local/postgres")
PATIENCE = 5.0  # seconds
_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Cluster:
    """What a cluster says of itself; None is what its files do not tell."""

    data: Path
    port: int | None = None
    running: bool | None = False
    data_major: str | None = None
    program_major: str | None = None

    @property
    def data_there(self) -> bool:
        return self.data_major is not None

    @property
    def place(self) -> str:
        return str(self.data)

    @property
    def shows_version(self) -> str:
        return f"cat {self.data}/PG_VERSION; cat {self.data}/postmaster.opts"

    @property
    def shows_state(self) -> str:
        return f"head -n 1 {self.data}/postmaster.pid, and whether that process lives"


def find(home: Path = HOME) -> Cluster | None:
    """Return the cluster below a folder, be it removed; None where it is closed to this user."""
    data = home / "data"
    try:
        made = (data / "PG_VERSION").read_text().strip()
        configured = (data / "postgresql.conf").read_text()
    except FileNotFoundError:
        return Cluster(data)
    except OSError:
        return None
    port = re.search(r"^port = (\d+)", configured, flags=re.MULTILINE)
    return Cluster(
        data,
        int(port[1]) if port else None,
        _runs(data),
        made,
        _program_major(data),
    )


def _runs(data: Path) -> bool:
    """Return whether the server's process lives; its file may be left of one that was killed."""
    try:
        number = int((data / "postmaster.pid").read_text().split()[0])
        os.kill(number, 0)
    except PermissionError:  # it lives, as another user
        return True
    except (OSError, ValueError, IndexError):
        return False
    return True


def _program_major(data: Path) -> str | None:
    """Return the major version of the program that was started on the data last."""
    try:
        program = (data / "postmaster.opts").read_text().split()[0]
        said = subprocess.run(  # noqa: S603  # the path that the server itself wrote down
            [program, "--version"], capture_output=True, text=True, timeout=PATIENCE, check=True
        ).stdout
    except (OSError, IndexError, subprocess.SubprocessError):
        return None
    found = _NUMBER.search(said)
    return found[0] if found else None
