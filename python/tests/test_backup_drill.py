"""A drill proves a backup by restoring it; what is wrong, or prevents it, is a failure."""

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from conftest import Ended, Server, configuration
from fix_backup import FOLDER, PROGRAM, make
from fix_schema import execute
from sqlalchemy import URL

from dhafnck_db.scratch import SUPERUSER

Run = Callable[..., Ended]


def left_over() -> set[Path]:
    return set(Path(tempfile.gettempdir()).glob("dhafnck-drill-*"))


def result(tmp_path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads((tmp_path / FOLDER / "drill.json").read_text())
    return found


def test_drill_proves_a_backup_and_leaves_nothing(
    filled: URL, dump: Path, tmp_path: Path, run: Run
) -> None:
    before = left_over()
    ended = run("backup", "drill", "--format", "json", env=configuration(filled))
    assert ended.code == 0, ended.err
    done = json.loads(ended.out)
    assert done["ok"] is True
    assert (done["backup"], done["finding"]) == (dump.name, "as recorded")
    assert done["rows"] == 40 + 5 + sum_of_bookkeeping(filled)
    assert done["seconds"] > 0
    assert set(done["checks"]) >= {"extensions", "read-write"}
    assert result(tmp_path) == {key: done[key] for key in done if key != "changed"}
    assert left_over() == before
    assert "last drill: " in run("backup", "list", env=configuration(filled)).out


def sum_of_bookkeeping(url: URL) -> int:
    tables = ("alembic_version", "dhafnck.identity", "dhafnck.revisions", "dhafnck.audit")
    return sum(int(execute(url, f"SELECT count(*) FROM {table}")[0][0]) for table in tables)  # noqa: S608


def test_what_a_killed_drill_left_is_removed_by_the_next(
    filled: URL, dump: Path, tmp_path: Path, run: Run
) -> None:
    killed = subprocess.Popen(
        [PROGRAM, "backup", "drill"], env=os.environ | configuration(filled), cwd=tmp_path
    )
    while not (connections := [*map(connected, left_over())]) or connections[0] is None:
        assert killed.poll() is None
        time.sleep(0.01)
    killed.kill()
    killed.wait()
    with closing(connections[0]) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT 1")  # the server runs on
        ended = run("backup", "drill", env=configuration(filled))
        assert ended.code == 0, ended.err
        assert left_over() == set()
        with pytest.raises(psycopg2.DatabaseError, match="closed the connection"):
            cursor.execute("SELECT 1")


def connected(folder: Path) -> psycopg2.extensions.connection | None:
    """A connection to the server of a drill's folder, once it takes one."""
    try:
        return psycopg2.connect(host=folder / "server", user=SUPERUSER, dbname="postgres")
    except psycopg2.OperationalError:
        return None


def test_drill_sees_rows_written_after_the_snapshot_neither_in_dump_nor_in_record(
    filled: URL, dump: Path, run: Run
) -> None:
    execute(filled, "DELETE FROM projects")
    assert run("backup", "drill", str(dump), env=configuration(filled)).code == 0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda record: record["tables"]["public.projects"].update(rows=41), "has 40 rows"),
        (lambda record: record["tables"]["public.users"].update(checksum="0:0"), "other values"),
        (
            lambda record: record["tables"].update({"public.more": {"rows": 0, "checksum": "0:0"}}),
            "public.more is missing",
        ),
        (lambda record: record["sequences"].update({"dhafnck.audit_id_seq": 9}), "recorded 9"),
        (lambda record: record.update(revision="0001"), "recorded 0001"),
        (
            lambda record: record["catalog"].update({"relation public.projects": "0"}),
            "relation public.projects is otherwise",
        ),
    ],
)
def test_drill_tells_what_differs(
    filled: URL,
    dump: Path,
    tmp_path: Path,
    run: Run,
    change: Callable[[dict[str, object]], None],
    said: str,
) -> None:
    place = tmp_path / f"{dump}.json"
    record = json.loads(place.read_text())
    change(record)
    place.write_text(json.dumps(record))
    ended = run("backup", "drill", env=configuration(filled))
    assert (ended.code, ended.out) == (6, "")
    assert ended.err.startswith("error[restored-differs]: ")
    assert said in ended.err
    assert result(tmp_path)["ok"] is False


