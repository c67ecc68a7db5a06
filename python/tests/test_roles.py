"""What is written about the roles holds together: defaults, argument specs, READMEs, inventory."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (ROOT / "roles").iterdir())
INVENTORY = ROOT / "inventories" / "dev" / "group_vars" / "dev"
PYTHON_TYPES = {"str": str, "path": str, "int": int, "bool": bool, "list": list, "dict": dict}


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text()) or {}


def options(role: str) -> dict[str, dict[str, Any]]:
    specs = load(ROOT / "roles" / role / "meta" / "argument_specs.yml")["argument_specs"]
    found: dict[str, dict[str, Any]] = specs["main"]["options"]
    return found


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_the_same_skeleton(role: str) -> None:
    parts = ["README.md", "defaults/main.yml", "meta/main.yml", "meta/argument_specs.yml"]
    missing = [
        part for part in [*parts, "tasks/main.yml"] if not (ROOT / "roles" / role / part).is_file()
    ]
    assert missing == []


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_those_of_the_argument_spec(role: str) -> None:
    wanted = {name: spec["default"] for name, spec in options(role).items() if "default" in spec}
    assert load(ROOT / "roles" / role / "defaults" / "main.yml") == wanted


@pytest.mark.parametrize("role", ROLES)
def test_defaults_have_the_type_of_the_argument_spec(role: str) -> None:
    for name, spec in options(role).items():
        if "default" in spec:
            assert type(spec["default"]) is PYTHON_TYPES[spec["type"]], name


@pytest.mark.parametrize("role", ROLES)
def test_variables_without_a_default_are_named_in_the_defaults(role: str) -> None:
    text = (ROOT / "roles" / role / "defaults" / "main.yml").read_text()
    for name, spec in options(role).items():
        if "default" not in spec:
            assert f"# {name}: required" in text, name


@pytest.mark.parametrize("role", ROLES)
def test_readme_lists_exactly_the_variables_with_their_defaults(role: str) -> None:
    text = (ROOT / "roles" / role / "README.md").read_text()
    listed = dict(re.findall(r"^\| `(\w+)` \| (.*?) \|", text, flags=re.MULTILINE))
    wanted = {}
    for name, spec in options(role).items():
        if "default" in spec:
            wanted[name] = f"`{json.dumps(spec['default'])}`"
        else:
            wanted[name] = "required" if spec.get("required") else "-"
    assert listed == wanted


def test_every_inventory_variable_steers_something() -> None:
    """A name with a typing error would silently do nothing."""
    known = {name for role in ROLES for name in options(role)}
    used = "".join(
        path.read_text()
        for folder in ("inventories", "playbooks", "molecule")
        for path in (ROOT / folder).rglob("*.yml")
    )
    for path in INVENTORY.glob("*.yml"):
        for name in load(path):
            if name in known or name.startswith("ansible_"):
                continue
            uses = len(re.findall(rf"\b{name}\b", used))
            assert uses > 1, f"{name} in {path.name} is in no argument spec and used nowhere"


def test_inventory_files_are_named_after_the_role_that_they_steer() -> None:
    for path in INVENTORY.glob("*.yml"):
        if path.stem in ROLES:
            strangers = [
                name for name in load(path) if not name.startswith((path.stem, f"__{path.stem}"))
            ]
            assert strangers == [], path.name


def test_installed_collections_satisfy_the_requirements() -> None:
    command = ["ansible-galaxy", "collection", "install", "--offline", "--requirements-file"]
    done = subprocess.run(
        [*command, "requirements.yml", "--collections-path", ".collections"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert "Nothing to do" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("path", sorted((ROOT / "roles").glob("*/tasks/*.yml")), ids=str)
def test_no_task_hides_a_failure_or_runs_a_shell(path: Path) -> None:
    text = path.read_text()
    assert "ignore_errors" not in text
    assert not re.search(r"ansible\.builtin\.(shell|raw)", text)
    assert len(text.splitlines()) <= 80
