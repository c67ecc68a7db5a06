"""migrate.yml and rollback.yml run whole: the env file follows the data, and never runs ahead."""

import json
import os
import re
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from conftest import OWNER, PASSWORD, Server, copy_of
from fix_schema import execute
from sqlalchemy import URL

from dhafnck_db.legacy.sample import write_sample

ROOT = Path(__file__).resolve().parents[2]
BEFORE = "DATABASE_TYPE=sqlite\nMCP_DB_PATH=/app/old.db\nSECRET_KEY=of-the-application\n"


@dataclass(frozen=True)
class Ended:
    """How a playbook ended: exit code, what it printed, and how many tasks changed something."""

    code: int
    shown: str

    @property
    def changed(self) -> int:
        counted = re.search(r"\bchanged=(\d+)", self.shown)
        assert counted, self.shown
        return int(counted[1])

    @property
    def said(self) -> str:
        """What it printed, however the lines were broken."""
        return " ".join(self.shown.split())


@dataclass(frozen=True)
class Place:
    """A checkout's state beside a database, and the playbooks run on them."""

    folder: Path
    database: URL

    @property
    def env_file(self) -> Path:
        return self.folder / ".env.dev"

    @property
    def previous(self) -> Path:
        return self.folder / ".env.dev.previous"

    @property
    def kept(self) -> list[Path]:
        return sorted((self.folder / "state" / "backups").glob("*.db"))

    @property
    def imports(self) -> list[tuple[int]]:
        return execute(self.database, "SELECT count(*)::int FROM legacy.imports")

    def play(self, *options: str, playbook: str = "migrate", **variables: Any) -> Ended:
        """Run a playbook from the folder of the env file, where an application would stand."""
        given = {
            "dev_state": str(self.folder / "state"),
            "dev_host": "127.0.0.1",
            "dev_port": self.database.port,
            "dev_owner": OWNER,
            "dev_database": self.database.database,
            "database_env_path": str(self.env_file),
            **variables,
        }
        path = ROOT / "playbooks" / f"{playbook}.yml"
        done = subprocess.run(
            ["ansible-playbook", path, *options, "--extra-vars", json.dumps(given)],
            cwd=self.folder,
            env={**os.environ, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg")},
            capture_output=True,
            text=True,
        )
        assert PASSWORD not in done.stdout + done.stderr
        return Ended(done.returncode, done.stdout + done.stderr)

    def files(self) -> dict[str, tuple[int, bytes]]:
        """Every file with its inode: one that is written anew is another one."""
        return {
            str(file.relative_to(self.folder)): (file.stat().st_ino, file.read_bytes())
            for file in self.folder.rglob("*")
            if file.is_file()
        }


@pytest.fixture(scope="module")
def place(
    server: Server, surface: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    """An application with its settings for SQLite, its file, and an empty database."""
    with copy_of(surface, server) as database:
        yield make_place(tmp_path_factory.mktemp("place"), database)


@pytest.fixture
def other(database: URL, tmp_path: Path) -> Place:
    """Another one, for a single test."""
    return make_place(tmp_path, database)


def make_place(folder: Path, database: URL) -> Place:
    write_sample(folder / "old.db")
    secrets = folder / "state" / "secrets"
    secrets.mkdir(parents=True)
    for name in ("owner", "postgres"):
        (secrets / name).write_text(PASSWORD + "\n")
    passfile = folder / "state" / "pgpass"
    passfile.touch(mode=0o600)
    escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
    passfile.write_text(f"127.0.0.1:{database.port}:*:{OWNER}:{escaped}\n")
    made = Place(folder, database)
    made.env_file.write_text(BEFORE)
    made.env_file.chmod(0o644)
    return made


def spoil(place: Place) -> None:
    """Let the file hold a value that cannot be carried exactly, in a row that another refers to."""
    with closing(sqlite3.connect(place.folder / "old.db")) as connection:
        connection.execute("UPDATE tasks SET created_at = 'yesterday' WHERE rowid = 1")
        connection.commit()


def test_check_mode_says_what_would_go_where_and_changes_nothing(place: Place) -> None:
    before = place.files()
    ended = place.play("--check", "--diff", sqlite_import_file=str(place.folder / "old.db"))
    assert ended.code == 0, ended.shown
    assert "would import" in ended.shown
    assert re.search(r"tasks +3 +public\.tasks", ended.shown)
    assert "of-the-application" not in ended.shown
    assert ended.changed > 0
    assert place.files() == before


def test_env_file_is_switched_once_the_data_is_there(place: Place) -> None:
    ended = place.play(sqlite_import_file=str(place.folder / "old.db"))
    assert ended.code == 0, ended.shown
    assert place.imports == [(1,)]
    assert "DATABASE_TYPE='postgresql'" in place.env_file.read_text()
    assert place.previous.read_text() == BEFORE
    for file in (place.env_file, place.previous, *place.kept):
        assert file.stat().st_mode & 0o777 == 0o600
    assert [file.read_bytes() for file in place.kept] == [(place.folder / "old.db").read_bytes()]
    assert str(place.kept[0]) in ended.shown
    assert not list(place.folder.glob(".env.dev.new"))


def test_again_it_changes_nothing(place: Place) -> None:
    before = place.files()
    for options in ((), ("--check",)):
        ended = place.play(*options, sqlite_import_file=str(place.folder / "old.db"))
        assert (ended.code, ended.changed) == (0, 0), ended.shown
        assert place.files() == before


def test_file_that_the_role_writes_anew_leaves_the_kept_one(place: Place) -> None:
    ended = place.play(sqlite_import_file=str(place.folder / "old.db"), dev_test_database="other")
    assert ended.code == 0, ended.shown
    assert "/other'" in place.env_file.read_text()
    assert place.previous.read_text() == BEFORE


def test_rollback_in_check_mode_changes_nothing(place: Place) -> None:
    before = place.files()
    ended = place.play("--check", playbook="rollback")
    assert (ended.code, ended.changed) == (0, 2), ended.shown
    assert "would be the file from before the switch" in ended.said
    assert place.files() == before


def test_rollback_puts_the_file_back_and_leaves_the_data(place: Place) -> None:
    ended = place.play(playbook="rollback")
    assert ended.code == 0, ended.shown
    assert "is the file from before the switch again" in ended.said
    assert place.env_file.read_text() == BEFORE
    assert not place.previous.exists()
    assert place.imports == [(1,)]


def test_rollback_is_refused_where_there_is_nothing_to_go_back_to(place: Place) -> None:
    before = place.files()
    ended = place.play(playbook="rollback")
    assert ended.code == 2
    assert f"nothing was changed: there is no {place.previous}" in ended.said
    assert place.files() == before


def test_after_a_rollback_a_run_goes_forward_again(place: Place) -> None:
    ended = place.play(sqlite_import_file=str(place.folder / "old.db"))
    assert ended.code == 0, ended.shown
    assert "DATABASE_TYPE='postgresql'" in place.env_file.read_text()
    assert place.previous.read_text() == BEFORE


def test_refused_file_is_explained_and_the_env_file_stays(other: Place) -> None:
    spoil(other)
    before = other.env_file.read_text(), other.env_file.stat().st_ino
    for options in (("--check",), ()):
        ended = other.play(*options, sqlite_import_file=str(other.folder / "old.db"))
        assert ended.code == 2
        assert "error[rejects-found]: 2 rows of" in ended.shown
        assert re.search(r"^ +tasks\[.*\]\.created_at: .* \([a-z-]+\)$", ended.shown, re.MULTILINE)
        assert '"totals"' not in ended.shown, "the command's JSON is not for people"
        assert (other.env_file.read_text(), other.env_file.stat().st_ino) == before
        assert not other.previous.exists()
    assert other.imports == [(0,)]
    assert len(other.kept) == 1, "a copy is kept before the file is judged"


def test_quarantine_is_done_with_a_warning_and_switches(other: Place) -> None:
    spoil(other)
    wanted: dict[str, Any] = {
        "sqlite_import_file": str(other.folder / "old.db"),
        "sqlite_import_quarantine": True,
        "sqlite_import_report": str(other.folder / "report.html"),
    }
    ended = other.play("--check", **wanted)
    assert ended.code == 0, ended.shown
    assert "WARNING: 2 rows would go whole into legacy.rejects" in ended.shown
    assert not (other.folder / "report.html").exists()
    ended = other.play(**wanted)
    assert ended.code == 0, ended.shown
    assert "WARNING: 2 rows are whole into legacy.rejects" not in ended.shown
    assert "WARNING: 2 rows are whole in legacy.rejects" in ended.shown
    assert re.search(r"tasks\[.*\]\.created_at", ended.shown)
    assert execute(other.database, "SELECT count(*)::int FROM legacy.rejects") == [(2,)]
    assert "DATABASE_TYPE='postgresql'" in other.env_file.read_text()
    assert "<html" in (other.folder / "report.html").read_text()
    (other.folder / "report.html").unlink()
    again = other.play(**{**wanted, "sqlite_import_report": ""})
    assert (again.code, again.changed) == (0, 0), again.shown


def test_without_an_env_file_none_is_kept_and_rollback_is_refused(other: Place) -> None:
    other.env_file.unlink()
    ended = other.play(sqlite_import_file=str(other.folder / "old.db"))
    assert ended.code == 0, ended.shown
    assert other.env_file.exists()
    assert not other.previous.exists()
    assert other.play(playbook="rollback").code == 2
    assert other.env_file.exists()


@pytest.mark.parametrize("owner", ["system", ""])
def test_check_mode_assesses_the_file_where_there_is_no_database(other: Place, owner: str) -> None:
    before = other.files()
    ended = other.play(
        "--check",
        migrate_ready=False,
        sqlite_import_file=str(other.folder / "old.db"),
        sqlite_import_owner=owner,
        dev_port=1,
    )
    assert other.files() == before
    if owner:
        assert ended.code == 0, ended.shown
        assert re.search(r"tasks +3 +public\.tasks", ended.shown)
        assert "switch the env file" in ended.shown
    else:
        assert ended.code == 2
        assert "rows have no owner" in ended.shown