def test_drill_without_a_server_is_a_failure(
    filled: URL, dump: Path, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dhafnck_db.scratch.INSTALLED", tmp_path)
    ended = run("backup", "drill", env=configuration(filled))
    assert ended.code == 5
    assert ended.err.startswith("error[server-programs-missing]: ")
    assert result(tmp_path)["ok"] is False


def test_drill_of_grants_and_owners(filled: URL, tmp_path: Path, run: Run) -> None:
    execute(
        filled,
        "CREATE SCHEMA more",
        "CREATE TABLE more.kept (id int GENERATED ALWAYS AS IDENTITY, old int, name varchar)",
        "ALTER TABLE more.kept DROP COLUMN old",
        "ALTER TABLE more.kept ADD CONSTRAINT one CHECK (name IN ('a', 'b'))",
        "INSERT INTO more.kept (name) VALUES ('a'), ('a'), ('b')",
        "CREATE FUNCTION more.f() RETURNS uuid LANGUAGE sql BEGIN ATOMIC SELECT auth.uid(); END",
        "CREATE VIEW more.seen AS SELECT name, more.f() FROM more.kept",
        "GRANT USAGE ON SCHEMA more TO authenticated, anon",
        "GRANT SELECT (name), UPDATE (name) ON more.kept TO authenticated",
        "ALTER DEFAULT PRIVILEGES IN SCHEMA more GRANT SELECT ON TABLES TO anon",
        "SELECT lo_from_bytea(0, 'large')",
    )
    make(run, filled, tmp_path)
    ended = run("backup", "drill", env=configuration(filled))
    assert ended.code == 0, ended.err


def test_encrypted_backup_is_readable_with_its_key_alone(
    filled: URL, recipient: str, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    encrypted = make(run, filled, tmp_path, DB_BACKUP_RECIPIENT=recipient)
    assert encrypted.suffix == ".gpg"
    assert not (tmp_path / encrypted).read_bytes().startswith(b"PGDMP")
    for command in ("verify", "drill"):
        ended = run("backup", command, env=configuration(filled))
        assert ended.code == 0, ended.err
    (tmp_path / "empty").mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(tmp_path / "empty"))
    for command in ("verify", "drill"):
        ended = run("backup", command, env=configuration(filled))
        assert ended.code == 6
        assert ended.err.startswith("error[backup-damaged]: ")
        assert "cannot be read: gpg: " in ended.err
    subprocess.run(["gpgconf", "--kill", "all"], capture_output=True)


def test_backup_encrypted_with_age_is_readable_with_its_identity_alone(
    filled: URL, tmp_path: Path, run: Run
) -> None:
    if shutil.which("age") is None:
        assert "TEST_EVERYTHING" not in os.environ
        pytest.skip("no program age: install the package age")
    key, other = tmp_path / "key", tmp_path / "other"
    for path in (key, other):
        subprocess.run(["age-keygen", "--output", path], check=True, capture_output=True)
    recipient = key.read_text().partition("public key: ")[2].split()[0]
    encrypted = make(run, filled, tmp_path, DB_BACKUP_RECIPIENT=recipient)
    assert encrypted.suffix == ".age"
    assert (tmp_path / encrypted).read_bytes().startswith(b"age-encryption.org/")
    for command in ("verify", "drill"):
        ended = run("backup", command, env=configuration(filled, DB_BACKUP_IDENTITY=str(key)))
        assert ended.code == 0, ended.err
        ended = run("backup", command, env=configuration(filled, DB_BACKUP_IDENTITY=str(other)))
        assert ended.code == 6
        assert "cannot be read: age: " in ended.err
        ended = run("backup", command, env=configuration(filled))
        assert ended.code == 6
        assert "no identity is named" in ended.err


def test_unknown_recipient_makes_no_dump(filled: URL, tmp_path: Path, run: Run) -> None:
    ended = run("backup", "create", env=configuration(filled, DB_BACKUP_RECIPIENT="A" * 40))
    assert ended.code == 5
    assert ended.err.startswith("error[dump-failed]: ")
    assert not list((tmp_path / FOLDER).glob("*.dump*"))


def test_dump_that_fails_is_not_hidden_by_its_encryption(
    server: Server, filled: URL, recipient: str, tmp_path: Path, run: Run
) -> None:
    with closing(server.connect(str(filled.database))) as superuser, superuser.cursor() as cursor:
        cursor.execute("CREATE TABLE public.closed (id int)")  # the owner may not read it
    ended = run("backup", "create", env=configuration(filled, DB_BACKUP_RECIPIENT=recipient))
    assert ended.code == 5
    assert "permission denied for table closed" in ended.err
    assert not list((tmp_path / FOLDER).glob("*.dump*"))
