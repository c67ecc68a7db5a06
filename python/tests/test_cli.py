"""The command line: exit codes, the form of errors, one JSON object, help, and a fast start."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from conftest import PASSWORD, Ended, configuration
from fix_schema import HEAD, execute
from sqlalchemy import URL

from dhafnck_db import errors
from dhafnck_db.cli.main import cli

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]

PROGRAM = str(Path(sys.executable).with_name("dhafnck-db"))
HEAVY = (
    "alembic",
    "fastapi",
    "postgast",
    "prometheus_client",
    "psycopg2",
    "pydantic",
    "rich",
    "sqlalchemy",
    "uvicorn",
)


def commands(group: click.Group = cli, *above: str) -> Iterator[tuple[str, ...]]:
    """Every command and group of the command line, as it is typed."""
    yield above
    with click.Context(group) as context:
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if isinstance(command, click.Group):
                yield from commands(command, *above, name)
            else:
                yield (*above, name)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_every_command_explains_itself(run: Run, command: tuple[str, ...], option: str) -> None:
    ended = run(*command, option, env={})
    assert (ended.code, ended.err) == (0, "")
    usage, _, explanation = ended.out.split("\n", 2)
    assert usage.startswith(" ".join(("Usage: dhafnck-db", *command)))
    assert explanation.strip()


def test_help_loads_no_heavy_library(configure: Configure) -> None:
    configure({})
    script = (
        "import sys; from dhafnck_db.cli.main import cli\n"
        "for command in sys.argv[1:]:\n"
        "    cli.main([*command.split(), '--help'], standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    typed = [" ".join(command) for command in commands()]
    ended = subprocess.run([sys.executable, "-c", script, *typed], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    loaded = ended.stdout.splitlines()[-1].split()
    assert "dhafnck_db.cli.sqlite" in loaded
    assert not set(HEAVY).intersection(loaded)


@pytest.mark.parametrize(
    ("command", "env", "code", "error"),
    [
        (("schema", "downgrade", "beef"), {}, 2, "alembic"),
        (("schema", "upgrade"), {"DATABASE_TYPE": "oracle"}, 3, "unknown-database-type"),
        (("sqlite", "assess", "missing.db"), {}, 4, "source-missing"),
        (("schema", "current"), {"DATABASE_URL": "postgresql://u@127.0.0.1:1/d"}, 5, "target-"),
        (("schema", "upgrade"), {"DATABASE_TYPE": "supabase"}, 7, "wrong-environment"),
    ],
)
@pytest.mark.parametrize("format_", ["text", "json"])
def test_error_is_said_on_stderr_with_its_code(
    shared: URL,
    run: Run,
    command: tuple[str, ...],
    env: dict[str, str],
    code: int,
    error: str,
    format_: str,
) -> None:
    ended = run(*command, "--format", format_, env={**configuration(shared), **env})
    assert (ended.code, ended.out) == (code, "")
    first, *more = ended.err.splitlines()
    assert first.startswith(f"error[{error}")
    assert not first.endswith(".")
    assert {line.split(":")[0] for line in more} <= {"  cause", "  help"}
    assert more[-1].startswith("  help: ")
    assert PASSWORD not in ended.err


@pytest.mark.parametrize("command", [("schema", "check"), ("health",)])
def test_difference_is_a_result_with_exit_code_6(
    at_head: URL, run: Run, command: tuple[str, ...]
) -> None:
    execute(at_head, "DROP TABLE task_labels")
    ended = run(*command, "--format", "json", env=configuration(at_head))
    assert (ended.code, ended.err) == (6, "")
    assert isinstance(json.loads(ended.out), dict)


def test_each_family_of_errors_has_an_exit_code_of_its_own() -> None:
    families = errors.ToolkitError.__subclasses__()
    assert sorted(family.exit_code for family in families) == [2, 3, 4, 5, 6, 7, 8]


def test_error_has_a_line_for_each_part_it_has() -> None:
    whole = errors.TargetError("gone", "no x", cause="because", help="look")
    assert str(whole) == "error[gone]: no x\n  cause: because\n  help: look"
    assert str(errors.UsageError("gone", "no x")) == "error[gone]: no x"


@pytest.mark.parametrize(
    "arguments",
    [(), ("schema",), ("nothing",), ("schema", "upgrade", "--nothing"), ("schema", "downgrade")],
)
def test_command_line_that_does_not_fit_is_explained(run: Run, arguments: tuple[str, ...]) -> None:
    ended = run(*arguments, env={})
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("Usage: dhafnck-db")


def test_json_is_exactly_one_object(at_head: URL, tmp_path: Path, run: Run) -> None:
    env = configuration(at_head)
    assert run("sqlite", "sample", "old.db", "--format", "json", env=env).code == 0
    for command in (
        ("schema", "upgrade"),
        ("schema", "current"),
        ("schema", "check"),
        ("schema", "history"),
        ("schema", "lint"),
        ("schema", "plan"),
        ("audit", "enable", "tasks"),
        ("audit", "status"),
        ("audit", "disable", "tasks"),
        ("audit", "prune", "--older-than", "1d"),
        ("realtime", "publish", "tasks"),
        ("sqlite", "assess", "old.db"),
        ("sqlite", "import", "old.db", "--owner", "me"),
        ("sqlite", "verify", "old.db"),
        ("advise",),
        ("health",),
        ("stats",),
    ):
        ended = run(*command, "--format", "json", env=env)
        assert (ended.code, ended.err) == (0, "")
        assert ended.out.count("\n") == 1
        assert isinstance(json.loads(ended.out)["changed"], bool)


def test_text_is_not_drawn_where_nobody_looks(shared: URL, run: Run) -> None:
    ended = run("schema", "history", env=configuration(shared))
    assert ended.out.splitlines()[0].split() == ["revision", "after", "what"]
    assert ended.out.isascii()


def test_bug_keeps_its_traceback(configure: Configure, shared: URL, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("raise ZeroDivisionError('a bug in the models')")
    configure({**configuration(shared, DB_METADATA="broken:metadata"), "PYTHONPATH": "."})
    ended = subprocess.run([PROGRAM, "schema", "check"], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert "Traceback (most recent call last)" in ended.stderr
    assert ended.stderr.endswith("ZeroDivisionError: a bug in the models\n")
    assert PASSWORD not in ended.stderr


def test_psql_is_opened_on_the_database(configure: Configure, shared: URL) -> None:
    configure(configuration(shared))
    query = "SELECT current_database(), current_user"
    command = [PROGRAM, "psql", "--", "-AtXc", query]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"{shared.database}|{shared.username}\n"


def test_verbose_says_on_stderr_what_is_done(configure: Configure, database: URL) -> None:
    configure(configuration(database))
    command = [PROGRAM, "-v", "schema", "upgrade", "--format", "json"]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["changed"] is True
    assert f"-> {HEAD}" in ended.stderr
    assert PASSWORD not in ended.stderr


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_signal_that_python_cannot_raise_is_not_lost(how: signal.Signals) -> None:
    program = f"""
import signal, time, click
from dhafnck_db.cli import main
class Struck:
    def __del__(self):
        signal.raise_signal({how.value})
        for _ in range(10): pass
@click.command()
def command():
    Struck()
    time.sleep(20)
main.cli = command
main.main()
"""
    began = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (ended.returncode, time.monotonic() - began < 10) == (128 + how, True)
    assert ended.stderr.startswith("\ninterrupted; nothing was left half done")
