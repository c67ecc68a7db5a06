"""An env file as its variables, private and with every key once.

It never looks at the environment, and no error of it ever holds a value.
"""

from __future__ import annotations

import stat
from pathlib import Path

from dotenv.main import DotEnv

from dhafnck_db.errors import ConfigurationError


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables of an env file, as strings; /dev/null has none.

    Read-only.

    Raises:
        ConfigurationError: no such file, readable by others, or a key given twice.
    """
    try:
        status = path.stat()
        pairs = list(DotEnv(path, interpolate=False, encoding="utf-8-sig").parse())
    except (OSError, UnicodeDecodeError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else "not UTF-8"
        raise ConfigurationError(
            "env-file-unreadable",
            f"cannot read the env file {path}",
            cause=reason,
            help="mend it, or name another in DB_ENV_FILE",
        ) from None
    if stat.S_ISREG(status.st_mode) and status.st_mode & 0o077:
        raise ConfigurationError(
            "env-file-open",
            f"{path} holds passwords and other users of this machine may read it",
            help=f"chmod 600 {path}",
        )
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise ConfigurationError(
                "duplicate-key",
                f"{key} is given twice in {path}",
                help="keep one of the lines; which one would win is not obvious",
            )
        seen.add(key)
    return {key: value for key, value in pairs if value is not None}
