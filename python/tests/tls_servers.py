"""Certificates, a PostgreSQL that speaks TLS with them, and servers that only pretend.

It never leaves loopback; a server is named by a host name that is never resolved (hostaddr).
"""

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from conftest import Server

HOST = "db.abcdefghijklmnopqrst.supabase.co"


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, as files."""

    certificate: Path
    key: Path


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_root(folder: Path, name: str, days: int = 30) -> Pair:
    """Make a root certificate; an authority of its own."""
    made = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    _openssl(
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days),
        "-subj", f"/CN={name}", "-keyout", made.key, "-out", made.certificate,
    )  # fmt: skip
    return made


def make_leaf(
    folder: Path,
    name: str,
    root: Pair,
    host: str,
    dates: tuple[str, str],
    *,
    authority: bool = False,
) -> Pair:
    """Make a certificate for a host, signed by a root, valid between two dates."""
    made = Pair(folder / f"{name}.crt", folder / f"{name}.key")
    request, extensions = folder / f"{name}.csr", folder / f"{name}.ext"
    state, database = folder / f"{name}.cnf", folder / f"{name}.txt"
    database.touch()
    extensions.write_text(
        f"subjectAltName = DNS:{host}\nbasicConstraints = CA:{str(authority).upper()}\n"
    )
    # `openssl ca`, unlike `openssl x509` of before 3.4, makes certificates that are over.
    state.write_text(
        "[ca]\ndefault_ca = here\n[here]\n"
        f"database = {database}\nnew_certs_dir = {folder}\nrand_serial = yes\n"
        "default_md = sha256\npolicy = any\nunique_subject = no\n[any]\ncommonName = supplied\n"
    )
    _openssl(
        "req", "-new", "-newkey", "rsa:2048", "-nodes",
        "-subj", f"/CN={host}", "-keyout", made.key, "-out", request,
    )  # fmt: skip
    _openssl(
        "ca", "-batch", "-notext", "-config", state, "-cert", root.certificate,
        "-keyfile", root.key, "-in", request, "-out", made.certificate,
        "-extfile", extensions, "-startdate", dates[0], "-enddate", dates[1],
    )  # fmt: skip
    return made


def speak_tls(server: Server, pair: Pair) -> None:
    """Let a PostgreSQL server take TLS, with this certificate."""
    owner = server.data.stat()
    for source, name in ((pair.certificate, "server.crt"), (pair.key, "server.key")):
        place = server.data / name
        shutil.copy(source, place)
        place.chmod(0o600)
        os.chown(place, owner.st_uid, owner.st_gid)
    reload(server, "ALTER SYSTEM SET ssl = on")


def reload(server: Server, *statements: str) -> None:
    """Execute statements and return once new connections have the configuration of after them."""
    loaded = "SELECT pg_conf_load_time()"
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute(loaded)
        (before,) = cursor.fetchone() or (None,)
        for statement in (*statements, "SELECT pg_reload_conf()"):
            cursor.execute(statement)
    now = before
    while now == before:
        with closing(server.connect()) as superuser, superuser.cursor() as cursor:
            cursor.execute(loaded)
            (now,) = cursor.fetchone() or (None,)


@contextmanager
def turning_tls_down() -> Iterator[int]:
    """A proxy that answers N to the request for TLS and hears what comes then; yields its port."""
    heard: list[bytes] = []

    def answer(one: socket.socket) -> None:
        one.recv(8)
        one.sendall(b"N")
        heard.append(one.recv(1))

    with _listening(answer) as port:
        yield port
    assert not any(heard), "something was sent without TLS"


@contextmanager
def refusing(message: str) -> Iterator[int]:
    """A server without TLS that ends each login with an error of these words; yields its port."""
    fields = b"SFATAL\0C28000\0M" + message.encode() + b"\0\0"
    error = b"E" + (len(fields) + 4).to_bytes(4, "big") + fields

    def answer(one: socket.socket) -> None:
        one.recv(4096)
        one.sendall(error)

    with _listening(answer) as port:
        yield port


@contextmanager
def blackhole() -> Iterator[int]:
    """A port whose packets are dropped: its queue is full, and nobody accepts; yields it."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]
        for filler in fillers:
            filler.close()


@contextmanager
def _listening(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    one, _ = listening.accept()
                except OSError:
                    return
                with closing(one):
                    one.settimeout(5)
                    with suppress(OSError):
                        answer(one)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listening.getsockname()[1]
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join()
