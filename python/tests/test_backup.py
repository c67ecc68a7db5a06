"""A dump is complete and private or not there, and a client that is too old makes none."""

import hashlib
import json
import shutil
import stat
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import PASSWORD, Ended, Server, configuration
from fix_prod import production
from fix_schema import execute, target_of
from sqlalchemy import URL

from dhafnck_db import clients

Run = Callable[..., Ended]

DUMP = ("backup", "create", "db.dump")


def refused_as_too_old(server: Server, url: URL, ended: Ended, directory: Path) -> bool:
    """Whether pg_dump is older than the server; then nothing but the refusal may have happened."""
    program = clients.program("pg_dump", target_of(url).settings)
    if clients.version(program) >= server.major:
        return False
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith(f"error[client-too-old]: {program} is older than the server")
    assert f"postgresql-client-{server.major}" in ended.err
    assert list(directory.iterdir()) == []
    return True


def fake_client(directory: Path, script: str) -> str:
    """Make a directory with a pg_dump of another kind; return it for DB_CLIENT_BIN."""
    directory.mkdir()
    program = directory / "pg_dump"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(directory)


def test_dump_is_private_complete_and_can_be_restored(
    server: Server, at_head: URL, tmp_path: Path, run: Run
) -> None:
    execute(at_head, "CREATE TABLE counted AS SELECT generate_series(1, 1000) AS number")
    ended = run(*DUMP, "--format", "json", env=configuration(at_head))
    if refused_as_too_old(server, at_head, ended, tmp_path):
        return
    file = tmp_path / "db.dump"
    size = file.stat().st_size
    assert ended == (0, f'{{"changed": true, "path": "db.dump", "bytes": {size}}}\n', "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    record = tmp_path / "db.dump.json"
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert json.loads(record.read_text())["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert sorted(tmp_path.iterdir()) == [file, record]
    settings = target_of(at_head).settings
    pg_restore = clients.program("pg_restore", settings)
    listed = subprocess.run([pg_restore, "--list", file], capture_output=True, text=True)
    assert listed.returncode == 0
    for table in ("public projects", "dhafnck identity", "legacy imports", "public counted"):
        assert f" TABLE DATA {table} " in listed.stdout

    # Back into the database it came from, without what it has lost.
    execute(at_head, "DROP TABLE counted")
    restored = subprocess.run(
        [pg_restore, "--dbname", str(at_head.database), "--table=counted", file],
        env=clients.environment(target_of(at_head).backup),
        capture_output=True,
        text=True,
    )
    assert (restored.returncode, restored.stderr) == (0, "")
    assert execute(at_head, "SELECT count(*), sum(number) FROM counted") == [(1000, 500500)]


def test_dump_of_production_leaves_the_vendors_schemas_out(
    server: Server, prod: URL, tmp_path: Path, run: Run
) -> None:
    with closing(server.connect(str(prod.database))) as superuser, superuser.cursor() as cursor:
        cursor.execute("CREATE SCHEMA storage CREATE TABLE objects ()")  # closed to the owner
    ended = run(*DUMP, env=production(prod))
    if refused_as_too_old(server, prod, ended, tmp_path):
        return
    assert ended.code == 0, ended.err
    pg_restore = clients.program("pg_restore", target_of(prod).settings)
    command = [str(pg_restore), "--list", str(tmp_path / "db.dump")]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert " TABLE DATA public projects " in listed
    assert " TABLE DATA dhafnck identity " in listed
    assert "storage" not in listed


@pytest.mark.parametrize("there", ["db.dump", "db.dump.json", "db.dump.partial"])
def test_file_that_is_there_is_kept(shared: URL, tmp_path: Path, run: Run, there: str) -> None:
    (tmp_path / there).write_text("of another run")
    ended = run(*DUMP, env=configuration(shared))
    if ended.code == 5:  # what is there comes first only if it is the file itself
        assert (there, "client-too-old" in ended.err) == ("db.dump.partial", True)
    else:
        code = "file-unwritable" if there == "db.dump.partial" else "file-exists"
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"error[{code}]: ")
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "of another run"


def test_directory_that_is_missing_is_named(
    server: Server, shared: URL, tmp_path: Path, run: Run
) -> None:
    ended = run("backup", "create", "no/db.dump", env=configuration(shared))
    if refused_as_too_old(server, shared, ended, tmp_path):
        return
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error[file-unwritable]: cannot create no/db.dump.partial\n")


def test_failed_dump_leaves_no_file(server: Server, at_head: URL, tmp_path: Path, run: Run) -> None:
    with closing(server.connect(str(at_head.database))) as superuser, superuser.cursor() as cursor:
        cursor.execute("CREATE TABLE public.closed (id int)")  # the owner may not read it
    ended = run(*DUMP, env=configuration(at_head))
    if refused_as_too_old(server, at_head, ended, tmp_path):
        return
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("error[dump-failed]: pg_dump of ")
    assert "permission denied for table closed" in ended.err
    assert PASSWORD not in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("echo 'pg_dump (PostgreSQL) 14.9 (Debian 14.9-1)'", "client-too-old"),
        ("echo 'no such container' >&2; exit 1", "client-broken"),
        ("echo nonsense", "client-broken"),
    ],
)
def test_client_that_cannot_do_it_is_refused(
    shared: URL, tmp_path: Path, run: Run, script: str, code: str
) -> None:
    programs = fake_client(tmp_path / "bin", script)
    ended = run(*DUMP, env=configuration(shared, DB_CLIENT_BIN=programs))
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith(f"error[{code}]: {programs}/pg_dump ")
    assert not list(tmp_path.glob("db.dump*"))


def test_client_that_is_not_there_is_named(shared: URL, tmp_path: Path, run: Run) -> None:
    programs = fake_client(tmp_path / "bin", "exit 0")
    (tmp_path / "bin" / "pg_dump").chmod(0o644)
    ended = run(*DUMP, env=configuration(shared, DB_CLIENT_BIN=programs))
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("error[client-missing]: no program pg_dump\n")


def test_password_is_in_no_command_line_while_it_runs(
    server: Server, shared: URL, tmp_path: Path, run: Run
) -> None:
    seen: list[str] = []
    with closing(server.connect(str(shared.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE projects")  # pg_dump waits for it

        def look() -> None:
            for _ in range(400):
                found = [line for line in command_lines() if "--format=custom" in line]
                if found:
                    seen.extend(command_lines())
                    break
                time.sleep(0.01)
            other.close()

        thread = threading.Thread(target=look)
        thread.start()
        ended = run(*DUMP, env=configuration(shared))
        thread.join()
    if refused_as_too_old(server, shared, ended, tmp_path):
        return
    assert ended.code == 0
    assert any("pg_dump" in line for line in seen)
    for secret in (PASSWORD, quote(PASSWORD), quote(PASSWORD, safe=" +")):
        assert not [line for line in seen if secret in line]


def command_lines() -> list[str]:
    """The command line of every process of this machine."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it has ended
    return found


def test_dump_can_be_made_by_whoever_finds_pg_dump_on_the_path(
    shared: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "INSTALLED", tmp_path)
    found = shutil.which("pg_dump")
    assert str(clients.program("pg_dump", target_of(shared).settings)) == found
