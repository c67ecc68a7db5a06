"""The UUID that the application makes of a name."""

from __future__ import annotations

import hashlib
from uuid import NAMESPACE_DNS


def name_uuid(name: str) -> str:
    """Return the UUID that the application makes of a name which is no UUID (RFC 4122, version 5).

    As `uuid.uuid5` does, three times as fast: some files have a million of them.
    """
    made = bytearray(
        hashlib.sha1(NAMESPACE_DNS.bytes + name.encode(), usedforsecurity=False).digest()[:16]
    )
    made[6] = made[6] & 0x0F | 0x50
    made[8] = made[8] & 0x3F | 0x80
    digits = made.hex()
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"
