"""Any printable password works on every path: URL, Alembic, psql, pg_dump, passfile, env file."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from alembic import command
from conftest import ACCESS, OWNER, ROOT, Server, copy_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from psycopg2 import sql
from sqlalchemy import URL, Connection, text

import dhafnck_db
from dhafnck_db import clients, schema
from dhafnck_db.settings import load_settings
from dhafnck_db.target import connect_admin, current_target

Configure = Callable[[dict[str, str]], None]

LOGIN = "login"
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

characters = st.sampled_from("%@:/#?&'\"\\ $") | st.characters(
    codec="utf-8", exclude_categories=["C", "Z"]
)
passwords = st.text(characters, min_size=1, max_size=40)
# The fixtures are a server and a way to set variables: nothing that an example leaves changed.
lasting = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def place(server: Server, head_template: str) -> Iterator[URL]:
    """A database at head, as the URL of a role that each example gives another password."""
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        for statement in ("CREATE ROLE {0} LOGIN", "GRANT {1} TO {0}"):
            names = sql.Identifier(LOGIN), sql.Identifier(OWNER)
            cursor.execute(sql.SQL(statement).format(*names))
        with copy_of(head_template, server) as url:
            yield url.set(username=LOGIN, password=None)
        cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(LOGIN)))


@pytest.fixture
def set_password(server: Server) -> Iterator[Callable[[str], None]]:
    """A function that gives the role a password, in place of the one it had."""
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}")
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        yield lambda password: cursor.execute(
            statement.format(sql.Identifier(LOGIN), sql.Literal(password))
        )


@pytest.fixture
def own_logging() -> Iterator[None]:
    """Keep what Alembic's own configuration of the logs would replace."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def encoded(place: URL, password: str) -> str:
    """The URL as the guide tells to write it."""
    where = f"{place.host}:{place.port}/{place.database}"
    return f"postgresql://{LOGIN}:{quote(password, safe='')}@{where}"


def rendered(template: Path, **variables: Any) -> str:
    """What a role's template makes of the variables."""
    engine = Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701  # as Ansible does: the output is no HTML
    text = template.read_text()
    return engine.from_string(text).render(ansible_managed="by a test", **variables)


def write_private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def who(connection: Connection) -> str:
    return str(connection.scalar(text("SELECT current_user")))


def user_of_the_environment() -> str:
    engine = dhafnck_db.create_engine()
    with engine.connect() as connection:
        found = who(connection)
    engine.dispose()
    return found


def user_of_psql() -> str:
    target = current_target()
    psql = clients.program("psql", target.settings)
    ended = subprocess.run(
        [psql, "--no-password", "-AtXc", "SELECT current_user"],
        env=clients.environment(target.admin),
        capture_output=True,
        text=True,
    )
    return ended.stdout.strip() or ended.stderr


@given(password=passwords)
@settings(lasting, max_examples=25)
def test_password_works_in_a_url(
    configure: Configure,
    place: URL,
    set_password: Callable[[str], None],
    password: str,
) -> None:
    set_password(password)
    configure({"DATABASE_URL": encoded(place, password), "DB_ECHO": "0"})
    assert user_of_the_environment() == LOGIN
    target = current_target()
    with connect_admin(target) as connection:
        assert (schema.current(connection), who(connection)) == ("0001", LOGIN)


@given(password=passwords)
@settings(lasting, max_examples=10)
def test_password_works_for_alembic_typed_by_hand(
    configure: Configure,
    own_logging: None,
    place: URL,
    set_password: Callable[[str], None],
    password: str,
) -> None:
    set_password(password)
    configure({"DATABASE_URL": encoded(place, password)})
    config = schema.alembic_config(load_settings())
    config.stdout = StringIO()
    command.current(config)
    assert config.stdout.getvalue().strip() == "0001 (head)"


@given(password=passwords)
@settings(lasting, max_examples=6)
def test_password_works_for_psql_and_pg_dump(
    configure: Configure,
    server: Server,
    place: URL,
    set_password: Callable[[str], None],
    password: str,
) -> None:
    set_password(password)
    configure({"DATABASE_URL": encoded(place, password)})
    assert user_of_psql() == LOGIN
    target = current_target()
    pg_dump = clients.program("pg_dump", target.settings)
    ended = subprocess.run(
        [pg_dump, "--no-password", "--table=public.projects"],
        env=clients.environment(target.backup),
        capture_output=True,
        text=True,
    )
    if clients.version(pg_dump) < server.major:
        assert "server version mismatch" in ended.stderr  # said once it is logged in
    else:
        assert "CREATE TABLE public.projects" in ended.stdout


