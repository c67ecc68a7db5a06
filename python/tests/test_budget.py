"""Pools that do not fit are refused before anything is deployed, and a target shows no password."""

import json
from collections.abc import Callable

import pytest
from conftest import Ended

from dhafnck_db.errors import ConfigurationError

Run = Callable[..., Ended]

POOLER = "aws-7-eu-west-1.pooler.supabase.com"
PROD = {
    "DATABASE_TYPE": "supabase",
    "SUPABASE_URL": "https://abcdefghijklmnopqrst.supabase.co",
    "SUPABASE_DB_PASSWORD": "canary-7c1e",
}
ON_POOLER = {**PROD, "SUPABASE_POOLER_HOST": POOLER}
IN_SESSION = {**PROD, "DATABASE_URL": f"postgresql://u.abc:canary-7c1e@{POOLER}:5432/postgres"}
LIMITS = ("--server", "60", "--reserved", "10", "--pooler-size", "15", "--pooler-clients", "200")


@pytest.mark.parametrize(
    ("env", "processes", "pool", "fits", "way", "allowed"),
    [
        (PROD, 1, (10, 20), True, "server", 50),
        (PROD, 2, (10, 20), False, "server", 50),
        (PROD, 5, (8, 2), True, "server", 50),
        (PROD, 5, (8, 3), False, "server", 50),
        (ON_POOLER, 6, (10, 20), True, "transaction pooler", 200),
        (ON_POOLER, 7, (10, 20), False, "transaction pooler", 200),
        (IN_SESSION, 3, (5, 0), True, "session pooler", 15),
        (IN_SESSION, 2, (5, 3), False, "session pooler", 15),
    ],
)
def test_pools_are_counted_against_the_way_they_go(
    run: Run,
    env: dict[str, str],
    processes: int,
    pool: tuple[int, int],
    fits: bool,
    way: str,
    allowed: int,
) -> None:
    size, overflow = pool
    sizes = {"DB_POOL_SIZE": str(size), "DB_MAX_OVERFLOW": str(overflow)}
    command = ("target", "budget", "--processes", str(processes), *LIMITS, "--format", "json")
    ended = run(*command, env={**env, **sizes})
    wanted = processes * (size + overflow)
    if fits:
        assert (ended.code, ended.err) == (0, "")
        found = json.loads(ended.out)
        assert (found["wanted"], found["way"], found["allowed"]) == (wanted, way, allowed)
        assert (found["fits"], found["changed"]) == (True, False)
    else:
        assert (ended.code, ended.out) == (ConfigurationError.exit_code, "")
        sentence, cause, way_out = ended.err.splitlines()
        assert sentence.startswith("error[pool-budget-exceeded]: ")
        assert sentence.endswith(f"may open {wanted} to the {way}, which allows {allowed}")
        assert cause.startswith("  cause: the limit is ")
        assert f"add up to {allowed // processes}," in way_out


def test_pool_that_is_not_set_is_the_profiles(run: Run) -> None:
    command = ("target", "budget", "--processes", "1", *LIMITS)
    assert run(*command, env=PROD).out == (
        "30 of 50 connections to the server (max_connections less the reserved ones)\n"
    )


def test_limit_that_decides_has_to_be_given(run: Run) -> None:
    ended = run("target", "budget", "--processes", "1", "--server", "60", env=ON_POOLER)
    assert (ended.code, ended.err.split(":")[0]) == (3, "error[limit-missing]")
    assert "--pooler-clients" in ended.err


def test_way_out_is_fewer_processes_where_not_one_connection_is_left(run: Run) -> None:
    command = ("target", "budget", "--processes", "60", *LIMITS)
    assert "help: run fewer processes" in run(*command, env=PROD).err


def test_target_shows_its_ways_and_no_password(run: Run) -> None:
    ended = run("target", "show", "--format", "json", env=ON_POOLER)
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert (found["environment"], found["reference"]) == ("prod", "abcdefghijklmnopqrst")
    assert [(row["use"], row["way"]) for row in found["endpoints"]] == [
        ("app", "transaction pooler"),
        ("admin, backup", "direct host"),
        ("admin, backup", "session pooler"),
    ]
    assert {row["sslmode"] for row in found["endpoints"]} == {"verify-full"}
    text = run("target", "show", env=ON_POOLER)
    assert len(text.out.splitlines()) == 4
    assert f"postgres@db.{found['reference']}.supabase.co:5432/postgres" in text.out
    assert "canary" not in ended.out + text.out
