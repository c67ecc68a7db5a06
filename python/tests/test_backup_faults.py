"""A dump that was killed, cut, changed or is of elsewhere never counts; the good ones survive."""

import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Ended, Server, configuration
from fix_backup import FOLDER, PROGRAM, make
from fix_schema import execute
from sqlalchemy import URL

Run = Callable[..., Ended]
Configure = Callable[[dict[str, str]], None]


def files(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / FOLDER).iterdir()} - {".lock"}


def flip(dump: Path) -> None:
    content = bytearray(dump.read_bytes())
    content[len(content) // 2] ^= 1
    dump.write_bytes(content)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (flip, "is not what was recorded"),
        (lambda dump: os.truncate(dump, dump.stat().st_size - 1), "is not what was recorded"),
        (lambda dump: dump.write_bytes(b""), "is not what was recorded"),
        (lambda dump: dump.write_bytes(b"SELECT 1;"), "is not what was recorded"),
        (lambda dump: dump.unlink(), "is gone"),
    ],
)
@pytest.mark.parametrize("command", ["verify", "drill"])
def test_damaged_dump_is_told(
    filled: URL,
    dump: Path,
    tmp_path: Path,
    run: Run,
    spoil: Callable[[Path], None],
    said: str,
    command: str,
) -> None:
    spoil(tmp_path / dump)
    ended = run("backup", command, env=configuration(filled))
    assert (ended.code, ended.out) == (6, "")
    assert ended.err.startswith(f"error[backup-damaged]: {dump} {said}\n")


def test_dump_of_elsewhere_has_no_record(filled: URL, dump: Path, tmp_path: Path, run: Run) -> None:
    (tmp_path / "other.dump").write_bytes((tmp_path / dump).read_bytes())
    for command in ("verify", "drill", "restore"):
        ended = run("backup", command, "other.dump", env=configuration(filled))
        assert ended.code == 2
        assert ended.err.startswith("error[no-record]: ")


