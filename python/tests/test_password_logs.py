"""A server that logs every statement holds no password after the role that gives them has run."""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from conftest import ACCESS, PASSWORD, ROOT, SUPERUSER, Server
from sqlalchemy import URL

Configure = Callable[[dict[str, str]], None]

LOGIN, CANARY = "logged_owner", "canary-5d1f"


@pytest.fixture
def superuser(server: Server, database: URL) -> Iterator[psycopg2.extensions.cursor]:
    """A session of the superuser; the role that the test makes is dropped."""
    name = str(database.database)
    with closing(server.connect(name)) as connection, connection.cursor() as cursor:
        yield cursor
        cursor.execute(f"DROP ROLE IF EXISTS {LOGIN}")


def play(server: Server, passfile: Path) -> str:
    """A play of the role alone; a password is data to Ansible, no template."""
    unsafe = {"superuser_password": PASSWORD, "owner_password": CANARY}
    lines = [f"        postgres_access_{k}: !unsafe {json.dumps(v)}" for k, v in unsafe.items()]
    return "\n".join(
        [
            "- hosts: localhost",
            "  connection: local",
            "  gather_facts: false",
            "  tasks:",
            "    - ansible.builtin.include_role:",
            f"        name: {ACCESS}",
            "      vars:",
            '        ansible_python_interpreter: "{{ ansible_playbook_python }}"',
            f"        postgres_access_port: {server.port}",
            f"        postgres_access_passfile: {passfile}",
            f"        postgres_access_owner: {LOGIN}",
            "        postgres_access_databases: []",
            *lines,
        ]
    )


def read_log(log: Path, start: int, until: str) -> str:
    """What the log got since; the server writes it a moment after it answered."""
    for _ in range(100):
        said = log.read_bytes()[start:].decode(errors="replace")
        if until in said:
            return said
        time.sleep(0.05)
    raise AssertionError(f"the log never said {until}")


def test_password_is_in_no_log_of_the_server(
    configure: Configure, tmp_path: Path, server: Server, superuser: psycopg2.extensions.cursor
) -> None:
    configure({})
    superuser.execute("SELECT extensions.pg_stat_statements_reset()")
    log = server.data / "log" / "server.log"
    start = log.stat().st_size
    # The right password, written otherwise: the role takes it for a changed one, and gives it anew.
    escaped = "".join(f"\\{letter}" for letter in PASSWORD)
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"127.0.0.1:{server.port}:*:{SUPERUSER}:{escaped}\n")
    passfile.chmod(0o600)
    (tmp_path / "play.yml").write_text(play(server, passfile))
    ended = subprocess.run(
        [
            Path(sys.executable).with_name("ansible-playbook"),
            "-i",
            "localhost,",
            tmp_path / "play.yml",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    superuser.execute("SELECT rolcanlogin FROM pg_authid WHERE rolname = %s", (LOGIN,))
    assert superuser.fetchone() == (True,)

    said = read_log(log, start, until="FROM pg_authid WHERE rolname")
    superuser.execute("SELECT string_agg(query, ' ') FROM extensions.pg_stat_statements")
    (kept,) = superuser.fetchone() or ("",)
    for found in (said, kept):
        assert "pg_authid" in found  # it does hold what others said
        assert CANARY not in found
        assert "ENCRYPTED PASSWORD" not in found
