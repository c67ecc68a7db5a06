"""The UUID that the application makes of a name, made in two ways.

Both do as `uuid.uuid5` does, in less than half its time: some files have a million of them. The
load takes the one, its proof the other, so that a fault of either shows.
"""

from __future__ import annotations

import hashlib
from uuid import NAMESPACE_DNS

# Version 5 and the variant of RFC 4122 stand in the upper bits of two digits of the hash,
_VARIANT = {f"{digit:x}": "89ab"[digit & 3] for digit in range(16)}
# which are these bits of the number.
_KEPT = (1 << 128) - 1 - (0b1111 << 76) - (0b11 << 62)
_SET = 5 << 76 | 0b10 << 62


def name_uuid(name: str) -> str:
    """Return the UUID that the application makes of a name which is no UUID (RFC 4122, version 5).

    It is put together from the digits of the hash.
    """
    digits = _hashed(name).hexdigest()
    version, variant = f"5{digits[13:16]}", f"{_VARIANT[digits[16]]}{digits[17:20]}"
    return f"{digits[:8]}-{digits[8:12]}-{version}-{variant}-{digits[20:32]}"


def expected_uuid(name: str) -> str:
    """Return the UUID that `name_uuid` has to return, put together from the hash as a number."""
    number = int.from_bytes(_hashed(name).digest()[:16]) & _KEPT | _SET
    digits = f"{number:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _hashed(name: str) -> hashlib._Hash:
    return hashlib.sha1(NAMESPACE_DNS.bytes + name.encode(), usedforsecurity=False)
