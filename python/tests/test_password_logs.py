"""A server that logs every statement holds no password after the role that gives them has run."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from conftest import ACCESS, PASSWORD, ROOT, SUPERUSER, Server

Configure = Callable[[dict[str, str]], None]

LOGIN, CANARY = "logged_owner", "canary-5d1f"


@pytest.fixture
def superuser(server: Server) -> Iterator[psycopg2.extensions.cursor]:
    """A session of the superuser; the role that the test makes is dropped."""
    with closing(server.connect()) as connection, connection.cursor() as cursor:
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


def test_password_is_in_no_log_of_the_server(
    configure: Configure, tmp_path: Path, server: Server, superuser: psycopg2.extensions.cursor
) -> None:
    configure({})
    superuser.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
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

    with log.open("rb") as lines:
        lines.seek(start)
        said = lines.read().decode(errors="replace")
    superuser.execute("SELECT string_agg(query, ' ') FROM pg_stat_statements")
    (kept,) = superuser.fetchone() or ("",)
    for found in (said, kept):
        assert "pg_authid" in found  # it does hold what others said
        assert CANARY not in found
        assert "ENCRYPTED PASSWORD" not in found
