"""Any printable password works on every path: URL, Alembic, psql, pg_dump, passfile, env file."""

import logging
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from conftest import ACCESS, OWNER, ROOT, Server, copy_of
from fix_schema import HEAD
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from jinja2 import Environment
from logins import read_by_a_shell, url_of, user_of_psql, user_of_the_environment
from psycopg2 import sql
from sqlalchemy import URL

from dhafnck_db import clients, revision
from dhafnck_db.env_file import read_env_file
from dhafnck_db.target import connect_admin, current_target

Configure = Callable[[dict[str, str]], None]
SetPassword = Callable[[str], None]

LOGIN = "login"
PASSFILE = ACCESS / "templates" / "pgpass.j2"
ENV_FILE = ROOT / "roles" / "database_env" / "templates" / "env.j2"

SPECIAL = "%@:/#?&'\"\\ $"
characters = st.sampled_from(SPECIAL) | st.characters(codec="utf-8", exclude_categories=["C", "Z"])
passwords = st.text(characters, min_size=1, max_size=40)
# The fixtures are a server and a way to set variables: nothing that an example leaves changed.
lasting = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(scope="module")
def place(server: Server, head_template: str) -> Iterator[URL]:
    """A database at head, where each example gives a role another password."""
    with closing(server.connect()) as connection, connection.cursor() as cursor:
        for statement in ("CREATE ROLE {0} LOGIN", "GRANT {1} TO {0}"):
            names = sql.Identifier(LOGIN), sql.Identifier(OWNER)
            cursor.execute(sql.SQL(statement).format(*names))
        with copy_of(head_template, server) as url:
            yield url
        cursor.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(LOGIN)))


@pytest.fixture
def set_password(server: Server) -> Iterator[SetPassword]:
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


def rendered(template: Path, **variables: Any) -> str:
    """What a role's template makes of the variables."""
    engine = Environment(trim_blocks=True, keep_trailing_newline=True, autoescape=False)  # noqa: S701  # as Ansible does: the output is no HTML
    engine.filters["basename"] = lambda path: Path(path).name
    return engine.from_string(template.read_text()).render(ansible_managed="by a test", **variables)


def write_private(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


@given(password=passwords)
@example(password=SPECIAL)
@settings(lasting, max_examples=25)
def test_password_works_in_a_url(
    configure: Configure, place: URL, set_password: SetPassword, password: str
) -> None:
    set_password(password)
    configure({"DATABASE_URL": url_of(place, LOGIN, password), "DB_ECHO": "0"})
    assert user_of_the_environment() == LOGIN
    target = current_target()
    with connect_admin(target) as connection:
        assert revision.current(connection) == HEAD


@given(password=passwords)
@example(password=SPECIAL)
@settings(lasting, max_examples=10)
def test_password_works_for_alembic_typed_by_hand(
    configure: Configure,
    own_logging: None,
    place: URL,
    set_password: SetPassword,
    password: str,
) -> None:
    set_password(password)
    configure({"DATABASE_URL": url_of(place, LOGIN, password)})
    said = StringIO()
    command.current(Config(ROOT / "alembic.ini", stdout=said))
    assert said.getvalue() == f"{HEAD} (head)\n"


@given(password=passwords)
@example(password=SPECIAL)
@settings(lasting, max_examples=6)
def test_password_works_for_psql_and_pg_dump(
    configure: Configure,
    server: Server,
    place: URL,
    set_password: SetPassword,
    password: str,
) -> None:
    set_password(password)
    configure({"DATABASE_URL": url_of(place, LOGIN, password)})
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
@example(password=SPECIAL)
@settings(lasting, max_examples=10)
def test_password_works_in_the_passfile_of_the_role(
    configure: Configure, tmp_path: Path, place: URL, set_password: SetPassword, password: str
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
    url = url_of(place, LOGIN)
    configure({"DATABASE_URL": url, "PGPASSFILE": str(passfile), "DB_ECHO": "0"})
    assert user_of_the_environment() == LOGIN
    assert user_of_psql() == LOGIN


@given(password=passwords)
@example(password=SPECIAL)
@settings(lasting, max_examples=15)
def test_password_works_in_the_env_file_of_the_role(
    configure: Configure, tmp_path: Path, place: URL, set_password: SetPassword, password: str
) -> None:
    set_password(password)
    url = url_of(place, LOGIN, password)
    variables = {"DATABASE_TYPE": "postgresql", "DATABASE_URL": url, "DB_ECHO": "0"}
    content = rendered(
        ENV_FILE, database_env_path=tmp_path / ".env.dev", database_env_variables=variables
    )
    file = write_private(tmp_path / ".env.dev", content)
    configure({})
    assert user_of_the_environment() == LOGIN
    assert variables.items() <= read_by_a_shell(file).items()


@given(value=passwords)
@example(value=SPECIAL.replace("$", ""))
@example(value='$HOME `id` " !')
@settings(lasting, max_examples=25)
def test_env_file_of_the_role_gives_a_program_and_a_shell_the_same_value(
    tmp_path: Path, value: str
) -> None:
    assume(not (set("'\\") & set(value) and set("$`") & set(value)))  # which the role refuses
    variables = {"SUPABASE_DB_PASSWORD": value}
    content = rendered(
        ENV_FILE, database_env_path=tmp_path / ".env.prod", database_env_variables=variables
    )
    file = write_private(tmp_path / ".env.prod", content)
    assert read_env_file(file) == variables
    assert variables.items() <= read_by_a_shell(file).items()
