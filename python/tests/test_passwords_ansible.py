"""Nasty passwords work in the files that the roles write, as Ansible itself writes them."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
import yaml
from conftest import ACCESS, ROOT, Server
from logins import read_by_a_shell, url_of, user_of_psql, user_of_the_environment
from psycopg2 import sql
from sqlalchemy import URL

from dhafnck_db.env_file import read_env_file

Configure = Callable[[dict[str, str]], None]
Logins = list[dict[str, str]]

PASSFILE = ACCESS / "templates" / "pgpass.j2"
ENV_FILE = ROOT / "roles" / "database_env" / "templates" / "env.j2"
ENV_VARIABLES = ROOT / "inventories" / "dev" / "group_vars" / "dev" / "database_env.yml"
NASTY = [
    "%@:/#?&'\"\\ $",
    "p@ss:w/rd",
    "50%25",
    "$HOME ${HOME} `id` $(id) !!",
    "{{ 7 * 7 }}{% raw %}",
    "\\:\\\\:",
    "'; DROP ROLE x; --",
    " leads and trails ",
    "# pässwörd ключ 密碼 🔑",
    "[::1]&a=b+c;d,e|f<g>",
]

PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  vars_files:
    - variables.yml
  tasks:
    - ansible.builtin.template:
        src: "{{ item.src }}"
        dest: "{{ playbook_dir }}/{{ item.dest }}"
        mode: "0600"
      loop: "{{ written }}"
"""


@pytest.fixture
def logins(server: Server) -> Iterator[Logins]:
    """Roles with a nasty password each."""
    found = [{"user": f"nasty_{i}", "password": word} for i, word in enumerate(NASTY)]
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        for login in found:
            cursor.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(login["user"]), sql.Literal(login["password"])
                )
            )
        yield found
        for login in found:
            cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(login["user"])))


def variables_of_ansible(at_head: URL, logins: Logins) -> str:
    """The variables of the play: one file of each kind, with an entry for each login."""
    # The inventory knows one owner; its own expression is taken for each of the logins.
    server = yaml.safe_load(ENV_VARIABLES.read_text())["__database_env_server"]
    urls = {}
    for number in range(len(logins)):
        login = f"__postgres_access_passwords[{number}]"
        of_login = server.replace("dev_owner_password", f"{login}.password")
        url = of_login.replace("dev_owner", f"{login}.user").strip()
        urls[f"URL_{number}"] = f"{url}/{at_head.database}"
    variables = {
        "written": [
            {"src": str(PASSFILE), "dest": "pgpass"},
            {"src": str(ENV_FILE), "dest": "env"},
        ],
        "postgres_access_host": at_head.host,
        "postgres_access_port": at_head.port,
        "dev_host": at_head.host,
        "dev_port": at_head.port,
        "database_env_path": "env",
        "database_env_variables": urls,
    }
    lines = [yaml.safe_dump(variables), "__postgres_access_passwords:"]
    for entry in logins:
        # A password is data, as what a lookup returns: no template of Ansible's.
        password = json.dumps(entry["password"], ensure_ascii=False)
        lines.append(f"- {{user: {entry['user']}, password: !unsafe {password}}}")
    return "\n".join(lines)


def test_password_works_through_ansible(
    configure: Configure, tmp_path: Path, at_head: URL, logins: Logins
) -> None:
    configure({})
    (tmp_path / "variables.yml").write_text(variables_of_ansible(at_head, logins))
    (tmp_path / "play.yml").write_text(PLAY)
    ended = subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "play.yml"],
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    in_file, in_shell = read_env_file(tmp_path / "env"), read_by_a_shell(tmp_path / "env")
    for number, login in enumerate(logins):
        for found in (in_file, in_shell):
            configure({"DATABASE_URL": str(found[f"URL_{number}"]), "DB_ECHO": "0"})
            assert user_of_the_environment() == login["user"]
        url = url_of(at_head, login["user"])
        configure({"DATABASE_URL": url, "PGPASSFILE": str(tmp_path / "pgpass"), "DB_ECHO": "0"})
        assert user_of_psql() == login["user"]
