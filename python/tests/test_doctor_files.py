"""Each fault of the env file gives its own finding, and no value of it is ever shown."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended, configuration
from sqlalchemy import URL
from test_doctor import findings

Run = Callable[..., Ended]
CANARY = "canary-91be"


@pytest.fixture
def env_file(tmp_path: Path, shared: URL) -> Path:
    """An env file of a healthy development database, in the folder that commands run in."""
    path = tmp_path / ".env.dev"
    lines = [f"{name}='{_escaped(value)}'\n" for name, value in configuration(shared).items()]
    path.write_text("".join([f"SUPABASE_ANON_KEY={CANARY}\n", *lines]))
    path.chmod(0o600)
    return path


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("'", "\\'")


def examine(run: Run, **env: str) -> list[str]:
    ended = run("doctor", "--format", "json", env=env)
    assert CANARY not in ended.out + ended.err
    return list(findings(ended))


def add(path: Path, line: str) -> None:
    path.write_text(path.read_text() + line + "\n")


def test_file_in_order_has_no_finding(run: Run, env_file: Path) -> None:
    assert examine(run) == []
    ended = run("doctor", "--format", "json", env={})
    (owner,) = [c for c in json.loads(ended.out)["checks"] if c["name"] == "env file owner"]
    assert owner["status"] == "ok"


def test_missing_file_is_one_finding(run: Run) -> None:
    ended = run("doctor", "--format", "json", env={})
    (found,) = json.loads(ended.out)["findings"]
    assert (found["name"], found["fix"].startswith("run `make dev`")) == ("env file", True)


def test_file_that_others_may_read_is_found(run: Run, env_file: Path) -> None:
    env_file.chmod(0o644)
    assert examine(run) == ["env file mode"]


def test_duplicate_key_is_found(run: Run, env_file: Path) -> None:
    add(env_file, f"DB_POOL_SIZE=1\nDB_POOL_SIZE={CANARY}")
    assert examine(run) == ["duplicate key"]


@pytest.mark.parametrize(
    ("line", "env"),
    [
        ("DATABASE_TYPE=supabase", {"DATABASE_TYPE": "postgresql"}),
        (f"DATABASE_TYPE={CANARY}", {}),
        ("", {"DATABASE_TYPE": CANARY}),
        ("", {"DATABASE_URL": f"postgresql://u:{CANARY}@db.abcdefghijklmnopqrst.supabase.co/d"}),
    ],
)
def test_contradicting_type_is_found(
    run: Run, env_file: Path, line: str, env: dict[str, str]
) -> None:
    add(env_file, line)
    assert examine(run, **env) == ["DATABASE_TYPE"]


@pytest.mark.parametrize("line", [f"DB_POOL_TIMEOUT={CANARY}", f"SUPABASE_CONFIRM={CANARY}"])
def test_setting_that_cannot_be_used_is_found(run: Run, env_file: Path, line: str) -> None:
    add(env_file, line)
    assert examine(run) == ["configuration"]


def test_file_without_a_database_is_found(run: Run, env_file: Path) -> None:
    env_file.write_text("DB_POOL_SIZE=1\n")
    assert examine(run) == ["configuration"]


def test_folder_in_its_place_is_found(run: Run, tmp_path: Path) -> None:
    (tmp_path / ".env.dev").mkdir(mode=0o700)
    assert examine(run) == ["env file"]


def test_file_that_is_no_text_is_found(run: Run, env_file: Path) -> None:
    env_file.write_bytes(b"\xff\xfe")
    assert examine(run) == ["env file"]


@pytest.mark.parametrize("leads_to", ["moved", "nowhere"])
def test_link_is_found_and_not_followed(
    run: Run, env_file: Path, tmp_path: Path, leads_to: str
) -> None:
    env_file.rename(tmp_path / "moved")
    env_file.symlink_to(tmp_path / leads_to)
    assert examine(run) == ["env file owner"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives a file away")
def test_file_of_another_user_is_found(run: Run, env_file: Path) -> None:
    os.chown(env_file, 65534, -1)
    assert examine(run) == ["env file owner"]


def test_mark_and_line_ends_of_windows_are_fine(run: Run, env_file: Path) -> None:
    env_file.write_bytes(b"\xef\xbb\xbf" + env_file.read_bytes().replace(b"\n", b"\r\n"))
    assert examine(run) == []
