"""Install the collections of requirements.yml into .collections.

They are taken from the `ansible` wheel of collections.lock, which holds the very files that Galaxy
serves. Where the wheel cannot be had, or does not satisfy requirements.yml, Galaxy is asked.
"""

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / ".collections"
PACKAGE = "ansible_collections"


def main() -> None:
    requirements = yaml.safe_load((ROOT / "requirements.yml").read_text())
    folders = [
        f"{PACKAGE}/{collection['name'].replace('.', '/')}/"
        for collection in requirements["collections"]
    ]
    with tempfile.TemporaryDirectory() as folder:
        if download(folder):
            unpack(Path(folder), folders)
    # Says "nothing to do", and asks nobody, when what is there satisfies requirements.yml.
    galaxy = ["ansible-galaxy", "collection", "install", "--requirements-file", "requirements.yml"]
    done = subprocess.run(
        [*galaxy, "--collections-path", str(TARGET)], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"the collections of requirements.yml cannot be had:\n{done.stderr}")


def download(folder: str) -> bool:
    """Fetch the wheel without its dependencies; return whether it could be had."""
    command = ["pip", "download", "-qq", "--disable-pip-version-check", "--no-deps"]
    options = ["--require-hashes", "--requirement", "collections.lock", "--dest", folder]
    return subprocess.run([sys.executable, "-m", *command, *options], cwd=ROOT).returncode == 0


def unpack(folder: Path, folders: list[str]) -> None:
    """Unpack the given folders of the wheel into .collections."""
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            names = [name for name in archive.namelist() if name.startswith(tuple(folders))]
            archive.extractall(TARGET, names)


if __name__ == "__main__":
    main()
