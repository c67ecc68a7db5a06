"""The platform's own backups count beside the project's own, and health tells when all are old."""

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import standin
from conftest import Ended, configuration
from fix_prod import REF, production
from sqlalchemy import URL
from standin import TOKEN, Standin

Run = Callable[..., Ended]
Json = Callable[..., dict[str, Any]]
Told = tuple[str, str]


@pytest.fixture
def api(tmp_path: Path) -> Iterator[Standin]:
    with standin.running(tmp_path) as running:
        yield running


@pytest.fixture
def asked(api: Standin) -> dict[str, str]:
    """The variables with which the Management API is asked."""
    return {"SUPABASE_API_URL": api.url, "SUPABASE_ACCESS_TOKEN": TOKEN}


def ago(**age: float) -> str:
    return (datetime.now(UTC) - timedelta(**age)).isoformat(timespec="seconds")


def listed(
    *made: str, status: str = "COMPLETED", physical: dict[str, int] | None = None
) -> dict[str, Any]:
    """What the API says of a project with backups of these moments."""
    backups = [
        {"id": number, "is_physical_backup": True, "status": status, "inserted_at": moment}
        for number, moment in enumerate(made)
    ]
    found = {"region": "eu-central-1", "walg_enabled": True, "pitr_enabled": physical is not None}
    return {**found, "backups": backups, "physical_backup_data": physical or {}}


def checked(run: Run, url: URL, tmp_path: Path, **more: str) -> Told:
    """What health says of backups."""
    env = production(url, DB_BACKUP_DIR=str(tmp_path / "backups"), **more)
    ended = run("health", "--format", "json", env=env)
    checks = {check["name"]: check for check in json.loads(ended.out)["checks"]}
    return checks["backups"]["status"], checks["backups"]["finding"]


def write_own(tmp_path: Path, done: Json, url: URL, created_at: str) -> None:
    """A backup of production, recorded at a moment."""
    folder = tmp_path / "backups"
    made = done("backup", "create", env=production(url, DB_BACKUP_DIR=str(folder)))
    place = Path(made["path"] + ".json")
    record = json.loads(place.read_text()) | {"created_at": created_at}
    place.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("own", "managed", "status", "said"),
    [
        (None, listed(ago(hours=3)), "ok", "the newest (managed) is of "),
        (None, listed(ago(hours=30)), "warning", ", overdue"),
        (None, listed(ago(hours=1), status="FAILED"), "warning", "there is none"),
        (None, listed(), "warning", "there is none"),
        (ago(hours=3), listed(ago(hours=30)), "ok", "the newest (own) is of "),
        (ago(hours=30), listed(ago(hours=3)), "ok", "the newest (managed) is of "),
        (ago(hours=30), listed(ago(hours=31)), "warning", ", overdue"),
    ],
)
def test_health_is_degraded_when_the_newest_of_both_is_too_old(
    prod: URL,
    api: Standin,
    asked: dict[str, str],
    run: Run,
    done: Json,
    tmp_path: Path,
    client_fits: None,
    own: str | None,
    managed: dict[str, Any],
    status: str,
    said: str,
) -> None:
    api.change(backups=managed)
    if own is not None:
        write_own(tmp_path, done, prod, own)
    found = checked(run, prod, tmp_path, **asked)
    assert found[0] == status
    assert said in found[1]


def test_recovery_to_any_moment_counts_up_to_its_newest_moment(
    prod: URL, api: Standin, asked: dict[str, str], run: Run, tmp_path: Path
) -> None:
    latest = int(time.time()) - 120
    reachable = {
        "earliest_physical_backup_date_unix": latest - 9,
        "latest_physical_backup_date_unix": latest,
    }
    api.change(backups=listed(ago(days=2), physical=reachable))
    assert checked(run, prod, tmp_path, **asked)[0] == "ok"


def test_development_needs_none(at_head: URL, run: Run) -> None:
    ended = run("health", "--format", "json", env=configuration(at_head))
    checks = {check["name"]: check["status"] for check in json.loads(ended.out)["checks"]}
    assert (ended.code, checks["backups"]) == (0, "ok")


def test_list_shows_them_beside_the_own(
    prod: URL, api: Standin, asked: dict[str, str], done: Json, run: Run, tmp_path: Path
) -> None:
    made = ago(hours=3)
    api.change(backups=listed(made, ago(days=1)))
    env = production(prod, DB_BACKUP_DIR=str(tmp_path), **asked)
    assert done("backup", "list", env=env)["managed"] == {
        "point_in_time_recovery": False,
        "last": made,
        "count": 2,
        "unknown": None,
    }
    said = f"managed by Supabase: 2, the newest of {made}, without point-in-time recovery\n"
    assert run("backup", "list", env=env).out.endswith(said)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"status": 401}, "SUPABASE_ACCESS_TOKEN is not valid, or no longer"),
        ({"status": 403}, "the token may not see this project's backups"),
        ({"status": 500}, "the API said HTTP 500"),
        ({"status": 302, "location": "http://127.0.0.1:1/"}, "the API said HTTP 302"),
        ({"drop": True}, "the API cannot be reached"),
        ({"delay": 4}, "no answer within 2 s"),
        ({"empty": True}, "the API's answer is not a list of backups"),
    ],
)
def test_what_the_api_does_not_tell_is_said(
    api: Standin,
    asked: dict[str, str],
    prod: URL,
    run: Run,
    tmp_path: Path,
    fault: dict[str, Any],
    said: str,
) -> None:
    api.fail(**fault)
    started = time.monotonic()
    found = checked(run, prod, tmp_path, **asked)
    assert found == ("warning", f"there is none; managed ones are not known: {said}")
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("token", ["", "two\nlines"])
def test_token_that_is_none_stays_unsaid(
    prod: URL, asked: dict[str, str], run: Run, tmp_path: Path, token: str
) -> None:
    env = production(prod, DB_BACKUP_DIR=str(tmp_path), **asked | {"SUPABASE_ACCESS_TOKEN": token})
    ended = run("backup", "list", env=env)
    assert "managed by Supabase: not known: " in ended.out
    assert "lines" not in ended.out + ended.err


def test_project_is_that_of_the_url(api: Standin, asked: dict[str, str], run: Run) -> None:
    env = {"DATABASE_TYPE": "supabase", "SUPABASE_URL": f"https://{REF}.supabase.co", **asked}
    assert run("backup", "list", env=env).code == 0
    assert api.requests == ["GET /database/backups"]
