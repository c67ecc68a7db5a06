"""Every case of the corpus arrives whole or is listed, and an assessment says which beforehand."""

import hashlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError
from legacy.conftest import OWNER
from legacy.corpus import CASES, Case
from legacy.roundtrip import differences

Contents = Callable[[], dict[str, int]]
Fetch = Callable[[str], list[Any]]


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_case_arrives_whole_or_is_listed(
    case: Case, tmp_path: Path, target: Engine, contents: Contents, fetch: Fetch
) -> None:
    file = case.write(tmp_path)
    before = hashlib.sha256(file.read_bytes()).digest()

    def import_(*, quarantine: bool = False) -> legacy.ImportResult:
        with target.connect() as connection:
            return legacy.import_file(connection, file, owner=OWNER, quarantine=quarantine)

    if case.refused:
        for run in (lambda: legacy.assess(file, owner=OWNER), import_):
            with pytest.raises(SourceError) as refusal:
                run()
            assert refusal.value.code == case.refused
        assert contents() == {}
        return

    plan = legacy.assess(file, owner=OWNER)
    assert {f"{lost.type} {lost.name}" for lost in plan.unplaced} == set(case.unplaced)
    assert sorted(
        f"{reject.table}{'.' + reject.column if reject.column else ''} {reject.code}"
        for reject in plan.rejects
    ) == sorted(case.rejects)

    if case.rejects:
        with pytest.raises(legacy.RejectsFoundError) as rejection:
            import_()
        assert rejection.value.plan.to_dict() == plan.to_dict()
        assert contents() == {}
        result = import_(quarantine=True)
    else:
        result = import_()
    assert result.verified
    assert result.plan.to_dict() == plan.to_dict()
    assert counted(contents(), plan) == plan.totals
    listed = fetch('SELECT DISTINCT "table", key, code FROM legacy.rejects')
    assert len(listed) <= plan.totals["rejected"]
    assert set(listed) <= {(reject.table, reject.key, reject.code) for reject in plan.rejects}
    assert compared(file, target, plan) == []
    assert hashlib.sha256(file.read_bytes()).digest() == before


def compared(file: Path, target: Engine, plan: legacy.Plan) -> list[str]:
    with closing(target.raw_connection()) as connection:
        assert connection.driver_connection is not None
        return differences(file, connection.driver_connection, plan.to_dict())


def counted(contents: dict[str, int], plan: legacy.Plan) -> dict[str, int]:
    """Return the totals of a plan as the database has them."""
    archives = {
        f"legacy.{table.archive.table}"
        for table in plan.tables
        if table.archive and not table.mapped
    }
    mapped = sum(count for table, count in contents.items() if table.startswith("public."))
    archived = sum(contents.get(table, 0) for table in archives)
    rejected = contents.get("legacy.rejects", 0)
    return {
        "rows": mapped + archived + rejected,
        "mapped": mapped,
        "archived": archived,
        "rejected": rejected,
    }


# What is changed after the import of a case, and what the comparison then has to name.
CHANGED = [
    ("denormals", "UPDATE legacy.t SET v = 0 WHERE id = 1", "legacy.t[1]"),
    ("negative-zero-untyped", "UPDATE legacy.t SET v = '0.0' WHERE v = '-0.0'", "legacy.t[1]"),
    ("int64-limits", "UPDATE legacy.t SET v = v + 1 WHERE id = 3", "legacy.t[3]"),
    ("empty-and-null", "UPDATE legacy.t SET v = NULL WHERE v = ''", "legacy.t[1]"),
    ("nul", "UPDATE legacy.t SET v = '''a''' WHERE id = 1", "legacy.t[1]"),
    ("text-in-blob", "UPDATE legacy.t SET v = 'X''''' WHERE id = 3", "legacy.t[3]"),
    ("astral", "DELETE FROM legacy.t WHERE id = 2", "legacy.t: 1 of"),
    ("equal-rows", "INSERT INTO legacy.t VALUES (4, 1, 'x')", "legacy.t[4]"),
    ("without-rowid", "UPDATE legacy.t SET a = 'z' WHERE a = 'y'", "legacy.t: 1 of"),
    ("app-base", "UPDATE tasks SET created_at = created_at + '1 microsecond'", "public.tasks"),
    ("app-base", "UPDATE projects SET metadata = '{\"a\": 1}'", "public.projects"),
    ("app-base", "DELETE FROM task_labels", "public.task_labels"),
    ("app-base", "UPDATE legacy.labels SET usage_count = 4", "legacy.labels[621]"),
    ("app-booleans", "UPDATE context_delegations SET processed = false", "context_delegations"),
    ("app-text-nul", "DELETE FROM legacy.rejects", "public.tasks: 1 of"),
    ("app-dependency-counter", "SELECT setval('task_dependencies_id_seq', 9)", "not after 10"),
]


@pytest.mark.parametrize(("name", "change", "told"), CHANGED)
def test_comparison_names_what_is_not_as_in_the_file(
    name: str, change: str, told: str, tmp_path: Path, target: Engine, fetch: Fetch
) -> None:
    (case,) = [case for case in CASES if case.name == name]
    file = case.write(tmp_path)
    with target.connect() as connection:
        plan = legacy.import_file(connection, file, owner=OWNER, quarantine=True).plan
    fetch(change)
    found = compared(file, target, plan)
    assert any(told in line for line in found), found


def test_names_of_cases_are_file_names() -> None:
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert all(set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for name in names)
