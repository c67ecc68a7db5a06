"""`parity` and `snapshot` as they are typed: sides, formats, expected differences, no secret."""

import json
import re
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from conftest import OWNER, PASSWORD, Ended, Server, configuration
from fix_prod import production
from fix_schema import HEAD, execute
from sqlalchemy import URL

Run = Callable[..., Ended]
JSON = ("--format", "json")


def env_file(path: Path, variables: dict[str, str]) -> Path:
    path.write_text("".join(f"{name}='{value}'\n" for name, value in variables.items()))
    path.chmod(0o600)
    return path


@pytest.fixture
def pair(server: Server, shared: URL, prod: URL, tmp_path: Path) -> URL:
    """A folder with the env files of a development and a production that are alike."""
    env_file(tmp_path / ".env.dev", configuration(shared))
    env_file(tmp_path / ".env.prod", production(prod))
    return prod


def test_environments_that_are_alike_have_no_difference(pair: URL, run: Run) -> None:
    ended = run("parity", env={})
    assert (ended.code, ended.err) == (0, "")
    lines = ended.out.splitlines()
    assert [line.split()[:5] for line in lines[1:3]] == [
        ["from", "dev", "PostgreSQL", lines[1].split()[3], HEAD],
        ["to", "prod", "PostgreSQL", lines[1].split()[3], HEAD],
    ]
    assert lines[-1] == "no difference"


def test_environment_of_the_process_has_no_say(pair: URL, run: Run) -> None:
    there = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "DB_SSLMODE": "require"}
    assert run("parity", env=there).code == 0


def test_difference_is_shown_with_what_closes_it(pair: URL, run: Run) -> None:
    execute(pair, "ALTER TABLE tasks ALTER title SET DEFAULT 'none'")
    ended = run("parity", env={})
    assert (ended.code, ended.err) == (6, "")
    assert ended.out.endswith(
        "\nbreaks  column public.tasks.title default: none -> 'none'::character varying\n"
        "  ALTER TABLE public.tasks ALTER COLUMN title DROP DEFAULT;\n\n"
        "1 difference: 1 breaks, 0 drift, 0 expected\n"
    )


def test_swapped_sides_close_the_other_one(pair: URL, run: Run) -> None:
    execute(pair, "ALTER TABLE tasks ALTER title SET DEFAULT 'none'")
    ended = run("parity", "--from", "prod", "--to", "dev", env={})
    assert "  ALTER TABLE public.tasks ALTER COLUMN title SET DEFAULT 'none'" in ended.out


def test_kept_snapshot_stands_for_a_database(
    pair: URL, prod: URL, tmp_path: Path, run: Run
) -> None:
    kept = tmp_path / "prod.json"
    kept.write_text(run("snapshot", env=production(prod)).out)
    (tmp_path / ".env.prod").unlink()
    ended = run("parity", "--to", "prod.json", *JSON, env={})
    result = json.loads(ended.out)
    assert (ended.code, result["clean"], result["differences"]) == (0, True, [])
    assert result["to"]["recorded"]
    assert not result["from"]["recorded"]


def test_snapshot_holds_no_secret(server: Server, at_head: URL, run: Run) -> None:
    token = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoiYW5vbiJ9.c2lnbmF0dXJl"
    execute(
        at_head,
        "CREATE FUNCTION tell() RETURNS text LANGUAGE sql AS "
        f"$$ SELECT 'host=far user=me password=geheim' || '{token}' $$",
        "COMMENT ON TABLE tasks IS 'pwd = geheim'",
    )
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute(f"ALTER DATABASE {at_head.database} SET app.jwt = 'geheim'")
    out = run("snapshot", env=configuration(at_head)).out
    for secret in ("geheim", token, PASSWORD):
        assert secret not in out
    assert not re.search("password|eyJ", out, re.IGNORECASE)
    kept = json.loads(out)
    assert (kept["changed"], kept["owner"]) == (False, OWNER)
    assert ["column", "public.users", "password_hash"] in [thing[:3] for thing in kept["things"]]


