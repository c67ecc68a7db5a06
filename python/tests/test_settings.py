"""What is accepted as a configuration, what is refused, and that no refusal shows a value."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Ended
from pydantic import SecretStr

from dhafnck_db.env_file import read_env_file
from dhafnck_db.errors import ConfigurationError
from dhafnck_db.settings import Settings, load_settings

Configure = Callable[[dict[str, str]], None]
Run = Callable[..., Ended]

DEV = "postgresql://dev:secret@localhost:5432/app"
PROD = {
    "DATABASE_TYPE": "supabase",
    "SUPABASE_URL": "https://abc.supabase.co",
    "SUPABASE_DB_PASSWORD": "secret",
}
CANARY = "canary-7c1e"


def write_env_file(path: Path, text: str, *, newline: str = "\n", encoding: str = "utf-8") -> Path:
    path.write_text(text, encoding=encoding, newline=newline)
    path.chmod(0o600)
    return path


def shown(settings: Settings) -> dict[str, Any]:
    """The settings that are not as by default, secrets included."""
    given = settings.model_dump(exclude_defaults=True)
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in given.items()
    }


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"DATABASE_URL": DEV}, {"database_url": DEV}),
        ({"DATABASE_URL": DEV, "DATABASE_TYPE": "postgresql"}, {"database_url": DEV}),
        ({"DATABASE_URL": DEV, "DATABASE_TYPE": ""}, {"database_url": DEV}),
        (
            {"DATABASE_URL": DEV, "TEST_DATABASE_URL": DEV},
            {"database_url": DEV, "test_database_url": DEV},
        ),
        (
            {"DATABASE_URL": DEV, "DB_POOL_SIZE": "5", "DB_MAX_OVERFLOW": "0"},
            {"database_url": DEV, "db_pool_size": 5, "db_max_overflow": 0},
        ),
        (
            {"DATABASE_URL": DEV, "DB_POOL_TIMEOUT": "2.5", "DB_ECHO": "false"},
            {"database_url": DEV, "db_pool_timeout": 2.5, "db_echo": False},
        ),
        (
            {"DATABASE_URL": DEV, "DB_LOCK_WAIT": "0", "DB_LOCK_TIMEOUT": "300ms"},
            {"database_url": DEV, "db_lock_wait": 0, "db_lock_timeout": "300ms"},
        ),
        (
            {"DATABASE_URL": DEV, "DB_CLIENT_BIN": "/opt/bin"},
            {"database_url": DEV, "db_client_bin": Path("/opt/bin")},
        ),
        ({"DATABASE_URL": DEV, "DB_POOL_SIZE": ""}, {"database_url": DEV}),
        (
            PROD,
            {
                "database_type": "supabase",
                "supabase_url": "https://abc.supabase.co",
                "supabase_db_password": "secret",
            },
        ),
        (
            {"DATABASE_TYPE": "supabase", "DATABASE_URL": DEV},
            {"database_type": "supabase", "database_url": DEV},
        ),
    ],
)
def test_environment_is_accepted(
    configure: Configure, variables: dict[str, str], expected: dict[str, Any]
) -> None:
    configure(variables)
    assert shown(load_settings()) == expected


@pytest.mark.parametrize(
    ("variables", "code", "named"),
    [
        ({}, "setting-missing", "DATABASE_URL"),
        ({"DATABASE_URL": ""}, "setting-missing", "DATABASE_URL"),
        ({"DATABASE_TYPE": "sqlite"}, "unknown-database-type", "postgresql or supabase"),
        ({"DATABASE_TYPE": "PostgreSQL"}, "unknown-database-type", "DATABASE_TYPE"),
        ({"DATABASE_TYPE": "supabase"}, "setting-missing", "SUPABASE_URL and SUPABASE_DB_PASSWORD"),
        ({**PROD, "SUPABASE_URL": ""}, "setting-missing", "SUPABASE_URL"),
        ({**PROD, "SUPABASE_DB_PASSWORD": ""}, "setting-missing", "SUPABASE_DB_PASSWORD"),
        ({**PROD, "SUPABASE_URL": "abc"}, "invalid-url", "SUPABASE_URL"),
        ({**PROD, "SUPABASE_URL": "https://[abc"}, "invalid-url", "SUPABASE_URL"),
        ({"DATABASE_URL": "nonsense"}, "invalid-url", "DATABASE_URL"),
        ({"DATABASE_URL": "mysql://u@h/db"}, "invalid-url", "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u@h"}, "invalid-url", "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u@h:port/db"}, "invalid-url", "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql://u:p@ss@h/db"}, "invalid-url", "DATABASE_URL"),
        ({"DATABASE_URL": "postgresql:///db?host=a&host=b"}, "invalid-url", "DATABASE_URL"),
        ({"DATABASE_URL": DEV, "TEST_DATABASE_URL": "x"}, "invalid-url", "TEST_DATABASE_URL"),
        ({"DATABASE_URL": DEV, "DB_POOL_SIZE": "0"}, "invalid-setting", "DB_POOL_SIZE"),
        ({"DATABASE_URL": DEV, "DB_POOL_SIZE": "ten"}, "invalid-setting", "DB_POOL_SIZE"),
        ({"DATABASE_URL": DEV, "DB_MAX_OVERFLOW": "-1"}, "invalid-setting", "DB_MAX_OVERFLOW"),
        ({"DATABASE_URL": DEV, "DB_POOL_TIMEOUT": "0"}, "invalid-setting", "DB_POOL_TIMEOUT"),
        ({"DATABASE_URL": DEV, "DB_LOCK_TIMEOUT": "5 s"}, "invalid-setting", "DB_LOCK_TIMEOUT"),
        ({"DATABASE_URL": DEV, "DB_METADATA": "models"}, "invalid-setting", "DB_METADATA"),
        ({"DB_ENV_FILE": "missing.env"}, "env-file-unreadable", "missing.env"),
        *(
            ({"DATABASE_URL": url}, "environment-contradicts-url", "DATABASE_URL")
            for url in (
                "postgresql://postgres:p@db.abc.supabase.co/postgres",
                "postgresql://postgres:p@DB.ABC.SUPABASE.CO./postgres",
                "postgresql://postgres:p#/?x@db.abc.supabase.co/postgres",
                "postgresql://postgres.abc:p@aws-0-eu.pooler.supabase.com:6543/postgres",
                "postgresql:///postgres?host=db.abc.supabase.co",
            )
        ),
    ],
)
def test_environment_is_refused(run: Run, variables: dict[str, str], code: str, named: str) -> None:
    ended = run("schema", "current", env=variables)
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith(f"error[{code}]: ")
    assert named in ended.err


def test_environment_wins_over_the_file(configure: Configure, tmp_path: Path) -> None:
    write_env_file(tmp_path / ".env.dev", f"DATABASE_URL={DEV}\nDB_POOL_SIZE=3\nDB_ECHO=1\n")
    configure({"DB_POOL_SIZE": "7", "DB_ECHO": ""})
    assert shown(load_settings()) == {"database_url": DEV, "db_pool_size": 7, "db_echo": True}


@pytest.mark.parametrize(("database_type", "pool"), [(None, 1), ("postgresql", 1), ("supabase", 2)])
def test_database_type_picks_the_file(
    configure: Configure, tmp_path: Path, database_type: str | None, pool: int
) -> None:
    for number, name in ((1, ".env.dev"), (2, ".env.prod")):
        write_env_file(tmp_path / name, f"DATABASE_URL={DEV}\nDB_POOL_SIZE={number}\n")
    configure({"DATABASE_TYPE": database_type} if database_type else {})
    assert load_settings().db_pool_size == pool


def test_named_file_is_read_instead_of_the_usual_one(configure: Configure, tmp_path: Path) -> None:
    write_env_file(tmp_path / ".env.dev", "DB_POOL_SIZE=1\n")
    named = write_env_file(tmp_path / "other", f"DATABASE_TYPE=supabase\nDATABASE_URL={DEV}\n")
    configure({"DB_ENV_FILE": str(named)})
    settings = load_settings()
    assert (settings.database_type, settings.db_pool_size) == ("supabase", None)


def test_dev_null_is_an_env_file_without_variables(configure: Configure, tmp_path: Path) -> None:
    write_env_file(tmp_path / ".env.dev", "DATABASE_TYPE=sqlite\n")
    configure({"DATABASE_TYPE": "postgresql", "DATABASE_URL": DEV, "DB_ENV_FILE": "/dev/null"})
    assert shown(load_settings()) == {"database_url": DEV, "db_env_file": Path("/dev/null")}


def test_file_of_the_other_environment_is_refused(run: Run, tmp_path: Path) -> None:
    named = write_env_file(tmp_path / "other", f"DATABASE_TYPE=supabase\nDATABASE_URL={DEV}\n")
    env = {"DATABASE_TYPE": "postgresql", "DB_ENV_FILE": str(named)}
    ended = run("schema", "current", env=env)
    assert (ended.code, ended.err.split(":")[0]) == (3, "error[environment-contradicts-file]")
    assert "DATABASE_TYPE" in ended.err


def test_key_given_twice_is_refused_by_name(run: Run, tmp_path: Path) -> None:
    text = f"DATABASE_URL={DEV}\nDB_POOL_SIZE=1\nDATABASE_URL={CANARY}\n"
    write_env_file(tmp_path / ".env.dev", text)
    ended = run("schema", "current", env={})
    assert (ended.code, ended.err.split(":")[0]) == (3, "error[duplicate-key]")
    assert "DATABASE_URL" in ended.err
    assert CANARY not in ended.err


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_file_that_others_may_read_is_refused(run: Run, tmp_path: Path, mode: int) -> None:
    write_env_file(tmp_path / ".env.dev", f"DATABASE_URL={DEV}\n").chmod(mode)
    ended = run("schema", "current", env={})
    assert (ended.code, ended.err.split(":")[0]) == (3, "error[env-file-open]")
    assert "chmod 600" in ended.err


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_file_of_another_system_is_read(
    configure: Configure, tmp_path: Path, newline: str, encoding: str
) -> None:
    text = f"DATABASE_URL='{DEV}'\n\n# pool\nDB_POOL_SIZE=4\n"
    write_env_file(tmp_path / ".env.dev", text, newline=newline, encoding=encoding)
    configure({})
    assert shown(load_settings()) == {"database_url": DEV, "db_pool_size": 4}


def test_file_that_is_not_utf8_is_refused(configure: Configure, tmp_path: Path) -> None:
    write_env_file(tmp_path / ".env.dev", "DATABASE_URL=ä\n", encoding="latin-1")
    configure({})
    with pytest.raises(ConfigurationError, match="env-file-unreadable"):
        load_settings()


@pytest.mark.parametrize(
    "value", ["$HOME", "${HOME}", "a${HOME}b", 'say "x"', "#no comment", "a b", "`x`", "50%", "ä"]
)
def test_value_of_the_file_stays_literal(configure: Configure, tmp_path: Path, value: str) -> None:
    write_env_file(tmp_path / ".env.dev", f"DATABASE_URL='{DEV}'\nSUPABASE_ANON_KEY='{value}'\n")
    configure({})
    assert shown(load_settings())["supabase_anon_key"] == value
    assert read_env_file(tmp_path / ".env.dev")["SUPABASE_ANON_KEY"] == value


# The path of the env file is the one value that an error has to name.
@pytest.mark.parametrize("field", [f for f in Settings.model_fields if f != "db_env_file"])
@pytest.mark.parametrize(
    "value",
    [
        CANARY,
        f"postgresql://u:{CANARY}@127.0.0.1:1/db",
        f"postgresql://u:p@{CANARY}@127.0.0.1:1/db",
        f"postgresql://u:p@{CANARY}/x@127.0.0.1:1/db",
        f"https://[{CANARY}",
    ],
)
@pytest.mark.parametrize("place", ["environment", "file"])
def test_no_error_shows_a_value(
    run: Run, tmp_path: Path, field: str, value: str, place: str
) -> None:
    given = {"DATABASE_URL": "postgresql://u:p@127.0.0.1:1/db", field.upper(): value}
    if place == "file":
        lines = [f"{name}='{text}'\n" for name, text in given.items()]
        write_env_file(tmp_path / ".env.dev", "".join(lines))
        given = {"DB_ENV_FILE": ".env.dev"}
    ended = run("schema", "current", env=given)
    assert ended.code in (3, 5)
    assert CANARY not in ended.out + ended.err
