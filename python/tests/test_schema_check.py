"""What counts as a difference between a database and the models, and what never does."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from conftest import OWNER, Ended, Server, configuration
from fix_schema import HEAD, catalog, execute
from psycopg2 import sql
from sqlalchemy import URL

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]

SHOP = """
from sqlalchemy import Column, Integer, MetaData, Table

metadata = MetaData()
Table("goods", metadata, Column("id", Integer, primary_key=True), Column("price", Integer))
not_metadata = 1
"""


def make_elsewhere(server: Server, url: URL, *schemas: str) -> None:
    """Make a table and a view of the owner in schemas that are not the project's."""
    with closing(server.connect(str(url.database))) as superuser, superuser.cursor() as cursor:
        for name in schemas:
            for statement in (
                "CREATE SCHEMA IF NOT EXISTS {0}",
                "GRANT USAGE, CREATE ON SCHEMA {0} TO {1}",
                "SET ROLE {1}",
                "CREATE TABLE {0}.made_elsewhere (id int PRIMARY KEY, projects int)",
                "CREATE VIEW {0}.projects AS SELECT 1",
                "RESET ROLE",
            ):
                names = sql.Identifier(name), sql.Identifier(OWNER)
                cursor.execute(sql.SQL(statement).format(*names))


# What is changed by hand, and how it is said.
BY_HAND = {
    "CREATE TABLE by_hand (id int)": "remove_table by_hand",
    "CREATE TABLE dhafnck.beside (id int)": "remove_table dhafnck.beside",
    "DROP TABLE legacy.rejects": "add_table legacy.rejects",
    "ALTER TABLE projects ADD COLUMN more int": "remove_column projects.more",
    "ALTER TABLE projects DROP COLUMN metadata": "add_column projects.metadata",
    "ALTER TABLE projects ALTER COLUMN description DROP NOT NULL": (
        "modify_nullable projects.description: True in the database, False in the models"
    ),
    "ALTER TABLE projects ALTER COLUMN status SET DEFAULT 'x'": (
        "modify_default projects.status: 'x'::character varying in the database, "
        "active in the models"
    ),
    "ALTER TABLE legacy.imports ALTER COLUMN owner TYPE int USING 1": (
        "modify_type legacy.imports.owner: INTEGER in the database, TEXT in the models"
    ),
    "DROP INDEX ix_users_status": "add_index users.ix_users_status",
    "ALTER TABLE users DROP CONSTRAINT uq_users_email": "add_constraint users.uq_users_email",
    "ALTER TABLE subtasks DROP CONSTRAINT fk_subtasks_task_id_tasks": (
        "add_fk subtasks.fk_subtasks_task_id_tasks"
    ),
    "COMMENT ON TABLE dhafnck.identity IS 'mine'": "add_table_comment dhafnck.identity",
}


def test_every_change_by_hand_is_a_difference_said_on_a_line(at_head: URL, run: Run) -> None:
    execute(at_head, *BY_HAND)
    ended = run("schema", "check", env=configuration(at_head))
    assert (ended.code, ended.err) == (6, "")
    assert sorted(ended.out.splitlines()) == sorted(BY_HAND.values())


def test_database_that_is_not_at_head_is_a_difference(database: URL, run: Run) -> None:
    ended = run("schema", "check", env=configuration(database))
    assert (ended.code, ended.err) == (6, "")
    assert ended.out.startswith(f"at revision none, head is {HEAD}\n")


def test_database_that_is_as_the_models_say_is_none(shared: URL, run: Run) -> None:
    ended = run("schema", "check", env=configuration(shared))
    assert ended == (0, f"at head ({HEAD}), and as the models say\n", "")


def test_what_is_not_the_projects_is_never_in_a_difference(
    server: Server, at_head: URL, done: Json
) -> None:
    make_elsewhere(server, at_head, "auth", "storage", "extensions", "realtime")
    execute(at_head, 'CREATE TABLE legacy."tasks" (rowid bigint, "any thing" text)')
    result = done("schema", "check", env=configuration(at_head))
    assert result == {"changed": False, "at_head": True, "differences": []}


def test_revision_is_written_from_the_difference_alone(
    server: Server, at_head: URL, checkout: Path, done: Json
) -> None:
    make_elsewhere(server, at_head, "auth", "storage")
    execute(at_head, "ALTER TABLE projects DROP COLUMN description")
    before = catalog(at_head)
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    result = done("schema", "revision", "-m", "bring it back", env=env)
    path = Path(result["path"])
    assert (result["changed"], path.parent) == (True, checkout / "alembic" / "versions")
    assert path.name.endswith("_bring_it_back.py")
    content = path.read_text()
    # Seen from the database at hand, the column is to be added.
    assert content.count("op.") == 2
    assert 'op.add_column("projects"' in "".join(content.replace("'", '"').split())
    assert catalog(at_head) == before

    # What was written can be applied, and then nothing is left to write.
    assert done("schema", "upgrade", env=env)["before"] == HEAD
    assert done("schema", "check", env=env)["differences"] == []


def test_empty_revision_needs_no_difference(at_head: URL, checkout: Path, done: Json) -> None:
    execute(at_head, "CREATE TABLE by_hand (id int)")
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    result = done("schema", "revision", "--empty", "-m", "nothing", env=env)
    assert "by_hand" not in Path(result["path"]).read_text()


def test_revision_is_refused_where_the_database_is_behind(
    database: URL, checkout: Path, run: Run
) -> None:
    versions = set((checkout / "alembic" / "versions").iterdir())
    env = configuration(database, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    ended = run("schema", "revision", "-m", "x", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[schema-behind]")
    assert set((checkout / "alembic" / "versions").iterdir()) == versions


def test_application_brings_its_own_models(
    at_head: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    env = configuration(at_head, DB_METADATA="shop:metadata")

    def differences() -> list[str]:
        ended = run("schema", "check", "--format", "json", env=env)
        found: list[str] = json.loads(ended.out)["differences"]
        return found

    before = differences()
    assert [words.split()[0] for words in before if "goods" in words] == ["add_table"]
    assert "remove_table projects" in before
    assert not [words for words in before if "imports" in words]  # the project's own stay
    execute(at_head, "CREATE TABLE goods (id serial PRIMARY KEY)")
    after = differences()
    assert [words.split()[0] for words in after if "goods" in words] == ["add_column"]


@pytest.mark.parametrize(
    "reference", ["no_such_module:metadata", "shop:nothing", "shop:not_metadata"]
)
def test_models_that_cannot_be_loaded_are_named(
    shared: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run, reference: str
) -> None:
    (tmp_path / "shop.py").write_text(SHOP)
    monkeypatch.syspath_prepend(tmp_path)
    for command in (("schema", "check"), ("serve", "--port", "0")):
        ended = run(*command, env=configuration(shared, DB_METADATA=reference))
        assert (ended.code, ended.out) == (3, "")
        assert ended.err.startswith(f"error[metadata-missing]: DB_METADATA names {reference}")
