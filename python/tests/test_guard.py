"""Nothing is written to production without the project's ref, typed or given for that one run."""

import json
import os
import pty
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import PASSWORD, Ended, Server, configuration
from fix_prod import REF, no_schema_dump, production
from fix_schema import HEAD, LEFT_OPEN, NEXT, add_revision, catalog, execute, version
from sqlalchemy import URL

from dhafnck_db.session import LOCK_KEY

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]

PROGRAM = str(Path(sys.executable).with_name("dhafnck-db"))
UPGRADE = ("schema", "upgrade")
DOWNGRADE = ("schema", "downgrade", "base")


@pytest.fixture
def pending(prod: URL, checkout: Path) -> dict[str, str]:
    """The environment of a production at HEAD, with a checkout that knows NEXT."""
    add_revision(checkout, "CREATE TABLE second ()", "DROP TABLE second", LEFT_OPEN)
    return production(prod, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))


@pytest.mark.parametrize(
    ("option", "more", "code"),
    [
        ((), {}, "consent-missing"),
        (("--confirm", "yes"), {}, "consent-wrong"),
        (("--confirm", REF[:-1]), {}, "consent-wrong"),
        (("--confirm", ""), {"SUPABASE_CONFIRM": REF}, "consent-wrong"),
        ((), {"SUPABASE_CONFIRM": "other"}, "consent-wrong"),
        (("--confirm", "other"), {"SUPABASE_CONFIRM": REF}, "consent-wrong"),
    ],
)
def test_nothing_but_the_ref_is_consent(
    prod: URL,
    pending: dict[str, str],
    run: Run,
    option: tuple[str, ...],
    more: dict[str, str],
    code: str,
) -> None:
    before = catalog(prod)
    ended = run(*UPGRADE, *option, env={**pending, **more})
    assert (ended.code, ended.out) == (7, "")
    assert f"\nerror[{code}]: " in ended.err
    assert "nothing was changed" in ended.err
    assert (catalog(prod), version(prod)) == (before, HEAD)


