"""The publication holds the tables that were named, and nothing else is touched for that."""

from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from conftest import OWNER, Ended, Server, configuration
from fix_schema import execute
from sqlalchemy import URL

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]


@pytest.fixture
def superuser(server: Server, at_head: URL) -> Iterator[psycopg2.extensions.cursor]:
    database = str(at_head.database)
    with closing(server.connect(database)) as connection, connection.cursor() as cursor:
        yield cursor


def published(url: URL) -> list[str]:
    query = "SELECT schemaname || '.' || tablename FROM pg_publication_tables"
    return sorted(name for (name,) in execute(url, f"{query} WHERE pubname = 'supabase_realtime'"))


def test_publishing_is_predicted_done_once_and_done_with(at_head: URL, done: Json) -> None:
    env = configuration(at_head)
    expected = {
        "changed": True,
        "created": False,
        "added": ["public.labels", "public.tasks"],
        "removed": [],
        "tables": ["public.labels", "public.tasks"],
        "elsewhere": [],
        "wal_level": "replica",
    }
    names = ("tasks", "public.labels")
    assert done("realtime", "publish", *names, "--dry-run", env=env) == expected
    assert published(at_head) == []
    assert done("realtime", "publish", *names, env=env) == expected
    assert published(at_head) == expected["tables"]
    again = {**expected, "changed": False, "added": []}
    assert done("realtime", "publish", *names, env=env) == again

    moved = {**again, "changed": True, "added": ["public.agents"], "removed": ["public.labels"]}
    moved["tables"] = ["public.agents", "public.tasks"]
    assert done("realtime", "publish", "agents", "tasks", "--dry-run", env=env) == moved
    assert published(at_head) == expected["tables"]
    assert done("realtime", "publish", "agents", "tasks", env=env) == moved
    assert published(at_head) == moved["tables"]

    assert done("realtime", "publish", env=env)["removed"] == moved["tables"]
    assert published(at_head) == []


def test_publication_tells_of_every_change_as_supabases_own_does(at_head: URL, done: Json) -> None:
    done("realtime", "publish", "tasks", env=configuration(at_head))
    query = "SELECT pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot FROM pg_publication"
    assert execute(at_head, query) == [(True, True, True, True, False)]


def test_tables_of_other_schemas_are_left_alone(
    superuser: psycopg2.extensions.cursor, at_head: URL, done: Json
) -> None:
    superuser.execute("CREATE SCHEMA realtime; CREATE TABLE realtime.messages (id int PRIMARY KEY)")
    done("realtime", "publish", "tasks", env=configuration(at_head))
    superuser.execute("ALTER PUBLICATION supabase_realtime ADD TABLE realtime.messages")
    result = done("realtime", "publish", env=configuration(at_head))
    assert (result["removed"], result["elsewhere"]) == (["public.tasks"], ["realtime.messages"])
    assert published(at_head) == ["realtime.messages"]


@pytest.mark.parametrize("name", ["nothing", "auth.users", "alembic_version", "dhafnck.audit"])
def test_only_tables_of_the_application_are_published(at_head: URL, run: Run, name: str) -> None:
    ended = run("realtime", "publish", "tasks", name, env=configuration(at_head))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error[table-unknown]: {name} is no table")
    assert published(at_head) == []


def test_table_without_a_key_is_refused_before_its_writers_are(at_head: URL, run: Run) -> None:
    execute(at_head, "ALTER TABLE task_labels DROP CONSTRAINT pk_task_labels")
    ended = run("realtime", "publish", "task_labels", env=configuration(at_head))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[no-replica-identity]")
    execute(at_head, "ALTER TABLE task_labels REPLICA IDENTITY FULL")
    assert run("realtime", "publish", "task_labels", env=configuration(at_head)).code == 0


def test_publication_of_all_tables_is_refused(
    superuser: psycopg2.extensions.cursor, at_head: URL, run: Run
) -> None:
    superuser.execute("DROP PUBLICATION supabase_realtime")
    superuser.execute("CREATE PUBLICATION supabase_realtime FOR ALL TABLES")
    ended = run("realtime", "publish", "tasks", env=configuration(at_head))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[publication-of-all-tables]")


def test_publication_of_somebody_else_is_refused_and_stays(
    superuser: psycopg2.extensions.cursor, at_head: URL, run: Run
) -> None:
    superuser.execute("ALTER PUBLICATION supabase_realtime OWNER TO CURRENT_USER")
    ended = run("realtime", "publish", "tasks", env=configuration(at_head))
    assert (ended.code, ended.err.split(":")[0]) == (5, "error[publication-refused]")
    assert "cause: must be owner of publication supabase_realtime" in ended.err
    assert published(at_head) == []


def test_publication_is_there_before_anything_is_published(at_head: URL) -> None:
    owner = "SELECT pg_get_userbyid(pubowner) FROM pg_publication"
    assert execute(at_head, f"{owner} WHERE pubname = 'supabase_realtime'") == [(OWNER,)]


def test_lost_publication_is_made_again(at_head: URL, done: Json) -> None:
    execute(at_head, "DROP PUBLICATION supabase_realtime")
    env = configuration(at_head)
    assert done("realtime", "publish", "tasks", "--dry-run", env=env)["created"] is True
    assert execute(at_head, "SELECT FROM pg_publication") == []
    assert done("realtime", "publish", "tasks", env=env)["created"] is True
    assert published(at_head) == ["public.tasks"]


def test_text_says_what_was_published(at_head: URL, run: Run) -> None:
    silent = "nothing is streamed: wal_level is replica, not logical\n"
    added = "public.tasks would be added\n"
    env = configuration(at_head)
    for command, said in (
        (("tasks", "--dry-run"), added),
        (("tasks",), added.replace("would be ", "")),
        (("tasks",), "published: public.tasks; nothing to change\n"),
        ((), "public.tasks removed\n"),
        ((), "published: none; nothing to change\n"),
    ):
        assert run("realtime", "publish", *command, env=env) == (0, said + silent, "")
