"""A drafted revision is closed, formatted, no rename by mistake, and never empty."""

import os
import pty
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Ended, configuration
from fix_schema import HEAD, execute
from sqlalchemy import URL

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]
Configure = Callable[[dict[str, str]], None]

BIN = Path(sys.executable).parent
DRAFT = ("schema", "revision", "-m", "what it does")

# The project's models with something more.
MODELS = """
from sqlalchemy import *
from dhafnck_db.models import Base
from dhafnck_db.models.base import SECRET

metadata = MetaData(naming_convention=Base.metadata.naming_convention)
for table in Base.metadata.tables.values():
    table.to_metadata(metadata)
"""
NOTES = """
Table(
    "notes", metadata,
    Column("id", BigInteger, Identity(), primary_key=True),
    Column("user_id", String, nullable=False, index=True),
    Column("task_id", Uuid, ForeignKey("tasks.id")),
    Column("author", Uuid, ForeignKey("users.id")),
    Column("text", Text),
)
Table("facts", metadata, Column("id", Integer, primary_key=True), Column("text", Text))
Table(
    "keys", metadata,
    Column("user_id", Uuid, primary_key=True),
    Column("token", String, info=SECRET),
    Column("name", String),
)
"""


@pytest.fixture
def draft(at_head: URL, checkout: Path, tmp_path: Path, run: Run) -> Callable[..., Ended]:
    """Draft a revision from the models with something more."""

    def draft(models: str, *options: str, before: tuple[str, ...] = ()) -> Ended:
        for statement in before:
            execute(at_head, statement)
        (tmp_path / "more_models.py").write_text(MODELS + models)
        return run(*DRAFT, *options, env=environment(at_head, checkout))

    return draft


Draft = Callable[..., Ended]


def environment(url: URL, checkout: Path) -> dict[str, str]:
    ini = str(checkout / "alembic.ini")
    return configuration(url, DB_ALEMBIC_INI=ini, DB_METADATA="more_models:metadata")


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "more_models", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def written(checkout: Path) -> list[Path]:
    return list((checkout / "alembic" / "versions").glob("*what_it_does.py"))


def test_new_tables_are_closed_and_their_rows_their_owners(
    at_head: URL, checkout: Path, draft: Draft, run: Run, done: Json
) -> None:
    ended = draft(NOTES)
    assert ended.code == 0, ended.err
    (path,) = written(checkout)
    assert f"wrote {path}" in ended.out
    flat = " ".join(path.read_text().split())
    assert '*secure("notes", service=True, sequences=["notes_id_seq"]),' in flat
    # Not `author`: a user's row has no owner but itself.
    assert '*permit(OwnRows("notes", {"task_id": "tasks"})),' in flat
    assert '*secure("facts", service=True, sequences=["facts_id_seq"]),' in flat
    assert (
        'OwnRows( "keys", verbs=("SELECT", "DELETE"), columns=("user_id", "name"), '
        "subject=SUBJECT_AS_UUID, )" in flat
    )
    assert flat.count("permit(") == 2

    env = environment(at_head, checkout)
    assert done("schema", "lint", "head", env=env)["findings"] == []
    done("schema", "upgrade", env=env)
    assert execute(
        at_head,
        "SELECT tablename, cmd FROM pg_policies WHERE tablename IN ('notes', 'facts', 'keys') "
        "ORDER BY 1, 2",
    ) == [
        ("keys", "DELETE"),
        ("keys", "SELECT"),
        ("notes", "DELETE"),
        ("notes", "INSERT"),
        ("notes", "SELECT"),
        ("notes", "UPDATE"),
    ]
    may = "has_table_privilege('{}', '{}', 'SELECT')"
    asked = ", ".join(
        may.format(role, table) for table in ("notes", "facts") for role in ("anon", "service_role")
    )
    assert execute(at_head, f"SELECT {asked}") == [(False, True, False, True)]
    assert execute(
        at_head,
        "SELECT has_column_privilege('authenticated', 'keys', 'token', 'SELECT'), "
        "has_column_privilege('authenticated', 'keys', 'name', 'SELECT')",
    ) == [(False, True)]
    assert done("schema", "check", env=env)["differences"] == []
    done("schema", "downgrade", HEAD, env=env)


def test_draft_is_formatted(checkout: Path, draft: Draft) -> None:
    shutil.copy(ROOT / "ruff.toml", checkout)
    assert draft(NOTES).code == 0
    subprocess.run([BIN / "ruff", "format", "--check", *written(checkout)], check=True)


def test_table_that_the_way_back_makes_is_closed_too(checkout: Path, draft: Draft) -> None:
    assert draft("metadata.remove(metadata.tables['task_labels'])").code == 0
    (path,) = written(checkout)
    back = path.read_text().partition("def downgrade")[2]
    assert '*secure("task_labels", service=True),' in back
    assert '{"task_id": "tasks", "label_id": "labels"}' in back


def test_without_a_difference_nothing_is_written(
    at_head: URL, checkout: Path, draft: Draft, configure: Configure
) -> None:
    ended = draft("")
    assert (ended.code, ended.out) == (
        0,
        "the database is as the models say; nothing was written\n",
    )
    assert draft("", "--format", "json").out == '{"changed": false, "path": null}\n'
    configure(environment(at_head, checkout))
    typed = [str(BIN / "alembic"), "revision", "--autogenerate", "-m", "what it does"]
    subprocess.run(typed, cwd=checkout, check=True, capture_output=True)
    assert written(checkout) == []

    assert draft("", "--empty").code == 0
    assert len(written(checkout)) == 1


