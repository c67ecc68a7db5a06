"""Backups to try things with: a database with rows, its folder, and a key to encrypt for."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import Ended, Server, configuration
from fix_schema import execute
from sqlalchemy import URL

Run = Callable[..., Ended]

FOLDER = ".local/backups"
PROGRAM = str(Path(sys.executable).with_name("dhafnck-db"))


@pytest.fixture
def filled(at_head: URL, client_fits: None) -> URL:
    """A database at head with some rows of projects and users."""
    execute(
        at_head,
        "INSERT INTO projects (id, name, user_id) "
        "SELECT gen_random_uuid(), 'project ' || n, 'me' FROM generate_series(1, 40) AS n",
        "INSERT INTO users (id, email, username, password_hash, full_name) "
        "SELECT gen_random_uuid(), n || '@people.example', 'person' || n, 'secret' || n, "
        "'Full Name ' || n FROM generate_series(1, 5) AS n",
    )
    return at_head


@pytest.fixture(scope="session")
def client_fits(server: Server) -> None:
    """Leave out, by name, what needs a pg_dump of the server's version where there is none."""
    if not Path(f"/usr/lib/postgresql/{server.major}/bin/pg_dump").exists():
        pytest.skip(f"no pg_dump {server.major}: test_backup.py has the refusal")


@pytest.fixture
def dump(filled: URL, tmp_path: Path, run: Run) -> Path:
    """The first backup of the filled database."""
    return make(run, filled, tmp_path)


def make(run: Run, url: URL, directory: Path, **more: str) -> Path:
    """Make a backup in the folder and return it."""
    before = set((directory / FOLDER).glob("*.dump*"))
    ended = run("backup", "create", env=configuration(url, **more))
    assert ended.code == 0, ended.err
    made = set((directory / FOLDER).glob("*.dump*")) - before
    (path,) = {path for path in made if path.suffix != ".json"}
    return path.relative_to(directory)


@pytest.fixture
def recipient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The fingerprint of a key in a keyring of its own."""
    home = Path(tempfile.mkdtemp(prefix="gpg-"))  # not tmp_path: its socket's path has to be short
    monkeypatch.setenv("GNUPGHOME", str(home))
    options = ["--batch", "--quiet", "--passphrase", "", "--quick-generate-key", "backup@test"]
    subprocess.run(["gpg", *options], check=True, capture_output=True)
    listed = subprocess.run(["gpg", "--list-keys", "--with-colons"], capture_output=True, text=True)
    yield next(line.split(":")[9] for line in listed.stdout.splitlines() if line[:4] == "fpr:")
    subprocess.run(["gpgconf", "--kill", "all"], capture_output=True)
    shutil.rmtree(home, ignore_errors=True)
