"""What the documents say about commands, variables and errors is what the code has."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click

from dhafnck_db import errors
from dhafnck_db.cli.main import cli
from dhafnck_db.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SOURCES = sorted((ROOT / "python" / "src").rglob("*.py"))


def section(title: str) -> str:
    return README.split(f"\n## {title}\n")[1].split("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    lines = re.findall(r"^\| (`.*) \|$", text, flags=re.MULTILINE)
    return [[cell.strip() for cell in line.split(" | ")] for line in lines]


def commands(command: click.Command, name: str, context: click.Context) -> Iterator[list[str]]:
    if not isinstance(command, click.Group):
        yield [f"`{name}`", command.get_short_help_str(limit=200)]
        return
    for child in command.list_commands(context):
        found = command.get_command(context, child)
        assert found is not None
        yield from commands(found, f"{name} {child}", click.Context(found, parent=context))


def test_readme_lists_every_command_with_its_help() -> None:
    assert rows(section("Commands")) == list(commands(cli, "dhafnck-db", click.Context(cli)))


def test_readme_lists_every_variable_with_its_default() -> None:
    wanted = [
        [
            f"`{name.upper()}`",
            "" if field.default is None else f"`{field.default}`",
            str(field.description),
        ]
        for name, field in Settings.model_fields.items()
    ]
    assert rows(section("Environment variables")) == wanted


def test_new_variables_keep_the_prefix() -> None:
    of_the_guide = {"database_type", "database_url", "test_database_url"}
    for name in set(Settings.model_fields) - of_the_guide:
        assert name.startswith(("db_", "supabase_")), name


def test_every_error_code_is_documented_with_its_exit_code() -> None:
    documented = {row[0]: row[1] for row in rows((ROOT / "docs" / "errors.md").read_text())}
    used = {code: str(kind.exit_code) for kind, code in raised()}
    assert {code: documented.get(f"`{code}`") for code in used} == used


def raised() -> Iterator[tuple[type[errors.ToolkitError], str]]:
    """Yield the class and the code of every error that the package makes with a literal code."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id.endswith("Error")
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and hasattr(errors, node.func.id)
            ):
                yield getattr(errors, node.func.id), str(node.args[0].value)


def test_make_help_lists_every_target_with_a_line() -> None:
    text = (ROOT / "Makefile").read_text()
    phony = set(re.search(r"^\.PHONY: (.*)$", text, flags=re.MULTILINE)[1].split())  # type: ignore[index]  # the line is there
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True)
    listed = dict(re.findall(r"^  (\S+) +(\S.*)$", shown.stdout, flags=re.MULTILINE))
    assert set(listed) == phony


def test_links_of_the_documents_lead_somewhere() -> None:
    for path in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("roles/*/README.md")]:
        for link in re.findall(r"\]\(([^)#:]+)\)", path.read_text()):
            assert (path.parent / link).exists(), f"{path.name}: {link}"


def test_nothing_names_a_package_index() -> None:
    for name in ("requirements.lock", "collections.lock"):
        assert "index-url" not in (ROOT / name).read_text()
        assert "http" not in (ROOT / name).read_text()
