"""Development against what stands in for a Supabase project: nothing but expected differences."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT, Ended, Server, configuration
from fix_prod import REF
from pydantic import SecretStr
from sqlalchemy import URL, Connection, NullPool, create_engine
from test_parity_command import env_file

from dhafnck_db import schema, scratch
from dhafnck_db.session import open_session
from dhafnck_db.settings import Settings
from dhafnck_db.target import resolve

Run = Callable[..., Ended]
VENDOR = ROOT / "roles" / "supabase_standin" / "files" / "vendor.sql"
SUPERUSER = "supabase_admin"
DECLARED = """
[[expected]]
kind = "setting"
name = "wal_level"
reason = "neither server streams: they live as long as the tests"
"""


def as_role(url: str, role: str) -> str:
    """The URL of another role, whom the server takes without a password too."""
    return url.replace(f"//{scratch.SUPERUSER}@", f"//{role}@")


@contextmanager
def speaking(url: str) -> Iterator[Connection]:
    url = url.replace("postgresql:", "postgresql+psycopg2:")
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection


@pytest.fixture(scope="module")
def project(server: Server) -> Iterator[dict[str, str]]:
    """The variables of a project at head, in a server that has what the vendor's has."""
    settings = Settings(database_type="postgresql", db_client_bin=server.bin)
    with scratch.server(settings, server.major) as running:
        with speaking(running.url("postgres")) as superuser:
            superuser.exec_driver_sql(f"CREATE ROLE {SUPERUSER} SUPERUSER LOGIN")
        with speaking(as_role(running.url("postgres"), SUPERUSER)) as superuser:
            superuser.exec_driver_sql(VENDOR.read_text())
        url = as_role(running.url("postgres"), "postgres")
        made = resolve(settings.model_copy(update={"database_url": SecretStr(url)}))
        with open_session(made) as connection:
            schema.upgrade(connection, made)
        with speaking(url) as owner:
            owner.exec_driver_sql(
                "UPDATE dhafnck.identity SET environment = 'prod', reference = %s", (REF,)
            )
        yield {
            "DATABASE_TYPE": "supabase",
            "DATABASE_URL": url,
            "DB_SSLMODE": "disable",
            "SUPABASE_URL": f"https://{REF}.supabase.co",
        }


@pytest.fixture
def sides(tmp_path: Path, shared: URL, project: dict[str, str]) -> Path:
    """The env files of a development database and of the project, and what is declared of them."""
    env_file(tmp_path / ".env.dev", configuration(shared))
    env_file(tmp_path / ".env.prod", project)
    (tmp_path / "declared.toml").write_text(DECLARED)
    return tmp_path


def test_nothing_but_what_is_expected_differs(sides: Path, run: Run) -> None:
    ended = run("parity", "--expected", "declared.toml", "--format", "json", env={})
    result = json.loads(ended.out)
    assert [found for found in result["differences"] if found["class"] != "expected"] == []
    assert (ended.code, result["clean"]) == (0, True)
    expected = {found["name"] for found in result["differences"]}
    assert {"(owner)", "statement_timeout"} <= expected  # so it is the vendor's that was compared
    assert all(found["reason"] for found in result["differences"])


def test_the_vendors_own_is_never_looked_at(sides: Path, run: Run, project: dict[str, str]) -> None:
    out = run("snapshot", env=project).out
    for name in ("auth.users", "storage.objects", "realtime.messages", "supabase_auth_admin"):
        assert name not in out


@pytest.mark.parametrize(
    ("change", "undo", "name"),
    [
        ("CREATE TABLE public.stray (id int)", "DROP TABLE public.stray", "public.stray"),
        (
            "ALTER TABLE public.tasks ALTER title SET DEFAULT 'x'",
            "ALTER TABLE public.tasks ALTER title DROP DEFAULT",
            "public.tasks.title",
        ),
        (
            "GRANT SELECT ON public.tasks TO anon",
            "REVOKE SELECT ON public.tasks FROM anon",
            "TABLE public.tasks TO anon",
        ),
    ],
)
def test_change_by_hand_in_the_project_is_found(
    sides: Path, run: Run, project: dict[str, str], change: str, undo: str, name: str
) -> None:
    with speaking(project["DATABASE_URL"]) as owner:
        owner.exec_driver_sql(change)
        ended = run("parity", "--expected", "declared.toml", "--format", "json", env={})
        owner.exec_driver_sql(undo)
    assert ended.code == 6
    found = [one for one in json.loads(ended.out)["differences"] if one["class"] != "expected"]
    assert [(one["class"], one["name"]) for one in found] == [("breaks", name)]


def test_project_has_no_drift(server: Server, run: Run, project: dict[str, str]) -> None:
    ended = run("schema", "drift", env={**project, "DB_CLIENT_BIN": str(server.bin)})
    assert ended.code == 0, ended


def test_more_than_what_is_expected_is_no_longer_expected(
    sides: Path, run: Run, project: dict[str, str]
) -> None:
    with speaking(project["DATABASE_URL"].replace("postgres@", f"{SUPERUSER}@")) as superuser:
        superuser.exec_driver_sql("GRANT CREATE ON SCHEMA public TO anon")
        ended = run("parity", "--expected", "declared.toml", "--format", "json", env={})
        superuser.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM anon")
    found = [one for one in json.loads(ended.out)["differences"] if one["class"] != "expected"]
    assert [(one["name"], one["to"]) for one in found] == [
        ("SCHEMA public TO anon", "CREATE, USAGE")
    ]