def test_other_secret_is_a_difference_that_nothing_shows(
    server: Server, pair: URL, run: Run
) -> None:
    tell = "CREATE FUNCTION tell() RETURNS text LANGUAGE sql AS $$ SELECT 'password={}' $$"
    execute(pair, tell.format("geheim"))
    ended = run("parity", env={})
    assert ended.code == 6
    assert "geheim" not in ended.out
    swapped = run("parity", "--from", "prod", "--to", "dev", env={})
    assert "-- its text holds a secret, which is not shown" in swapped.out


def test_declared_difference_is_expected(pair: URL, tmp_path: Path, run: Run) -> None:
    execute(pair, "CREATE INDEX slow ON tasks (title)")
    (tmp_path / "ours.toml").write_text(
        '[[expected]]\nkind = "index"\nname = "public.s*"\nbetween = ["dev", "prod"]\n'
        'reason = "production alone is searched"\n'
    )
    ended = run("parity", "--expected", "ours.toml", env={})
    assert ended.code == 0
    assert "\nexpected  index public.slow: missing -> CREATE INDEX slow " in ended.out
    assert "  because production alone is searched\n" in ended.out
    assert run("parity", "--to", "dev", "--expected", "ours.toml", env={}).code == 0


@pytest.mark.parametrize(
    "text",
    [
        '[[expected]]\nkind = "index"\nname = "x"\n',
        '[[expected]]\nkind = "index"\nname = "x"\nreason = " "\n',
        '[[expected]]\nkind = "index"\nname = "x"\nreason = "r"\ntypo = 1\n',
        "expected = 3\n",
        "[[",
    ],
)
def test_expectation_without_a_reason_is_refused(
    pair: URL, tmp_path: Path, run: Run, text: str
) -> None:
    (tmp_path / "ours.toml").write_text(text)
    ended = run("parity", "--expected", "ours.toml", env={})
    assert (ended.code, ended.out) == (3, "")
    assert ended.err.startswith("error[expected-unreadable]: ours.toml ")


@pytest.mark.parametrize(
    ("side", "code", "error"),
    [
        ("stage", 2, "side-unknown"),
        ("broken.json", 4, "snapshot-unreadable"),
        ("future.json", 4, "snapshot-unreadable"),
        ("empty.env", 3, "setting-missing"),
    ],
)
def test_side_that_cannot_be_read_is_told(
    pair: URL, tmp_path: Path, run: Run, side: str, code: int, error: str
) -> None:
    (tmp_path / "broken.json").write_text("{")
    (tmp_path / "future.json").write_text('{"format": 99, "things": []}')
    env_file(tmp_path / "empty.env", {})
    ended = run("parity", "--to", side, env={})
    assert (ended.code, ended.out) == (code, "")
    assert ended.err.startswith(f"error[{error}]: ")


def test_database_of_another_environment_is_refused(pair: URL, tmp_path: Path, run: Run) -> None:
    env_file(tmp_path / ".env.prod", configuration(pair))
    ended = run("parity", env={})
    assert (ended.code, ended.out) == (7, "")
    assert ended.err.startswith("error[wrong-environment]: ")


def test_report_needs_nothing_else_and_escapes_what_it_shows(
    pair: URL, tmp_path: Path, run: Run
) -> None:
    execute(pair, "COMMENT ON TABLE tasks IS '<script>alert(1)</script>'")
    for _ in range(2):  # an earlier report is replaced
        assert run("parity", "--report", "parity.html", env={}).code == 6
    page = (tmp_path / "parity.html").read_text()
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page
    assert not re.search(r"(src|href|url)\s*[=(]", page)
    assert "COMMENT ON TABLE public.tasks IS NULL;" in page
    assert (tmp_path / "parity.html").stat().st_mode & 0o777 == 0o600

    (tmp_path / "mine.html").write_text("mine")
    ended = run("parity", "--report", "mine.html", env={})
    assert ended.err.startswith("error[file-exists]: ")
    assert (tmp_path / "mine.html").read_text() == "mine"
