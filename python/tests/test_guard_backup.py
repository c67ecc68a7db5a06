"""What destroys data in production also needs a backup that is whole, its own, and young."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from conftest import Ended, Server
from fix_prod import REF, no_schema_dump, production
from fix_schema import REVISIONS, catalog, execute
from sqlalchemy import URL

Run = Callable[..., Ended]

DOWNGRADE = ("schema", "downgrade", "base")


@pytest.fixture
def backup(server: Server, prod: URL, tmp_path: Path, run: Run) -> Path | None:
    """A backup of production; None where pg_dump is older than the server and makes none."""
    dump = tmp_path / "backups" / "whole.dump"
    dump.parent.mkdir()
    ended = run("backup", "create", str(dump), env=production(prod))
    if no_schema_dump(server, prod, ended):
        assert downgrade(prod, run).err.startswith("error[backup-missing]: ")
        return None
    assert ended.code == 0, ended.err
    return dump


def downgrade(prod: URL, run: Run, **more: str) -> Ended:
    env = production(prod, DB_BACKUP_DIR="backups", SUPABASE_CONFIRM=REF, **more)
    return run(*DOWNGRADE, env=env)


def test_downgrade_goes_on_with_a_verified_backup(prod: URL, backup: Path | None, run: Run) -> None:
    if backup is None:
        return
    execute(prod, "ANALYZE dhafnck.identity")
    ended = downgrade(prod, run)
    assert ended.code == 0, ended.err
    assert f"  backup    backups/{backup.name}, of " in ended.err
    assert f"  undoes    {', '.join(reversed(REVISIONS))}\n" in ended.err
    assert "  rows      about 1 in the project's tables\n" in ended.err


def change(**changes: object) -> Callable[[Path], None]:
    """A way to change the record of a dump."""

    def do(dump: Path) -> None:
        record = dump.with_name(f"{dump.name}.json")
        record.write_text(json.dumps({**json.loads(record.read_text()), **changes}))

    return do


def nonsense(dump: Path) -> None:
    """Replace a dump by what pg_restore cannot read, with the right size and hash."""
    dump.write_bytes(b"PGDMP nonsense")
    content = dump.read_bytes()
    change(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))(dump)


OLD = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda dump: dump.with_name(f"{dump.name}.json").unlink(), ""),
        (lambda dump: dump.unlink(), "is gone"),
        (lambda dump: dump.write_bytes(dump.read_bytes()[:-1]), "is not what was recorded"),
        (nonsense, "cannot be read by pg_restore"),
        (change(created_at=OLD), "is of "),
        (change(created_at=LATER), "is of "),
        (change(kind="schema"), "holds the schema alone"),
        (change(reference="another"), "is of another database"),
        (change(environment="dev"), "is of another database"),
    ],
)
def test_downgrade_without_a_verified_backup_is_refused(
    prod: URL, backup: Path | None, run: Run, spoil: Callable[[Path], None], why: str
) -> None:
    if backup is None:
        return
    spoil(backup)
    before = catalog(prod)
    ended = downgrade(prod, run)
    assert (ended.code, ended.out) == (7, "")
    assert ended.err.startswith("error[backup-missing]: ")
    assert why in ended.err
    assert catalog(prod) == before


def test_oldest_backup_that_counts_is_a_setting(prod: URL, backup: Path | None, run: Run) -> None:
    if backup is None:
        return
    change(created_at=OLD)(backup)
    assert downgrade(prod, run, DB_BACKUP_MAX_AGE="1d").code == 7
    assert downgrade(prod, run, DB_BACKUP_MAX_AGE="2d").code == 0
