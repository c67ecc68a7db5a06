"""A file of root certificates: whether it can be used, and whether it holds the vendor's roots.

It never fetches anything; provisioning does.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dhafnck_db.endpoints import DOWNLOADED_ROOTS, VERIFIED, Endpoint
from dhafnck_db.errors import ConfigurationError

# SHA-256 of the files as Supabase publishes them (dashboard, database settings, SSL configuration).
# Both roots have the same name and different keys.
VENDOR_ROOTS = {
    "700723581420dd1ac98fd7e9ac529f0ef210eadcaf87fc868a3ad7d114c2f3b7": "prod-ca-2021",
    "5865d2b26f6128e5795a13ae58b6543599bdb82d808f7f62e3c9a8d7e8527970": "prod-ca-2025",
}
_BLOCK = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True)
class Roots:
    """The certificates of a file."""

    vendor: tuple[str, ...]  # names of the vendor's roots among them
    others: int  # certificates that are none of the vendor's
    expires: float  # seconds since 1970, of the one that lasts longest

    def __str__(self) -> str:
        parts = [*self.vendor, *([f"{self.others} of your own"] if self.others else [])]
        return ", ".join(parts)


def read(path: Path, vendor: Mapping[str, str] = VENDOR_ROOTS) -> Roots:
    """Return what a file of PEM certificates holds. Read-only.

    Args:
        path: the file, one certificate or several.
        vendor: SHA-256 of each of the vendor's files, with its name.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no certificate, or a broken one.
    """
    blocks = _BLOCK.findall(path.read_text(encoding="ascii", errors="replace"))
    if not blocks:
        raise ValueError("no certificate in PEM form")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(cadata="\n".join(blocks))
    except (ssl.SSLError, ValueError):  # an SSLError is an OSError: as if it could not be read
        raise ValueError("a broken certificate") from None
    # A published file is one block and a line's end; the end may have got lost in a bundle.
    sums = [hashlib.sha256(_published(block)).hexdigest() for block in blocks]
    ends = [ssl.cert_time_to_seconds(str(found["notAfter"])) for found in context.get_ca_certs()]
    return Roots(
        vendor=tuple(vendor[found] for found in sums if found in vendor),
        others=sum(found not in vendor for found in sums),
        expires=max(ends, default=float("inf")),
    )


def require_usable(endpoint: Endpoint, vendor: Mapping[str, str] = VENDOR_ROOTS) -> Roots | None:
    """Refuse an endpoint that would be verified by a file which cannot do that. Read-only.

    The downloaded file may hold the vendor's roots alone; a file that the user names may hold any.
    Returns None where nothing is verified, or where libpq's own place for the file is used.

    Raises:
        ConfigurationError: the file is missing, unreadable, broken, expired or not the vendor's.
    """
    path = endpoint.sslrootcert
    if path is None or endpoint.sslmode != VERIFIED:
        return None
    downloaded = path == DOWNLOADED_ROOTS
    # The path that a user gave is a value, and no error shows one.
    name = str(path) if downloaded else "the file of root certificates (DB_SSLROOTCERT)"
    help = (
        f"remove {path}: the next run of prod.yml fetches it anew"
        if downloaded
        else "name the certificate from the dashboard: database settings, SSL configuration"
    )
    try:
        roots = read(path, vendor)
    except (OSError, ValueError) as failure:
        reason = failure.strerror if isinstance(failure, OSError) else str(failure)
        raise ConfigurationError(
            "certificate-unreadable", f"cannot use {name}", cause=reason, help=help
        ) from None
    if roots.expires < time.time():
        raise ConfigurationError("certificate-expired", f"{name} has expired", help=help)
    if downloaded and (roots.others or not roots.vendor):
        raise ConfigurationError(
            "certificate-foreign", f"{name} holds a certificate that is not Supabase's", help=help
        )
    return roots


def _published(block: str) -> bytes:
    return (block.replace("\r\n", "\n") + "\n").encode()
