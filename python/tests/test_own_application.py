"""An application with tables and revisions of its own, as docs/own-application.md has it."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import ROOT, configuration
from fix_schema import HEAD, catalog, execute
from sqlalchemy import URL, Engine

from dhafnck_db import metadata

Configure = Callable[[dict[str, str]], None]

OWN = {
    "DB_METADATA": "shop.models:Base.metadata",
    "DB_VERSION_TABLE": "shop_version",
    "DB_ALEMBIC_INI": "alembic.ini",
    "PYTHONPATH": ".",
}
PAGE = (ROOT / "docs" / "own-application.md").read_text()
# A block of the page, after the name of the file that it is, where it is one.
BLOCK = re.compile(r"(?:`([\w./]+)`[^\n`]*(?:\n[^\n`]+)*\n\n)?```(\w+)\n(.*?)```", re.DOTALL)


def blocks() -> Iterator[tuple[str | None, str, str]]:
    for name, language, content in BLOCK.findall(PAGE):
        yield name or None, language, content


@pytest.fixture
def type_page(
    configure: Configure, database: URL, tmp_path: Path
) -> Callable[[str | None], subprocess.CompletedProcess[str]]:
    """A function that does what the page says, up to a line, in an empty folder."""
    configure(configuration(database))
    shop = tmp_path / "shop"
    shop.mkdir()
    (tmp_path / "dhafnck-db").symlink_to(ROOT)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"

    def type_page(until: str | None = None) -> subprocess.CompletedProcess[str]:
        script = ["set -e"]
        for name, language, content in blocks():
            if language == "sh":
                script += content.splitlines()
            elif name is not None:
                (shop / name).parent.mkdir(parents=True, exist_ok=True)
                (shop / name).write_text(content)
        if until is not None:
            script = script[: script.index(until) + 1]
        return subprocess.run(
            ["bash", "-c", "\n".join(script)],
            cwd=shop,
            env={**os.environ, "PATH": path},
            capture_output=True,
            text=True,
        )

    return type_page


def test_page_can_be_typed_as_written(
    database: URL, type_page: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    ended = type_page("dhafnck-db health")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    (second,) = (tmp_path / "shop" / "alembic" / "versions").glob("*_a_discount.py")
    number = second.name.split("_")[0]
    said = ended.stdout.splitlines()
    assert said.count("at head (0001), and as the models say") == 1
    assert said.count(f"at head ({number}), and as the models say") == 1
    assert "would upgrade base -> 0001 (0001)" in said
    assert "0001 (head)" in said
    content = second.read_text()
    assert content.count("op.") == 2
    assert re.search(r"op\.add_column\(\s*['\"]orders['\"],\s*sa\.Column\(['\"]discount", content)

    assert execute(database, "SELECT version_num FROM alembic_version") == [(HEAD,)]
    assert execute(database, "SELECT version_num FROM shop_version") == [(number,)]
    # Each history has its own revisions in the record.
    rows = execute(database, "SELECT revision FROM dhafnck.revisions")
    ours = {name for (name,) in rows if ":" not in name}
    assert {name for (name,) in rows} - ours == {"shop_version:0001", f"shop_version:{number}"}
    assert HEAD in ours
    open_ = execute(
        database,
        "SELECT oid::regclass::text FROM pg_class WHERE NOT relrowsecurity AND relkind = 'r' "
        "AND relnamespace::regnamespace::text IN ('public', 'shop')",
    )
    assert open_ == []


def test_application_goes_and_leaves_this_projects_tables(
    database: URL, type_page: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    ended = type_page("dhafnck-db schema upgrade")
    assert ended.returncode == 0, ended.stderr
    before = catalog(database)
    ended = type_page()
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"at head ({HEAD}), and as the models say" in ended.stdout
    left = {name for name, _ in catalog(database) - before}
    assert left == {"public.shop_version", "public.shop_version_pkc"}
    assert before <= catalog(database)
    rows = execute(database, "SELECT revision FROM dhafnck.revisions WHERE revision LIKE '%:%'")
    assert rows == []


def test_edited_revision_of_the_application_stops_its_own_history_alone(
    type_page: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    assert type_page("alembic current").returncode == 0
    shop = tmp_path / "shop"
    file = shop / "alembic" / "versions" / "0001_orders.py"
    file.write_text(file.read_text() + "# edited\n")
    program = Path(sys.executable).with_name("dhafnck-db")
    own = {**os.environ, **OWN}
    codes = []
    for env in (own, dict(os.environ)):
        ended = subprocess.run(
            [program, "schema", "upgrade"], cwd=shop, env=env, capture_output=True, text=True
        )
        codes.append((ended.returncode, ended.stderr.split(":")[0]))
    assert codes == [(5, "error[edited-revision]"), (0, "")]


def test_revision_of_the_application_is_rehearsed_on_a_backup(
    type_page: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path, client_fits: None
) -> None:
    assert type_page("alembic current").returncode == 0
    shop = tmp_path / "shop"
    program = Path(sys.executable).with_name("dhafnck-db")

    def typed(*arguments: str) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **OWN}
        return subprocess.run(
            [program, *arguments], cwd=shop, env=env, capture_output=True, text=True
        )

    assert typed("backup", "create").returncode == 0
    ended = typed("schema", "rehearse", "--format", "json")
    assert ended.returncode == 0, ended.stderr
    result = json.loads(ended.stdout)
    assert (result["revisions"], result["backup"] is None) == (["0001"], False)
    assert {lock["table"] for lock in result["steps"][0]["locks"]} == {"public.projects"}

    # The file of another checkout: the backup is at a revision that this one does not know.
    file = shop / "alembic" / "versions" / "0001_orders.py"
    assert typed("schema", "downgrade", "base").returncode == 0
    file.write_text(file.read_text().replace('"0001"', '"beef"'))
    ended = typed("schema", "rehearse")
    assert (ended.returncode, ended.stderr.split(":")[0]) == (6, "error[rehearsal-failed]")
    assert "at revision 0001, which this checkout does not know" in ended.stderr
    assert typed("schema", "rehearse", "--schema-only").returncode == 0


def test_backup_of_the_application_holds_what_it_refers_to(
    migrated: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop_models.py").write_text(
        next(content for name, _, content in blocks() if name == "shop/models.py")
    )
    monkeypatch.syspath_prepend(tmp_path)
    with migrated.connect() as connection:
        found = metadata.own_schemas("shop_models:Base.metadata", connection)
    assert found == {"shop", "public", "dhafnck", "legacy"}
