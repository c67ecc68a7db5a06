"""The lint of revisions: each hazard is found, and silenced by a reason and nothing else."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Ended, Server, configuration
from fix_prod import REF, no_schema_dump, production
from fix_schema import HEAD, LEFT_OPEN, NEXT, REVISIONS, add_revision, catalog, version
from sqlalchemy import URL

from dhafnck_db import applied
from dhafnck_db.lint import findings, squawk
from dhafnck_db.lint import rules as rules_

Run = Callable[..., Ended]
Configure = Callable[[dict[str, str]], None]

PROGRAM = Path(sys.executable).with_name("alembic")
SECURE = (
    "ALTER TABLE notes ENABLE ROW LEVEL SECURITY; "
    "REVOKE ALL ON TABLE notes FROM PUBLIC, anon, authenticated, service_role"
)
DROP = "ALTER TABLE tasks DROP COLUMN testing_notes"
UNDROP = "ALTER TABLE tasks ADD COLUMN testing_notes text NOT NULL DEFAULT ''"

# Rules that a revision breaks, its upgrade, its downgrade.
HAZARDS = (
    (["table-without-row-security"], f"CREATE TABLE notes (); {SECURE.split('; ')[1]}", None),
    (["table-without-grants"], f"CREATE TABLE notes (); {SECURE.split('; ')[0]}", None),
    (
        ["table-without-grants"],
        f"CREATE TABLE notes (); {SECURE.replace(', authenticated', '')}",
        None,
    ),
    (["table-without-grants", "table-without-row-security"], "SELECT 1 AS a INTO notes", None),
    (["table-without-row-security"], "ALTER TABLE tasks DISABLE ROW LEVEL SECURITY", None),
    (["adding-required-field"], "ALTER TABLE tasks ADD COLUMN extra text NOT NULL", None),
    (["adding-not-nullable-field"], "ALTER TABLE tasks ALTER COLUMN due_date SET NOT NULL", None),
    (["renaming-column"], "ALTER TABLE tasks RENAME COLUMN extra TO more", None),
    (
        ["renaming-column", "still-in-models"],
        "ALTER TABLE tasks RENAME COLUMN title TO heading",
        None,
    ),
    (["renaming-table", "still-in-models"], "ALTER TABLE tasks RENAME TO jobs", None),
    (["data-lost"], "ALTER TABLE tasks DROP COLUMN extra", None),
    (["data-lost", "still-in-models"], DROP, UNDROP),
    (["data-lost", "still-in-models"], "DROP TABLE task_labels", None),
    (["data-lost"], "DELETE FROM tasks", None),
    (["data-lost"], "TRUNCATE tasks", None),
    (["require-concurrent-index-creation"], "CREATE INDEX more ON tasks (title)", None),
    (
        ["require-concurrent-index-creation"],
        "CREATE INDEX more -- squawk-ignore-file\nON tasks (title)",
        None,
    ),
    (
        ["ban-concurrent-index-creation-in-transaction"],
        "CREATE INDEX CONCURRENTLY more ON tasks (title)",
        None,
    ),
    (["changing-column-type"], "ALTER TABLE tasks ALTER COLUMN due_date TYPE date", None),
    (["downgrade-loses-data"], "SELECT 1", "ALTER TABLE tasks DROP COLUMN title"),
    (["not-parsed", "syntax-error"], "ALTER TABEL tasks", None),
)
SAFE = (
    (f"CREATE TABLE notes (id bigint); CREATE INDEX n ON notes (id); {SECURE}", "DROP TABLE notes"),
    (
        f"CREATE TABLE notes (); {SECURE.replace(', anon', '')}; REVOKE ALL ON notes FROM anon",
        "DROP TABLE notes",
    ),
    ("ALTER TABLE tasks ADD COLUMN extra text", "ALTER TABLE tasks DROP COLUMN extra"),
    ("ALTER TABLE tasks ADD COLUMN extra text NOT NULL DEFAULT ''", "SELECT 1"),
)


@pytest.fixture
def lint(run: Run, checkout: Path) -> Callable[..., tuple[int, dict[str, Any]]]:
    """Lint revision NEXT, or the given ones; return the exit code and the JSON."""

    def lint(*revisions: str) -> tuple[int, dict[str, Any]]:
        env = {"DB_ALEMBIC_INI": str(checkout / "alembic.ini")}
        ended = run("schema", "lint", "--format", "json", *(revisions or [NEXT]), env=env)
        assert ended.err == ""
        return ended.code, json.loads(ended.out)

    return lint


Lint = Callable[..., tuple[int, dict[str, Any]]]


def rules(result: dict[str, Any], kind: str = "findings") -> list[str]:
    return sorted({finding["rule"] for finding in result[kind]})


def test_revisions_of_the_checkout_are_clean(lint: Lint) -> None:
    code, result = lint(":")
    assert (code, result["findings"], result["revisions"]) == (0, [], REVISIONS)
    assert all(len(finding["waived"]) > 20 for finding in result["waived"])


@pytest.mark.parametrize(
    ("broken", "upgrade", "downgrade"), HAZARDS, ids=[hazard[1] for hazard in HAZARDS]
)
def test_hazard_is_found_and_silenced_by_a_reason(
    lint: Lint, checkout: Path, broken: list[str], upgrade: str, downgrade: str | None
) -> None:
    path = add_revision(checkout, upgrade, downgrade or "SELECT 1")
    code, result = lint()
    assert (code, rules(result), result["waived"]) == (6, broken, [])
    for finding in result["findings"]:
        assert (finding["revision"], finding["file"]) == (NEXT, str(path))
        assert "op.execute" in path.read_text().splitlines()[finding["line"] - 1]
        assert finding["statement"]
        assert finding["help"]

    add_revision(checkout, upgrade, downgrade or "SELECT 1", dict.fromkeys(broken, "a good reason"))
    code, result = lint()
    assert (code, result["findings"], rules(result, "waived")) == (0, [], broken)
    assert {finding["waived"] for finding in result["waived"]} == {"a good reason"}


@pytest.mark.parametrize(("upgrade", "downgrade"), SAFE)
def test_safe_step_is_clean(lint: Lint, checkout: Path, upgrade: str, downgrade: str) -> None:
    add_revision(checkout, upgrade, downgrade)
    assert lint() == (0, {"changed": False, "revisions": [NEXT], "findings": [], "waived": []})


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ("def upgrade(): op.execute('SELECT 1')", "downgrade-fails"),
        (
            "def upgrade(): op.execute('SELECT 1')\ndef downgrade(): raise NotImplementedError",
            "downgrade-fails",
        ),
        ("def upgrade(): op.execute('SELECT 1')\ndef downgrade(): pass", "downgrade-missing"),
        (
            "def upgrade(): op.get_bind().execute('SELECT 1').one()\n"
            "def downgrade(): op.execute('SELECT 1')",
            "not-offline",
        ),
    ],
)
def test_step_that_cannot_be_undone_or_shown_is_found(
    lint: Lint, checkout: Path, body: str, rule: str
) -> None:
    head = f"from alembic import op\nrevision = {NEXT!r}\ndown_revision = {HEAD!r}\n"
    path = checkout / "alembic" / "versions" / "next.py"
    path.write_text(head + body)
    code, result = lint()
    assert (code, rules(result)) == (6, [rule])
    path.write_text(f"{head}waivers = {{{rule!r}: 'because'}}\n{body}")
    assert (lint()[0], rules(lint()[1], "waived")) == (0, [rule])


def test_index_outside_the_transaction_is_safe(lint: Lint, checkout: Path) -> None:
    path = add_revision(checkout, "SELECT 1", "DROP INDEX more")
    make = "    with op.get_context().autocommit_block():\n"
    make += "        op.execute('CREATE INDEX CONCURRENTLY more ON tasks (title)')\n"
    path.write_text(path.read_text().replace("    op.execute('SELECT 1')\n", make))
    assert lint()[1]["findings"] == []


def test_column_that_a_later_revision_makes_anew_may_go(lint: Lint, checkout: Path) -> None:
    add_revision(checkout, DROP, UNDROP, {"data-lost": "it is made anew"})
    assert rules(lint()[1]) == ["still-in-models"]
    text = f"from alembic import op\nrevision = 'later'\ndown_revision = {NEXT!r}\n"
    text += f"def upgrade(): op.execute({UNDROP!r})\ndef downgrade(): op.execute({DROP!r})\n"
    (checkout / "alembic" / "versions" / "later.py").write_text(text)
    assert rules(lint(f"{HEAD}:")[1]) == []


@pytest.mark.parametrize(
    ("waivers", "rule"),
    [
        ({"renaming-column": "it was once here"}, "waiver-unused"),
        ({"data-lost": ""}, "waiver-without-reason"),
        ({"data-lost": "  "}, "waiver-without-reason"),
        ({"data-lost": True}, "waiver-without-reason"),
        (["data-lost"], "waiver-without-reason"),
        ({"data-lost": "why", "waiver-unused": "hush", "x": "y"}, "waiver-unused"),
    ],
)
def test_waiver_needs_a_reason_and_a_use(
    lint: Lint, checkout: Path, waivers: Any, rule: str
) -> None:
    path = add_revision(checkout, "TRUNCATE tasks", waivers=waivers)
    code, result = lint()
    assert (code, rule in rules(result)) == (6, True)
    (line,) = {finding["line"] for finding in result["findings"] if finding["rule"] == rule}
    assert path.read_text().splitlines()[line - 1].startswith("waivers")


@pytest.mark.parametrize(
    ("given", "found"),
    [("0003", ["0003"]), ("0002:0004", ["0003", "0004"]), ("0004:", REVISIONS[4:]), (":base", [])],
)
def test_range_is_after_the_first_up_to_the_second(
    lint: Lint, given: str, found: list[str]
) -> None:
    assert lint(given)[1]["revisions"] == found


@pytest.mark.parametrize("given", ["beef", "beef:", ":beef", "0004:0002"])
def test_range_that_is_none_is_refused(run: Run, given: str) -> None:
    ended = run("schema", "lint", given, env={})
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error[alembic]: {given} ")


def test_text_names_file_line_rule_and_what_to_do(run: Run, checkout: Path) -> None:
    path = add_revision(checkout, DROP, UNDROP)
    ended = run("schema", "lint", NEXT, env={"DB_ALEMBIC_INI": str(checkout / "alembic.ini")})
    assert ended.code == 6
    assert (
        f"{path.relative_to(Path.cwd())}:8: data-lost: public.tasks.testing_notes: drops a column"
        in ended.out
    )
    assert f"\n  {DROP}\n  help: stop using it first" in ended.out
    assert ended.out.endswith("\n2 findings in 1 revision\n")


def test_file_beside_the_project_does_not_steer_squawk(lint: Lint, tmp_path: Path) -> None:
    (tmp_path / ".squawk.toml").write_text("excluded_paths = ['*.sql']")
    assert rules(lint("0002")[1], "waived") == ["require-concurrent-index-creation"]


def test_missing_squawk_is_an_error_with_a_way_out(
    run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = run("schema", "lint", env={})
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error[linter-missing]: there is no program squawk")
    assert "pip install squawk-cli" in ended.err
    (tmp_path / "squawk").write_text("#!/bin/sh\necho broken\n")
    (tmp_path / "squawk").chmod(0o755)
    assert run("schema", "lint", env={}).err.startswith("error[linter-missing]: squawk could not")


def test_waiver_does_not_make_an_applied_revision_another(checkout: Path) -> None:
    path = add_revision(checkout, DROP)
    before = applied._hash(path)
    plain = path.read_text()
    for reason in ("x", "y\nz"):
        add_revision(checkout, DROP, waivers={"data-lost": reason})
        assert applied._hash(path) == before
    path.write_text(plain.replace(DROP, UNDROP))
    assert applied._hash(path) != before
    path.write_text(plain.replace("\n\ndef up", "\nwaivers = print('not only said')\n\ndef up"))
    assert applied._hash(path) != before


def test_hazard_stops_a_production_upgrade_until_it_is_waived(
    server: Server, prod: URL, checkout: Path, run: Run
) -> None:
    add_revision(checkout, "CREATE TABLE second ()", "DROP TABLE second")
    env = production(prod, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    before = catalog(prod)
    for option in (("--confirm", REF), ("--dry-run",), ()):
        ended = run("schema", "upgrade", *option, env=env)
        assert (ended.code, ended.out) == (7, "")
        assert ended.err.startswith(f"error[hazards]: what revision {NEXT} would do")
        assert f"{NEXT}_next.py:8 table-without-grants: " in ended.err
        assert f"{NEXT}_next.py:8 table-without-row-security: " in ended.err
    assert (catalog(prod), version(prod)) == (before, HEAD)

    add_revision(checkout, "CREATE TABLE second ()", "DROP TABLE second", LEFT_OPEN)
    ended = run("schema", "upgrade", "--confirm", REF, "--format", "json", env=env)
    if not no_schema_dump(server, prod, ended):
        assert (ended.code, version(prod)) == (0, NEXT), ended.err


def test_production_is_not_upgraded_unexamined(
    prod: URL, checkout: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_revision(checkout, "SELECT 1")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    env = production(prod, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    ended = run("schema", "upgrade", "--confirm", REF, env=env)
    assert (ended.code, ended.err.partition(":")[0]) == (3, "error[linter-missing]")
    assert version(prod) == HEAD


def test_hazard_stops_alembic_typed_by_hand_in_production(
    prod: URL, checkout: Path, configure: Configure
) -> None:
    add_revision(checkout, "TRUNCATE tasks")
    configure(production(prod, SUPABASE_CONFIRM=REF))
    ended = subprocess.run(
        [PROGRAM, "upgrade", "head"], cwd=checkout, env=os.environ, capture_output=True, text=True
    )
    assert ended.returncode != 0
    assert ended.stdout.startswith("FAILED: error[hazards]: ")
    assert version(prod) == HEAD


def test_development_is_not_stopped(at_head: URL, checkout: Path, run: Run) -> None:
    add_revision(checkout, "TRUNCATE tasks CASCADE")
    env = configuration(at_head, DB_ALEMBIC_INI=str(checkout / "alembic.ini"))
    assert run("schema", "upgrade", env=env).code == 0
    assert version(at_head) == NEXT


def test_every_rule_is_documented() -> None:
    page = (ROOT / "docs" / "lint.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", page, flags=re.MULTILINE))
    sources = (Path(rules_.__file__), Path(findings.__file__))
    own = {
        name for path in sources for name in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text())
    }
    assert set(rows) == own | set(squawk.LEFT_OUT)
    assert {name: rows[name] for name in squawk.LEFT_OUT} == squawk.LEFT_OUT
