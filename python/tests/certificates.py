"""A certificate authority for a test, and a certificate of it for this machine."""

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Files(NamedTuple):
    authority: Path
    certificate: Path
    key: Path


def authority_and_certificate(folder: Path) -> Files:
    """Write an authority and a certificate for 127.0.0.1 with its key; all are good for a day."""
    now = datetime.now(UTC)
    keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(2)]
    names = [
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]) for name in ("test", "127.0.0.1")
    ]
    files = Files(folder / "ca.pem", folder / "cert.pem", folder / "key.pem")
    for own, is_authority, path in ((0, True, files.authority), (1, False, files.certificate)):
        certificate = (
            x509.CertificateBuilder()
            .subject_name(names[own])
            .issuer_name(names[0])
            .public_key(keys[own].public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=5))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.BasicConstraints(is_authority, None), critical=True)
            .add_extension(
                x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
                critical=False,
            )
            .sign(keys[0], hashes.SHA256())
        )
        path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        keys[1].private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files
