"""A verification finds each kind of difference, and tells the application's own changes from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dhafnck_db import legacy
from dhafnck_db.errors import VerificationError

Import = Callable[..., legacy.ImportResult]
Verify = Callable[[Path], legacy.VerifyResult]
Fetch = Callable[[str], list[Any]]

DONE = "e9fb3fc9-fec0-4209-a232-909c4cc043a4"
TODO = "67951571-9d38-4feb-9259-52b27cc94dff"

# What is done to the target, and what has to be named.
TAMPERINGS = {
    "a space more": ("UPDATE tasks SET title = title || ' '", f"tasks[{DONE}].title"),
    "a flipped byte": (
        "UPDATE legacy.tasks SET details = replace(details, 'tab', 'tac')",
        f"legacy.tasks[{DONE}].details",
    ),
    "two values swapped": (
        "UPDATE tasks t SET title = o.title FROM tasks o"
        " WHERE t.title IN ('Measure the room', 'Order the sink')"
        " AND o.title IN ('Measure the room', 'Order the sink') AND o.id <> t.id",
        f"tasks[{DONE}].title",
    ),
    "null for empty": (
        "UPDATE legacy.tasks SET details = NULL WHERE details = ''",
        f"legacy.tasks[{TODO}].details",
    ),
    "empty for null": (
        "UPDATE tasks SET due_date = '' WHERE due_date IS NULL", f"tasks[{TODO}].due",
    ),
    "a microsecond": (
        "UPDATE tasks SET created_at = created_at + interval '1 microsecond'",
        f"tasks[{DONE}].created_at",
    ),
    "a microsecond earlier in the time that is watched": (
        "UPDATE tasks SET updated_at = updated_at - interval '1 microsecond'",
        f"tasks[{DONE}].updated_at",
    ),
    "a row missing": ("DELETE FROM subtasks", "subtasks[a3c1f3f2-8d5a-4a2e-8f0a-0f9f4f5b6c7d] is"),
    "a row extra": (
        "INSERT INTO labels (id, name, user_id, created_at) VALUES ('9', 'x', 'u', '2025-01-01')",
        "labels[9] is not in the file",
    ),
    "a row missing and another extra": (
        "UPDATE labels SET id = '8' WHERE id = '1'", "labels[1] is missing",
    ),
    "an archived row extra": (
        "INSERT INTO legacy.hierarchical_context (rowid) VALUES (99)",
        "legacy.hierarchical_context[99] is not in the file",
    ),
    "an archived row missing": (
        "DELETE FROM legacy.hierarchical_context", "legacy.hierarchical_context[6f96",
    ),
    "the last bit of a double": (
        "UPDATE agents SET availability_score = 0.10000000000000002", ".availability_score",
    ),
    "a number in JSON": (
        """UPDATE projects SET metadata = '{"color": "#0a7", "ratio": 1.11}'
        WHERE name <> 'Second project'""",
        "projects[default_project].metadata",
    ),
    "a type in JSON": (
        """UPDATE global_contexts SET security_policies = '{"mfa_required": 0}'""",
        "global_contexts[global_singleton].security_policies",
    ),
    "what was folded": (
        "UPDATE project_git_branchs SET name = name; UPDATE branch_contexts SET data = '{}'",
        "branch_contexts[main_branch].data",
    ),
    "a reference": (
        "UPDATE subtasks SET task_id = t.id FROM tasks t WHERE t.status = 'done'",
        "subtasks[a3c1f3f2",
    ),
    "an id of old": (
        "UPDATE legacy.id_map SET legacy_id = 'main_brunch' WHERE legacy_id = 'main_branch'",
        "is missing for main_branch",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TAMPERINGS)
def test_tampering_is_found_by_table_and_key(
    sample: Path, import_: Import, verify: Verify, fetch: Fetch, name: str
) -> None:
    tampering, named = TAMPERINGS[name]
    import_(sample)
    assert verify(sample).comparison.count == 0
    for statement in tampering.split("; "):
        fetch(statement)
    with pytest.raises(VerificationError) as failure:
        verify(sample)
    assert failure.value.exit_code == 6
    assert named in str(failure.value.cause)


def test_changes_of_the_application_are_counted(
    sample: Path, import_: Import, verify: Verify, fetch: Fetch
) -> None:
    import_(sample)
    fetch("UPDATE tasks SET title = 'renamed', updated_at = now()")
    fetch("INSERT INTO labels (id, name, user_id) VALUES ('new', 'new', 'u')")
    assert verify(sample).to_dict() == {
        "changed": False,
        "source": legacy.assess(sample, owner=None).to_dict()["source"],
        "rows": 20,
        "updated": 3,
        "added": 1,
    }


def test_verification_writes_nothing(
    sample: Path, import_: Import, verify: Verify, contents: Callable[[], dict[str, int]]
) -> None:
    import_(sample)
    before = contents()
    verify(sample)
    assert contents() == before


def test_file_that_was_never_imported_is_told(sample: Path, verify: Verify) -> None:
    with pytest.raises(VerificationError, match="was not imported") as failure:
        verify(sample)
    assert failure.value.code == "not-imported"


def test_quarantined_rows_are_compared_too(
    make_file: Callable[..., Path], import_: Import, verify: Verify, fetch: Fetch
) -> None:
    file = make_file(
        "CREATE TABLE labels (id INTEGER PRIMARY KEY, name TEXT);"
        "INSERT INTO labels VALUES (1, 'a'), (2, NULL)"
    )
    import_(file, quarantine=True)
    assert verify(file).comparison.rows == 2
    fetch("""UPDATE legacy.rejects SET row = '{"id": "3", "name": null}'""")
    with pytest.raises(VerificationError) as failure:
        verify(file)
    assert "labels[2].id" in str(failure.value.cause)
    fetch("DELETE FROM legacy.rejects")
    with pytest.raises(VerificationError):
        verify(file)
