"""What got slower is told by the figures of two moments, of statements that really took longer."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Ended, configuration
from fix_schema import execute
from fix_service import Serve
from sqlalchemy import URL, create_engine, text

Run = Callable[..., Ended]

QUICK, SLOW, LONG = 0.002, 0.06, 0.25  # seconds


def call(url: URL, seconds: float, times: int) -> None:
    """Execute the same statement a number of times."""
    engine = create_engine(url)
    with engine.connect() as connection:
        for _ in range(times):
            connection.execute(text("SELECT pg_sleep(:seconds)"), {"seconds": seconds})
    engine.dispose()


def keep(url: URL, run: Run, tmp_path: Path) -> str:
    """Keep the figures of now as a person does, and return the file."""
    path = tmp_path / "before.json"
    path.write_text(run("stats", "--format", "json", env=configuration(url)).out)
    return str(path)


def advised(url: URL, run: Run, before: str) -> dict[str, list[dict[str, str]]]:
    ended = run("advise", "--before", before, "--format", "json", env=configuration(url))
    assert (ended.code, ended.err) == (0, "")
    found: dict[str, list[dict[str, str]]] = json.loads(ended.out)
    found["findings"] = [one for one in found["findings"] if one["rule"] == "slower-statement"]
    return found


@pytest.mark.parametrize(
    ("first", "then"),
    [
        ((QUICK, 30), (QUICK, 30)),  # as it was
        ((QUICK, 5), (SLOW, 30)),  # too few before to know what is usual
        ((QUICK, 30), (LONG, 5)),  # too few since
        ((QUICK, 30), (QUICK * 5, 30)),  # slower, by a fifth of a second in all
    ],
)
def test_what_stayed_or_says_little_is_no_finding(
    at_head: URL, run: Run, tmp_path: Path, first: tuple[float, int], then: tuple[float, int]
) -> None:
    call(at_head, *first)
    before = keep(at_head, run, tmp_path)
    call(at_head, *then)
    found = advised(at_head, run, before)
    assert (found["findings"], found["unchecked"]) == ([], [])


def test_statement_that_got_slower_is_found_and_confirmed(
    at_head: URL, run: Run, tmp_path: Path
) -> None:
    call(at_head, QUICK, 30)
    before = keep(at_head, run, tmp_path)
    call(at_head, SLOW, 30)
    (found,) = advised(at_head, run, before)["findings"]
    assert " in 30 calls since 20" in found["finding"]
    assert found["finding"].endswith(" ms before: SELECT pg_sleep($1)")
    assert found["mend"] is None
    assert len(execute(at_head, found["confirm"])) == 1
    call(at_head, QUICK, 900)  # and as it was again, for long enough
    assert advised(at_head, run, before)["findings"] == []
    assert execute(at_head, found["confirm"]) == []


def test_reset_statistics_are_said(at_head: URL, run: Run, tmp_path: Path) -> None:
    call(at_head, QUICK, 30)
    before = keep(at_head, run, tmp_path)
    kept = json.loads(Path(before).read_text())
    for statement in kept["statements"]:
        statement["calls"] += 1000
    Path(before).write_text(json.dumps(kept))
    (left,) = advised(at_head, run, before)["unchecked"]
    assert left["rule"] == "slower-statement"
    assert left["reason"] == f"the statistics were reset after {kept['at']}"


@pytest.mark.parametrize("content", [None, "", "[]", "{}", '{"changed": false}'])
def test_file_without_figures_is_refused(
    at_head: URL, run: Run, tmp_path: Path, content: str | None
) -> None:
    path = tmp_path / "figures.json"
    if content is not None:
        path.write_text(content)
    ended = run("advise", "--before", str(path), env=configuration(at_head))
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"error[figures-unreadable]: {path} has no figures")


def test_page_tells_what_got_slower_while_it_served(
    at_head: URL, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dhafnck_db.overview.ADVICE_KEPT", 0.0)  # asks each time
    service = serve(at_head, DB_HEALTH_CACHE="0")
    call(at_head, QUICK, 30)
    assert "slower-statement" not in service.get("/").text
    call(at_head, SLOW, 30)
    assert "slower-statement" in service.get("/").text


def test_leading_comments_are_left_out(at_head: URL, run: Run) -> None:
    engine = create_engine(at_head)
    with engine.connect() as connection:
        connection.execute(text("/* of a\n program */ -- and a person\n SELECT 'told' AS told"))
    engine.dispose()
    ended = run("stats", "--format", "json", env=configuration(at_head))
    texts = [statement["text"] for statement in json.loads(ended.out)["statements"]]
    assert [text for text in texts if "told" in text.lower()] == ["SELECT $1 AS told"]
