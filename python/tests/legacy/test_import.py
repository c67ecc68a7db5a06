"""An import happens whole or not at all, and only into room that is free."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, text

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError, TargetError, VerificationError
from dhafnck_db.legacy.judge import REMADE
from legacy.faults import write_many

Import = Callable[..., legacy.ImportResult]
Fetch = Callable[[str], list[Any]]
Contents = Callable[[], dict[str, int]]


def test_dry_run_predicts_the_run_and_writes_nothing(
    sample: Path, import_: Import, contents: Contents
) -> None:
    predicted = import_(sample, dry_run=True)
    assert (predicted.changed, contents()) == (True, {})
    assert import_(sample).plan == predicted.plan


def test_the_same_file_again_changes_nothing(
    sample: Path, import_: Import, contents: Contents
) -> None:
    plan, before = import_(sample).plan, contents()
    again = import_(sample)
    assert (again.changed, again.plan, contents()) == (False, plan, before)
    assert import_(sample, dry_run=True).changed is False


def test_result_names_what_was_done(sample: Path, import_: Import) -> None:
    result = import_(sample).to_dict()
    assert (result["changed"], result["verified"]) == (True, True)
    assert result["seconds"].keys() == {"snapshot", "assess", "load", "verify"}
    assert result["totals"] == {"rows": 20, "mapped": 19, "archived": 1, "rejected": 0}
    assert result["source"]["sha256"]


def test_what_was_imported_is_recorded(sample: Path, import_: Import, fetch: Fetch) -> None:
    plan = import_(sample).plan
    assert fetch(
        "SELECT source_sha256, source_bytes, generation, owner, totals, plan FROM legacy.imports"
    ) == [
        (plan.source.sha256, sample.stat().st_size, "2025-08", "owner-1", plan.totals,
         plan.to_dict())
    ]  # fmt: skip


def test_progress_reaches_the_number_of_rows_of_each_table(sample: Path, import_: Import) -> None:
    seen: dict[str, tuple[int, int]] = {}
    import_(sample, progress=lambda table, done, total, _sent: seen.update({table: (done, total)}))
    assert seen["tasks"] == (3, 3)
    assert seen["hierarchical_context"] == (1, 1)


def test_keys_and_indexes_that_are_made_again_are_counted(tmp_path: Path, import_: Import) -> None:
    told: list[tuple[str, int, int]] = []
    import_(
        write_many(tmp_path / "many.db", 2500),
        progress=lambda table, done, total, _sent: told.append((table, done, total)),
    )
    remade = [told for told in told if told[0] == REMADE]
    total = remade[0][2]
    assert total > 40  # keys, references and indexes of the tables filled
    assert remade == [(REMADE, done, total) for done in range(total + 1)]
    assert told[-len(remade) :] == remade


def test_filled_table_is_refused_by_name_and_left_alone(
    sample: Path, import_: Import, contents: Contents, fetch: Fetch
) -> None:
    fetch("INSERT INTO labels (id, name, user_id) VALUES ('mine', 'mine', 'me')")
    with pytest.raises(TargetError, match=r"public\.labels already hold") as refusal:
        import_(sample)
    assert refusal.value.code == "target-not-empty"
    assert contents() == {"public.labels": 1}
    with pytest.raises(TargetError, match=r"public\.labels"):
        import_(sample, dry_run=True)


def test_table_that_the_file_does_not_concern_may_hold_rows(
    sample: Path, import_: Import, fetch: Fetch
) -> None:
    fetch("INSERT INTO users (id, email, username, password_hash)"
          " VALUES (gen_random_uuid(), 'e', 'u', 'h')")  # fmt: skip
    assert import_(sample).verified


def test_another_file_is_refused_once_one_was_imported(
    sample: Path, make_file: Callable[..., Path], import_: Import, contents: Contents
) -> None:
    import_(make_file("CREATE TABLE notes (n); INSERT INTO notes VALUES (1)"))
    before = contents()
    with pytest.raises(TargetError, match=r"already holds the import of .*old\.db"):
        import_(sample)
    assert contents() == before


def test_error_of_the_server_rolls_everything_back(
    sample: Path, import_: Import, contents: Contents, fetch: Fetch
) -> None:
    # A rule that the models do not know: the assessment cannot have foreseen it.
    fetch("ALTER TABLE task_contexts ADD CONSTRAINT unforeseen CHECK (version > 1)")
    with pytest.raises(TargetError, match="as it was before") as failure:
        import_(sample)
    assert "unforeseen" in str(failure.value.cause)
    assert contents() == {}
    assert fetch("SELECT count(*) FROM pg_tables WHERE schemaname = 'legacy'") == [4]
    fetch("ALTER TABLE task_contexts DROP CONSTRAINT unforeseen")
    assert import_(sample).verified


def test_value_that_the_server_changes_is_found_before_commit(
    sample: Path, import_: Import, contents: Contents, fetch: Fetch
) -> None:
    fetch("CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
          " 'BEGIN NEW.title = upper(NEW.title); RETURN NEW; END'")  # fmt: skip
    fetch("CREATE TRIGGER shout BEFORE INSERT ON subtasks FOR EACH ROW EXECUTE FUNCTION shout()")
    with pytest.raises(VerificationError, match="not what the file holds") as failure:
        import_(sample)
    assert "subtasks[a3c1f3f2-8d5a-4a2e-8f0a-0f9f4f5b6c7d].title" in str(failure.value.cause)
    assert contents() == {}


def test_changed_owner_is_found_before_commit(
    sample: Path, import_: Import, contents: Contents, fetch: Fetch
) -> None:
    fetch("CREATE FUNCTION steal() RETURNS trigger LANGUAGE plpgsql AS"
          " 'BEGIN NEW.user_id = ''thief''; RETURN NEW; END'")  # fmt: skip
    fetch("CREATE TRIGGER steal BEFORE INSERT ON subtasks FOR EACH ROW EXECUTE FUNCTION steal()")
    with pytest.raises(VerificationError) as failure:
        import_(sample)
    assert "user_id is not its owner" in str(failure.value.cause)
    assert contents() == {}


def test_interrupted_import_leaves_nothing(
    sample: Path, import_: Import, contents: Contents
) -> None:
    def interrupt(table: str, done: int, total: int, _sent: int) -> None:
        if table == "tasks" and done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        import_(sample, progress=interrupt)
    assert contents() == {}


def test_lost_connection_leaves_nothing_and_says_so(
    target: Engine, sample: Path, import_: Import, contents: Contents, fetch: Fetch
) -> None:
    other = create_engine(target.url)

    def cut(table: str, done: int, total: int, _sent: int) -> None:
        if table == "tasks" and done == total:
            with other.begin() as connection:
                connection.execute(
                    text(
                        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                )

    with pytest.raises(TargetError, match="as it was before"):
        import_(sample, progress=cut)
    other.dispose()
    target.dispose()
    assert contents() == {}


def test_no_statement_takes_anything_away(
    target: Engine, server: Any, sample: Path, import_: Import
) -> None:
    import_(sample)
    log = (server.data / "log" / "server.log").read_text(errors="replace")
    statements = log[log.rindex('COPY "public"."projects"') :]
    assert "COPY" in statements
    assert not re.search(r"statement: +(DROP|TRUNCATE|DELETE|UPDATE)\b", statements)


def test_archives_are_closed_to_the_roles_of_the_api(
    sample: Path, import_: Import, fetch: Fetch
) -> None:
    import_(sample)
    assert fetch("SELECT relrowsecurity FROM pg_class WHERE oid = 'legacy.tasks'::regclass") == [
        True
    ]
    assert fetch(
        "SELECT count(*) FROM information_schema.role_table_grants"
        " WHERE table_schema = 'legacy' AND table_name = 'tasks' AND grantee <> 'app_owner'"
    ) == [0]


@pytest.mark.parametrize("option", [{}, {"dry_run": True}, {"quarantine": True}])
def test_missing_file_is_an_error_of_the_source(
    tmp_path: Path, import_: Import, contents: Contents, option: dict[str, bool]
) -> None:
    with pytest.raises(SourceError) as refusal:
        import_(tmp_path / "mistyped.db", **option)
    assert refusal.value.code == "source-missing"
    assert contents() == {}
    assert not (tmp_path / "mistyped.db").exists()
