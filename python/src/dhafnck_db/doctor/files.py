"""The env file and what it says, beside the environment.

It follows no link to look into a file, and it shows no value.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from dhafnck_db.doctor.checks import NotHere, chain, coded, failing, said
from dhafnck_db.doctor.context import Context
from dhafnck_db.settings import ENV_FILES

DUPLICATES = "cut -d= -f1 .env.dev | sort | uniq -d"
CONFIGURED = "configuration"  # the last of these checks
_TYPE = ("environment-contradicts-file", "environment-contradicts-url", "unknown-database-type")


def _env_file() -> Path | None:
    """Return the env file that is read; None where DATABASE_TYPE is none of the two."""
    named = os.environ.get("DB_ENV_FILE")
    usual = ENV_FILES.get(os.environ.get("DATABASE_TYPE") or "postgresql")
    return Path(named) if named else Path(usual) if usual else None


def _owner(_: Context) -> Iterator[tuple[str, ...]]:
    path = _env_file()
    if path is None or not os.path.lexists(path):
        raise NotHere("there is no env file")
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        yield (
            f"{path} is a link: whoever made it chooses the file that is read",
            f"remove it, and put the file itself there (mode 0600); `make dev` writes {path.name}",
            f"ls -l {path}",
        )
    elif stat.S_ISREG(status.st_mode) and status.st_uid not in _trusted(path):
        yield (
            f"{path} belongs to another user of this machine, who may change where it leads",
            f"look through it, then take it: chown {os.geteuid()} {path}",
            f"ls -ln {path}",
        )


def _trusted(path: Path) -> set[int]:
    """Return who may own the file: this user, and whom the folder belongs to."""
    return {os.geteuid(), path.absolute().parent.stat().st_uid}


def _present(context: Context) -> Iterator[tuple[str, ...]]:
    fault = context.misconfigured()
    if fault is None:
        return
    path = _env_file()
    absent = path is not None and not os.path.lexists(path)
    if fault.code == "setting-missing" and absent:
        yield (
            f"{fault.message}, and there is no {path} here",
            fault.help or "",
            f"ls -l {path}",
        )
    elif fault.code == "setting-missing" and path is not None and path.is_dir():
        yield (
            f"{path} is a folder, not a file",
            f"remove it; `make dev` writes {path.name}",
            f"ls -ld {path}",
        )
    elif fault.code == "env-file-unreadable":
        yield said(fault)


def _other(context: Context) -> Iterator[tuple[str, ...]]:
    fault = context.misconfigured()
    if fault is not None:  # none of what the checks before are about
        yield said(fault)


CHECKS = chain(
    {
        "env file owner": _owner,
        "env file": _present,
        "env file mode": failing(Context.misconfigured, coded("env-file-open"), "ls -l .env.*"),
        "duplicate key": failing(Context.misconfigured, coded("duplicate-key"), DUPLICATES),
        "DATABASE_TYPE": failing(Context.misconfigured, coded(*_TYPE)),
        CONFIGURED: _other,
    }
)