@given(password=passwords)
@settings(lasting, max_examples=10)
def test_password_works_in_the_passfile_of_the_role(
    configure: Configure,
    tmp_path: Path,
    place: URL,
    set_password: Callable[[str], None],
    password: str,
) -> None:
    set_password(password)
    content = rendered(
        PASSFILE,
        postgres_access_host=place.host,
        postgres_access_port=place.port,
        __postgres_access_passwords=[
            {"user": "other", "password": "x"},
            {"user": LOGIN, "password": password},
        ],
    )
    passfile = write_private(tmp_path / "pgpass", content)
    url = f"postgresql://{LOGIN}@{place.host}:{place.port}/{place.database}"
    configure({"DATABASE_URL": url, "PGPASSFILE": str(passfile), "DB_ECHO": "0"})
    assert user_of_the_environment() == LOGIN
    assert user_of_psql() == LOGIN


def read_by_a_shell(file: Path) -> dict[str, str]:
    """The variables that a shell has once it has read the file."""
    script = 'set -a; . "$1"; exec env -0'
    ended = subprocess.run(
        ["sh", "-euc", script, "sh", file],
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(line.split("=", 1) for line in ended.stdout.split("\0") if line)


@given(password=passwords)
@settings(lasting, max_examples=15)
def test_password_works_in_the_env_file_of_the_role(
    configure: Configure,
    tmp_path: Path,
    place: URL,
    set_password: Callable[[str], None],
    password: str,
) -> None:
    set_password(password)
    url = encoded(place, password)
    variables = {"DATABASE_TYPE": "postgresql", "DATABASE_URL": url, "DB_ECHO": "0"}
    content = rendered(
        ENV_FILE, database_env_path=tmp_path / ".env.dev", database_env_variables=variables
    )
    file = write_private(tmp_path / ".env.dev", content)
    configure({})
    assert user_of_the_environment() == LOGIN
    assert variables.items() <= read_by_a_shell(file).items()


PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars_files:
    - place.json
    - passwords.yml
    - {variables}
  tasks:
    - ansible.builtin.template:
        src: {passfile}
        dest: "{{{{ playbook_dir }}}}/pgpass"
        mode: "0600"
    - ansible.builtin.template:
        src: {env_file}
        dest: "{{{{ playbook_dir }}}}/env.{{{{ index }}}}"
        mode: "0600"
      loop: "{{{{ __postgres_access_passwords }}}}"
      loop_control:
        index_var: index
      vars:
        dev_owner: "{{{{ item.user }}}}"
        dev_owner_password: "{{{{ item.password }}}}"
"""


@pytest.fixture
def logins(server: Server) -> Iterator[list[dict[str, str]]]:
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


def test_password_works_through_ansible(
    configure: Configure, tmp_path: Path, place: URL, logins: list[dict[str, str]]
) -> None:
    configure({})
    # A password is data, as what a lookup returns: no template of Ansible's.
    passwords = "".join(
        f"- {{user: {login['user']}, password: !unsafe {json.dumps(login['password'], ensure_ascii=False)}}}\n"
        for login in logins
    )
    variables = {
        "postgres_access_host": place.host,
        "postgres_access_port": place.port,
        "dev_host": place.host,
        "dev_port": place.port,
        "dev_root": str(tmp_path),
        "dev_database": place.database,
        "dev_test_database": "unused",
        "dev_provider": {},
    }
    (tmp_path / "place.json").write_text(json.dumps(variables))
    (tmp_path / "passwords.yml").write_text(f"__postgres_access_passwords:\n{passwords}")
    play = PLAY.format(variables=ENV_VARIABLES, passfile=PASSFILE, env_file=ENV_FILE)
    (tmp_path / "play.yml").write_text(play)
    subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "play.yml"],
        env={**os.environ, "ANSIBLE_CONFIG": "/dev/null", "ANSIBLE_PIPELINING": "1"},
        check=True,
        capture_output=True,
    )
    for number, login in enumerate(logins):
        file = tmp_path / f"env.{number}"
        configure({"DB_ENV_FILE": str(file), "DB_ECHO": "0"})
        assert user_of_the_environment() == login["user"]
        configure({**read_by_a_shell(file), "DB_ECHO": "0"})
        assert user_of_the_environment() == login["user"]
        url = place.set(username=login["user"]).render_as_string()
        configure({"DATABASE_URL": url, "PGPASSFILE": str(tmp_path / "pgpass"), "DB_ECHO": "0"})
        assert user_of_psql() == login["user"]