@pytest.fixture
def renamed() -> str:
    """Models whose tasks have a column `heading`, of the type of WORDS."""
    return 'metadata.tables["tasks"].append_column(Column("heading", String))'


# What the database has, and the models do not.
WORDS = "ALTER TABLE tasks ADD COLUMN words varchar"
TEXT = "ALTER TABLE tasks ADD COLUMN words text"


def test_rename_is_refused_without_an_answer(
    at_head: URL, checkout: Path, draft: Draft, renamed: str, configure: Configure
) -> None:
    ended = draft(renamed, before=(WORDS,))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("error[rename-unsaid]: ")
    assert "--rename tasks.words=heading, or --no-renames" in ended.err
    configure(environment(at_head, checkout))
    typed = [str(BIN / "alembic"), "revision", "--autogenerate", "-m", "what it does"]
    hand = subprocess.run(
        typed, cwd=checkout, capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    assert hand.returncode != 0
    assert hand.stdout.startswith("FAILED: error[rename-unsaid]: ")
    check = subprocess.run([BIN / "alembic", "check"], cwd=checkout, capture_output=True, text=True)
    assert "New upgrade operations detected" in check.stdout
    assert written(checkout) == []


def test_rename_that_is_said_keeps_the_data(
    at_head: URL, checkout: Path, draft: Draft, renamed: str, done: Json
) -> None:
    ended = draft(renamed, "--rename", "tasks.words=heading", before=(WORDS,))
    assert ended.code == 0, ended.err
    (path,) = written(checkout)
    content = path.read_text()
    assert content.count('new_column_name="heading"') == 1
    assert content.count('new_column_name="words"') == 1
    assert "add_column" not in content
    assert "drop_column" not in content
    env = environment(at_head, checkout)
    number = "SELECT attnum FROM pg_attribute WHERE attrelid = 'tasks'::regclass AND attname = '{}'"
    before = execute(at_head, number.format("words"))
    done("schema", "upgrade", env=env)
    assert execute(at_head, number.format("heading")) == before
    assert done("schema", "check", env=env)["differences"] == []
    done("schema", "downgrade", HEAD, env=env)
    assert execute(at_head, number.format("words")) == before


def test_what_is_no_rename_is_dropped_and_made(checkout: Path, draft: Draft, renamed: str) -> None:
    assert draft(renamed, "--no-renames", before=(WORDS,)).code == 0
    (path,) = written(checkout)
    assert 'op.drop_column("tasks", "words")' in path.read_text()
    assert "new_column_name" not in path.read_text()


def test_column_of_another_type_is_not_asked_about(draft: Draft, renamed: str) -> None:
    assert draft(renamed, before=(TEXT,)).code == 0


@pytest.mark.parametrize(
    ("given", "code"),
    [
        ("words=heading", "rename-malformed"),
        ("tasks.words", "rename-malformed"),
        ("tasks.title=heading", "rename-unknown"),
        ("tasks.words=title", "rename-unknown"),
        ("labels.words=heading", "rename-unknown"),
    ],
)
def test_answer_that_fits_nothing_is_refused(
    checkout: Path, draft: Draft, renamed: str, given: str, code: str
) -> None:
    ended = draft(renamed, "--rename", given, before=(WORDS,))
    assert (ended.code, ended.err.partition(":")[0]) == (2, f"error[{code}]")
    assert written(checkout) == []


@pytest.mark.parametrize(("typed", "found"), [("y", "new_column_name"), ("n", "drop_column")])
def test_person_at_a_terminal_is_asked(
    at_head: URL,
    checkout: Path,
    tmp_path: Path,
    configure: Configure,
    renamed: str,
    typed: str,
    found: str,
) -> None:
    execute(at_head, WORDS)
    (tmp_path / "more_models.py").write_text(MODELS + renamed)
    configure(environment(at_head, checkout))
    said = at_terminal([str(BIN / "dhafnck-db"), *DRAFT], typed)
    assert "is column words of tasks now called heading? [y/N]: " in said
    (path,) = written(checkout)
    assert found in path.read_text()


def at_terminal(command: list[str], typed: str) -> str:
    """Run a command on a terminal of its own, type a line once it asks, return what it said."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    seen, answered = b"", False
    while True:
        try:
            seen += os.read(ours, 4096)
        except OSError:  # the other end is closed
            break
        if b"[y/N]: " in seen and not answered:
            os.write(ours, f"{typed}\n".encode())
            answered = True
    os.close(ours)
    assert process.wait() == 0, seen
    return seen.decode()


def test_table_that_may_be_renamed_is_not_dropped(checkout: Path, draft: Draft) -> None:
    models = """
old = metadata.tables["task_labels"]
new = old.to_metadata(metadata, name="labels_of_tasks")
metadata.remove(old)
"""
    ended = draft(models)
    assert (ended.code, ended.err.partition(":")[0]) == (2, "error[rename-unsaid]")
    assert "is table task_labels now called labels_of_tasks" in ended.err
    assert draft(models, "--no-renames").code == 0
    assert len(written(checkout)) == 1


def test_two_answers_exclude_each_other(draft: Draft) -> None:
    ended = draft("", "--rename", "a.b=c", "--no-renames")
    assert ended.code == 2
    assert "exclude each other" in ended.err
