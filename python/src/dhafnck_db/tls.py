"""What TLS a connection has, and why a server's certificate was refused.

It never sends a login: to find a reason it shakes hands and hangs up.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from psycopg2.extensions import connection as DriverConnection

from dhafnck_db.endpoints import Endpoint

SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # PostgreSQL's protocol, "SSLRequest"
PATIENCE = 2.0  # seconds for a second look at a certificate


class Session(NamedTuple):
    """The TLS of a connection."""

    protocol: str
    cipher: str


def session(driver: DriverConnection) -> Session | None:
    """Return the TLS that a connection has, or None where it has none. Read-only."""
    info = driver.info
    if not info.ssl_in_use:
        return None
    return Session(str(info.ssl_attribute("protocol")), str(info.ssl_attribute("cipher")))


def certificate_end(endpoint: Endpoint) -> float | None:
    """Return when a server's certificate ends, in seconds since 1970.

    libpq does not tell. Connects once more, without a login. Returns None where the certificate is
    not verified, or nothing could be found.
    """
    try:
        with _handshake(endpoint) as shaken:
            found = shaken.getpeercert() if shaken else None
    except OSError:
        return None
    return ssl.cert_time_to_seconds(str(found["notAfter"])) if found else None


def certificate_fault(endpoint: Endpoint) -> int | None:
    """Return OpenSSL's number for what is wrong with a server's certificate.

    libpq says no more than "certificate verify failed". Connects once more, without a login.
    Returns None where the certificate is in order, or nothing could be found.
    """
    try:
        with _handshake(endpoint):
            return None
    except ssl.SSLCertVerificationError as refused:
        return refused.verify_code
    except OSError:
        return None


@contextmanager
def _handshake(endpoint: Endpoint) -> Iterator[ssl.SSLSocket | None]:
    """Shake hands as far as TLS; None where there is nothing to verify by, or no TLS."""
    roots, url = endpoint.sslrootcert, endpoint.url
    if roots is None or not url.host or url.host.startswith("/"):
        yield None
        return
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # of a wrong name libpq tells by itself
    context.load_verify_locations(roots)
    where = (endpoint.address or url.host, url.port or 5432)
    with socket.create_connection(where, PATIENCE) as plain:
        plain.sendall(SSL_REQUEST)
        if plain.recv(1) != b"S":
            yield None
            return
        with context.wrap_socket(plain, server_hostname=url.host) as shaken:
            yield shaken
