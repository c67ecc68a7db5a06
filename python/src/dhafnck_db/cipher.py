"""Encryption of dumps for a recipient, by GnuPG or age.

It never sees a passphrase, and it never writes a plain copy.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from dhafnck_db.errors import TargetError
from dhafnck_db.settings import Settings

GPG, AGE = ".gpg", ".age"


def suffix(recipient: str | None) -> str:
    """Return what the name of a dump for this recipient ends with."""
    if recipient is None:
        return ""
    return AGE if recipient.startswith("age1") else GPG


def encrypting(recipient: str) -> list[str]:
    """Return the command that encrypts its input for a recipient.

    A fingerprint names one key, so that the trust that GnuPG has in its owner is not asked for.

    Raises:
        TargetError: the program is not installed.
    """
    if suffix(recipient) == AGE:
        return [_program("age"), "--encrypt", "--recipient", recipient]
    options = ["--batch", "--no-tty", "--quiet", "--trust-model", "always"]
    return [_program("gpg"), *options, "--encrypt", "--recipient", recipient]


def decrypting(dump: Path, settings: Settings) -> list[str]:
    """Return the command that decrypts its input, which is this dump.

    Raises:
        TargetError: the program is not installed, or the age identity is not named.
    """
    if dump.suffix != AGE:
        return [_program("gpg"), "--batch", "--no-tty", "--quiet", "--decrypt"]
    if settings.db_backup_identity is None:
        raise TargetError(
            "key-missing",
            f"{dump} is encrypted with age, and no identity is named",
            help="name its file in DB_BACKUP_IDENTITY",
        )
    return [_program("age"), "--decrypt", "--identity", str(settings.db_backup_identity)]


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise TargetError(
            "cipher-missing", f"no program {name}", help=f"install the package {name}"
        )
    return found