@pytest.mark.parametrize("said", ["y\n" * 1000, f"{REF}\n", ""])
def test_what_is_piped_in_is_no_consent(
    configure: Configure, prod: URL, pending: dict[str, str], said: str
) -> None:
    before = catalog(prod)
    configure(pending)
    ended = subprocess.run([PROGRAM, *UPGRADE], input=said, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (7, "")
    assert "error[consent-missing]: " in ended.stderr
    assert (catalog(prod), version(prod)) == (before, HEAD)


def test_option_yes_does_not_exist(prod: URL, pending: dict[str, str], run: Run) -> None:
    assert run(*UPGRADE, "--yes", env=pending).code == 2
    assert version(prod) == HEAD


@pytest.mark.parametrize("way", ["option", "variable"])
def test_ref_is_consent(
    server: Server, prod: URL, pending: dict[str, str], run: Run, way: str
) -> None:
    option = ("--confirm", REF) if way == "option" else ()
    more = {"SUPABASE_CONFIRM": REF} if way == "variable" else {}
    ended = run(*UPGRADE, *option, "--format", "json", env={**pending, **more})
    if no_schema_dump(server, prod, ended):
        return
    assert (ended.code, json.loads(ended.out)["after"]) == (0, NEXT)
    assert version(prod) == NEXT


@pytest.mark.parametrize(
    ("typed", "code"), [(REF, 0), (f"  {REF} ", 0), ("yes", 7), ("", 7), (REF.upper(), 7)]
)
def test_person_at_a_terminal_is_asked(
    configure: Configure, prod: URL, typed: str, code: int
) -> None:
    configure(production(prod))
    ended = at_terminal([PROGRAM, *UPGRADE], typed)
    assert ended.code == code
    assert "type the project's ref to go on: " in ended.out
    assert ("nothing to upgrade" in ended.out) == (code == 0)
    assert ("error[consent-wrong]: " in ended.out) == (code == 7)


def at_terminal(command: list[str], typed: str) -> Ended:
    """Run a command on a terminal of its own, and type a line once it asks."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen, answered = b"", False
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        seen += part
        if b"to go on: " in seen and not answered:
            os.write(ours, f"{typed}\n".encode())
            answered = True
    os.close(ours)
    return Ended(process.wait(), seen.decode().replace("\r\n", "\n"), "")


def test_card_says_what_would_be_written_where(prod: URL, checkout: Path, run: Run) -> None:
    add_revision(checkout, "SELECT 1")
    env = production(prod, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    ended = run(*UPGRADE, env=env)
    card = dict(line.split(maxsplit=1) for line in ended.err.splitlines() if line[:2] == "  ")
    ((server_version,),) = execute(prod, "SHOW server_version")
    assert {**card, "cause:": "", "help:": ""} == {
        "command": "schema upgrade",
        "project": REF,
        "host": f"127.0.0.1:{prod.port}",
        "way": "DATABASE_URL",
        "server": f"PostgreSQL {server_version}",
        "revision": HEAD,
        "pending": NEXT,
        "cause:": "",
        "help:": "",
    }
    assert PASSWORD not in ended.err


def test_card_of_an_import_counts_the_rows(
    prod: URL, tmp_path: Path, run: Run, configure: Configure
) -> None:
    env = production(prod)
    assert run("sqlite", "sample", "old.db", env=env).code == 0
    totals = json.loads(run("sqlite", "assess", "old.db", "--format", "json", env=env).out)[
        "totals"
    ]
    ended = run("sqlite", "import", "old.db", "--owner", "me", env=env)
    assert ended.code == 7
    assert (
        f"  rows      {totals['mapped'] + totals['archived']} to write, 0 rejected\n" in ended.err
    )
    assert execute(prod, "SELECT * FROM legacy.imports") == []
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []  # no copy is kept

    ended = run("sqlite", "import", "old.db", "--owner", "me", "--confirm", REF, env=env)
    assert ended.code == 0, ended.err
    assert execute(prod, "SELECT count(*) FROM legacy.imports") == [(1,)]


def test_other_environments_are_not_asked(at_head: URL, run: Run) -> None:
    env = configuration(at_head)
    test = {**env, "TEST_DATABASE_URL": env["DATABASE_URL"]}
    assert run(*UPGRADE, env=env) == (0, f"at {HEAD}; nothing to upgrade\n", "")
    execute(at_head, "UPDATE dhafnck.identity SET environment = 'test'")
    assert run(*UPGRADE, env=test) == (0, f"at {HEAD}; nothing to upgrade\n", "")


def test_dry_run_is_not_asked_about(pending: dict[str, str], run: Run) -> None:
    for command in ((*UPGRADE, "--dry-run"), (*DOWNGRADE, "--dry-run")):
        ended = run(*command, env=pending)
        assert (ended.code, ended.err) == (0, "")


def test_nobody_holds_a_transaction_while_a_person_reads(
    server: Server, configure: Configure, prod: URL
) -> None:
    configure(production(prod))
    ours, theirs = pty.openpty()
    process = subprocess.Popen([PROGRAM, *UPGRADE], stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen = b""
    while b"to go on: " not in seen:
        seen += os.read(ours, 4096)
    query = "SELECT state FROM pg_stat_activity WHERE application_name = %s AND datname = %s"
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        time.sleep(0.1)
        cursor.execute(query, ("dhafnck-db", prod.database))
        assert cursor.fetchall() == [("idle",)]
        cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        assert cursor.fetchone() == (1,), LOCK_KEY
    process.kill()
    process.wait()
    os.close(ours)


def test_consent_in_an_env_file_is_refused(prod: URL, tmp_path: Path, run: Run) -> None:
    lines = [f"{name}='{value}'\n" for name, value in production(prod).items()]
    (tmp_path / ".env.prod").write_text("".join(lines) + f"SUPABASE_CONFIRM={REF}\n")
    (tmp_path / ".env.prod").chmod(0o600)
    ended = run(*UPGRADE, env={"DATABASE_TYPE": "supabase"})
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error[consent-in-file]: ")


def test_production_without_a_project_is_refused(prod: URL, run: Run) -> None:
    env = production(prod)
    del env["SUPABASE_URL"]
    ended = run(*UPGRADE, "--confirm", REF, env=env)
    assert ended.code == 7
    assert ended.err.startswith("error[project-unnamed]: ")


def test_psql_asks_too(configure: Configure, prod: URL) -> None:
    configure(production(prod))
    query = ("--", "-AtXc", "SELECT 1")
    given = [PROGRAM, "psql", "--confirm", REF, *query]
    ended = subprocess.run(given, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "1\n")
    piped = [PROGRAM, "psql", *query]
    ended = subprocess.run(piped, capture_output=True, text=True, input=f"{REF}\n")
    assert (ended.returncode, ended.stdout) == (7, "")