@pytest.fixture
def blocked(server: Server, filled: URL) -> Iterator[URL]:
    """The filled database, with a lock that pg_dump waits for."""
    with closing(server.connect(str(filled.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE projects")
        yield filled


def started(tmp_path: Path) -> subprocess.Popen[bytes]:
    """Start a backup and wait until its file is there under its temporary name."""
    process = subprocess.Popen([PROGRAM, "backup", "create"], stderr=subprocess.DEVNULL)
    for _ in range(500):
        if list((tmp_path / FOLDER).glob("*.partial")):
            return process
        time.sleep(0.02)
    raise AssertionError("no dump was begun")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_backup_counts_for_nothing_and_nothing_is_pruned(
    configure: Configure, dump: Path, blocked: URL, tmp_path: Path, run: Run, number: int
) -> None:
    configure(configuration(blocked))
    before = files(tmp_path)
    process = started(tmp_path)
    process.send_signal(number)
    assert process.wait(timeout=20) != 0
    left = files(tmp_path) - before
    assert {name for name in left if not name.endswith(".partial")} == {".unfinished"}
    assert bool(left - {".unfinished"}) == (number == signal.SIGKILL)

    ended = run("backup", "prune", "--days", "0", env=configuration(blocked))
    assert ended.code == 5
    assert ended.err.startswith("error[dump-unfinished]: ")
    assert before <= files(tmp_path)
    assert json.loads(run("backup", "list", "--format", "json", env=configuration(blocked)).out)[
        "backups"
    ][0]["path"] == str(dump)


def test_next_backup_tidies_up_and_lets_prune_go_on(
    filled: URL, dump: Path, tmp_path: Path, run: Run
) -> None:
    (tmp_path / FOLDER / "killed.dump.partial").write_bytes(b"PGDMP")
    (tmp_path / FOLDER / ".unfinished").touch()
    newer = make(run, filled, tmp_path)
    assert files(tmp_path) == {path.name + end for path in (dump, newer) for end in ("", ".json")}
    assert run("backup", "prune", env=configuration(filled)).code == 0


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system with little room, in place of the folder of the backups."""
    if os.getuid() != 0:
        pytest.skip("only root can mount a small file system")
    folder = tmp_path / FOLDER
    folder.mkdir(parents=True)
    options = ["-t", "tmpfs", "-o", "size=1m", "none"]
    subprocess.run(["mount", *options, folder], check=True)
    yield folder
    subprocess.run(["umount", folder], check=True)


@pytest.mark.parametrize("room", [0, 4, 100])
def test_full_disk_leaves_what_was_there(
    small: Path, filled: URL, tmp_path: Path, run: Run, room: int
) -> None:
    first = make(run, filled, tmp_path)
    free = os.statvfs(small)
    (small / "ballast").write_bytes(b"x" * (free.f_bavail * free.f_frsize - room * 1024))
    before = files(tmp_path)
    ended = run("backup", "create", env=configuration(filled))
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("error[dump-failed]: ")
    assert "No space left on device" in ended.err
    assert files(tmp_path) - before == {".unfinished"}
    assert run("backup", "prune", "--days", "0", env=configuration(filled)).code == 5
    assert run("backup", "verify", str(first), env=configuration(filled)).code == 0


def test_server_that_is_away_lets_nothing_be_pruned(
    filled: URL, dump: Path, tmp_path: Path, run: Run
) -> None:
    away = configuration(filled.set(port=1))
    assert run("backup", "create", env=away).code == 5
    ended = run("backup", "prune", "--days", "0", env=configuration(filled))
    assert ended.err.startswith("error[dump-unfinished]: ")
    assert (tmp_path / dump).exists()


def test_two_backups_and_a_prune_at_once(
    configure: Configure, filled: URL, dump: Path, tmp_path: Path, run: Run
) -> None:
    configure(configuration(filled))
    prune = ("backup", "prune", "--days", "1", "--weeks", "0", "--months", "0")
    commands = [("backup", "create"), prune, ("backup", "create"), prune]
    running = [subprocess.Popen([PROGRAM, *command]) for command in commands]
    assert [process.wait(timeout=60) for process in running] == [0, 0, 0, 0]
    assert run(*prune, env=configuration(filled)).code == 0
    (kept,) = (tmp_path / FOLDER).glob("*.dump")
    assert re.search(r"-3\.dump$", kept.name)  # counted on, though two were made at once
    assert run("backup", "verify", env=configuration(filled)).code == 0


def test_second_backup_waits_no_longer_than_it_should(
    configure: Configure, dump: Path, blocked: URL, tmp_path: Path, run: Run
) -> None:
    configure(configuration(blocked))
    process = started(tmp_path)
    ended = run("backup", "create", env=configuration(blocked, DB_LOCK_WAIT="0"))
    assert ended.code == 5
    assert ended.err.startswith("error[folder-locked]: ")
    process.kill()
    process.wait()


def test_clock_that_was_set_back_changes_nothing(
    filled: URL, dump: Path, tmp_path: Path, run: Run
) -> None:
    """The first is dated into next year; the second is the newest all the same, and both stay."""
    place = tmp_path / f"{dump}.json"
    record = json.loads(place.read_text())
    place.write_text(json.dumps({**record, "created_at": "2099-01-01T00:00:00+00:00"}))
    newer = make(run, filled, tmp_path)
    listed = json.loads(run("backup", "list", "--format", "json", env=configuration(filled)).out)
    assert [backup["path"] for backup in listed["backups"]] == [str(newer), str(dump)]
    assert run("backup", "prune", "--days", "2", env=configuration(filled)).code == 0
    assert run("backup", "prune", "--days", "0", "--weeks", "0", "--months", "0",
               env=configuration(filled)).code == 0  # fmt: skip
    assert files(tmp_path) == {newer.name, f"{newer.name}.json"}


def test_newest_whole_backup_survives_damaged_newer_ones(
    filled: URL, dump: Path, tmp_path: Path, run: Run
) -> None:
    newer = make(run, filled, tmp_path)
    flip(tmp_path / newer)
    nothing = ("backup", "prune", "--days", "0", "--weeks", "0", "--months", "0")
    ended = run(*nothing, "--format", "json", env=configuration(filled))
    assert json.loads(ended.out)["kept"] == [str(dump)]
    flip(tmp_path / dump)
    another = make(run, filled, tmp_path)
    flip(tmp_path / another)
    ended = run(*nothing, env=configuration(filled))
    assert ended.code == 6
    assert ended.err.startswith("error[no-whole-backup]: ")
    assert {dump.name, another.name} <= files(tmp_path)


def test_backup_that_is_being_read_is_not_pruned(
    filled: URL, dump: Path, tmp_path: Path, run: Run
) -> None:
    from dhafnck_db.backup_folder import find, in_use
    from dhafnck_db.settings import Settings

    make(run, filled, tmp_path)
    prune = ("backup", "prune", "--days", "1", "--weeks", "0", "--months", "0", "--format", "json")
    with in_use(find(Settings(database_type="postgresql"), dump)):
        ended = run(*prune, env=configuration(filled))
        assert json.loads(ended.out)["in_use"] == [str(dump)]
        assert (tmp_path / dump).exists()
    assert json.loads(run(*prune, env=configuration(filled)).out)["removed"] == [str(dump)]


def test_record_is_of_the_moment_that_was_dumped(
    filled: URL, server: Server, tmp_path: Path, run: Run
) -> None:
    """What is written between the snapshot and pg_dump's start is in neither dump nor record."""
    programs = Path(f"/usr/lib/postgresql/{server.major}/bin")
    change = "DELETE FROM users"
    late = tmp_path / "bin" / "pg_dump"
    late.parent.mkdir()
    late.write_text(
        "#!/bin/sh\n"
        f'[ "$1" = --version ] || {programs}/psql -qXc "{change}" || exit 9\n'
        f'exec {programs}/pg_dump "$@"\n'
    )
    late.chmod(0o755)
    made = make(run, filled, tmp_path, DB_CLIENT_BIN=str(late.parent))
    assert execute(filled, "SELECT count(*) FROM users") == [(0,)]
    ended = run("backup", "drill", "--format", "json", env=configuration(filled))
    assert ended.code == 0, ended.err
    record = json.loads((tmp_path / f"{made}.json").read_text())
    assert record["tables"]["public.users"]["rows"] == 5


def test_hook_gets_the_dump_and_its_failure_is_told(filled: URL, tmp_path: Path, run: Run) -> None:
    hook = tmp_path / "hook"
    hook.write_text('#!/bin/sh\ncp "$1" "$2" "$(dirname "$0")"\n')
    hook.chmod(0o755)
    copied = make(run, filled, tmp_path, DB_BACKUP_HOOK="hook")
    assert (tmp_path / copied.name).read_bytes() == (tmp_path / copied).read_bytes()
    hook.write_text("#!/bin/sh\necho no such remote >&2\nexit 3\n")
    ended = run("backup", "create", env=configuration(filled, DB_BACKUP_HOOK="hook"))
    assert ended.code == 5
    assert "error[hook-failed]: " in ended.err
    assert "cause: no such remote\n" in ended.err
    assert len(list((tmp_path / FOLDER).glob("*.dump"))) == 2
