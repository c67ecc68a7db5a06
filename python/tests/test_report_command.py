"""`dhafnck-db sqlite assess` and `import` in text, JSON and HTML, with the report beside."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import PASSWORD, Ended, configuration, no_room
from fix_schema import execute
from markupsafe import escape
from sqlalchemy import URL

from dhafnck_db.legacy.sample import write_sample

Run = Callable[..., Ended]

# A server that changes a value, and one that takes none.
TRIGGER = """
    CREATE FUNCTION on_insert() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {} RETURN NEW; END $$;
    CREATE TRIGGER on_insert BEFORE INSERT ON tasks FOR EACH ROW EXECUTE FUNCTION on_insert();
"""
CHANGED = TRIGGER.format("NEW.title := '<other>';")
BROKEN = TRIGGER.format("RAISE 'no room for <tasks>';")
FILLED = "INSERT INTO labels (id, user_id, name) VALUES (gen_random_uuid(), 'me', 'l')"


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """The sample file of the 2025-08 generation."""
    file = tmp_path / "sample.db"
    write_sample(file)
    return file


@pytest.fixture
def faulty(sample: Path) -> Path:
    """The sample with rows that cannot be carried, more than a list in text shows."""
    with sqlite3.connect(sample) as connection:
        connection.executemany(
            "INSERT INTO task_dependencies (task_id, depends_on_task_id, dependency_type)"
            " VALUES (?, ?, 'blocks')",
            [(f"none-{number}", f"nor-{number}") for number in range(30)],
        )
    connection.close()
    return sample


def add_views(file: Path, number: int) -> None:
    """Let a file have views, which make its report longer than itself: HTML escapes an &."""
    with sqlite3.connect(file) as connection:
        connection.executescript(
            "\n".join(f"CREATE VIEW v{view} AS SELECT '{'&' * 200}';" for view in range(number))
        )
    connection.close()


def test_assessment_has_the_same_in_each_format(sample: Path, tmp_path: Path, run: Run) -> None:
    assess = ("sqlite", "assess", str(sample), "--owner", "me")
    plan = json.loads(run(*assess, "--format", "json", env={}).out)
    assert plan["estimate"] == {"seconds": 1.0}
    html = run(*assess, "--format", "html", "--report", "kept.html", env={})
    assert (html.code, html.err) == (0, "")
    # Only the time in them differs.
    assert len(html.out.encode()) == (tmp_path / "kept.html").stat().st_size
    text = run(*assess, env={}).out
    columns = run(*assess, "--columns", env={}).out
    for table in plan["tables"]:
        assert table["name"] in html.out
        assert f"{table['name']} " in text
        described = columns.split(f"\n{table['name']}: ")[-1].split("\n\n")[0]
        for column in table["columns"]:
            assert f"\n{column['name']} " in described
            if column["convert"]:
                assert column["convert"] in described
    assert "estimate  about 1 s" in text


def test_import_leaves_a_report_without_a_secret(
    at_head: URL, sample: Path, tmp_path: Path, run: Run
) -> None:
    ended = run(
        "sqlite", "import", str(sample), "--owner", "me", "--report", "kept.html",
        env=configuration(at_head),
    )  # fmt: skip
    assert (ended.code, ended.err) == (0, "")
    assert "report    kept.html" in ended.out.splitlines()
    html = (tmp_path / "kept.html").read_text()
    assert "Imported and verified" in html
    for secret in (PASSWORD, quote(PASSWORD, safe=""), "postgresql+psycopg2", str(at_head.port)):
        assert secret not in html


@pytest.mark.parametrize("format_", ["text", "json"])
def test_refused_import_leaves_its_report_and_the_list(
    at_head: URL, faulty: Path, tmp_path: Path, run: Run, format_: str
) -> None:
    ended = run(
        "sqlite", "import", str(faulty), "--owner", "me", "--report", "kept.html",
        "--format", format_, env=configuration(at_head),
    )  # fmt: skip
    assert ended.code == 4
    assert ended.err.startswith("error[rejects-found]: ")
    html = (tmp_path / "kept.html").read_text()
    assert "Refused; nothing was written" in html
    assert "none-29" in html
    assert execute(at_head, "SELECT count(*) FROM legacy.imports") == [(0,)]
    if format_ == "json":
        refused = json.loads(ended.out)
        assert (refused["changed"], refused["verified"]) == (False, None)
        assert refused["error"] == "rejects-found"
        assert len(refused["rejects"]) >= 30
    else:
        assert ended.out.count("reject: task_dependencies[") == 20
        assert "--format json and --report list all" in ended.out


@pytest.mark.parametrize(
    ("before", "owner", "code", "said"),
    [
        ("SELECT", None, "owner-required", "name the user_id that they shall belong to"),
        (FILLED, "me", "target-not-empty", "public.labels already hold data"),
        (BROKEN, "me", "load-failed", "no room for <tasks>"),
        (CHANGED, "me", "verification-failed", ".title is not what the file holds"),
    ],
)
def test_import_that_fails_leaves_a_report_with_the_reason(
    at_head: URL, sample: Path, tmp_path: Path, run: Run, before: str, owner: str | None, code: str,
    said: str,
) -> None:  # fmt: skip
    execute(at_head, before)
    ended = run(
        "sqlite", "import", str(sample), *(("--owner", owner) if owner else ()),
        "--report", "kept.html", "--format", "json", env=configuration(at_head),
    )  # fmt: skip
    assert ended.out == ""
    assert ended.err.startswith(f"error[{code}]: ")
    html = (tmp_path / "kept.html").read_text()
    assert "Not imported; the database is as it was" in html
    assert f"({code})" in html
    assert str(escape(said)) in html
    for line in ended.err.splitlines()[1:]:  # cause and help
        assert str(escape(line.strip())) in html
    assert PASSWORD not in html


@pytest.mark.parametrize("command", ["assess", "import"])
def test_place_of_the_report_is_tried_before_anything_else(
    at_head: URL, sample: Path, tmp_path: Path, run: Run, command: str
) -> None:
    before = sample.read_bytes()
    # Where a folder takes no file, not even from root; and where nothing else can be there.
    for place in ("none/kept.html", str(sample), "/proc/kept.html"):
        ended = run("sqlite", command, str(sample), "--report", place, env=configuration(at_head))
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith("error[file-")
    assert sample.read_bytes() == before
    assert execute(at_head, "SELECT count(*) FROM legacy.imports") == [(0,)]


@pytest.mark.parametrize("rejects", [False, True], ids=["clean", "with rejects"])
def test_import_that_cannot_be_reported_is_done_and_says_so(
    at_head: URL, sample: Path, tmp_path: Path, run: Run, request: pytest.FixtureRequest,
    rejects: bool,
) -> None:  # fmt: skip
    if rejects:
        request.getfixturevalue("faulty")
    add_views(sample, 3000)
    import_ = ("sqlite", "import", str(sample), "--owner", "me", "--quarantine")
    env = configuration(at_head)
    with no_room(2 * sample.stat().st_size):
        ended = run(*import_, "--report", "kept.html", "--format", "json", env=env)
    result = json.loads(ended.out)
    assert (result["changed"], result["verified"]) == (True, True)
    assert ended.err == (
        "error[report-unwritten]: the import is committed and verified; only its report kept.html "
        "could not be written\n  cause: File too large\n"
        "  help: run the same command again: it changes nothing and writes a report\n"
    )
    assert ended.code == (4 if rejects else 8)  # that rows are in quarantine matters more
    assert not (tmp_path / "kept.html").exists()
    again = run(*import_, "--report", "kept.html", env=env)
    assert again.code == (4 if rejects else 0)
    assert "Imported before; nothing was changed" in (tmp_path / "kept.html").read_text()


def test_refusal_that_cannot_be_reported_is_still_the_refusal(
    at_head: URL, faulty: Path, tmp_path: Path, run: Run
) -> None:
    add_views(faulty, 3000)
    import_ = ("sqlite", "import", str(faulty), "--owner", "me", "--report", "kept.html")
    with no_room(2 * faulty.stat().st_size):
        ended = run(*import_, env=configuration(at_head))
    assert ended.code == 4
    unwritten, refused = ended.err.split("error[")[1:]
    assert unwritten.startswith("file-unwritable]: cannot write kept.html")
    assert refused.startswith("rejects-found]: ")
    assert not (tmp_path / "kept.html").exists()


def test_text_cannot_steer_the_terminal(tmp_path: Path, run: Run) -> None:
    with sqlite3.connect(tmp_path / "odd.db") as connection:
        connection.execute('CREATE TABLE "a\x1b[2Jb" ("c\x1b]0;x\x07d" TEXT)')
        connection.execute('INSERT INTO "a\x1b[2Jb" VALUES (1)')
    connection.close()
    for more in ((), ("--columns",)):
        out = run("sqlite", "assess", "odd.db", *more, env={}).out
        assert "a\\x1b[2Jb" in out
        assert "\x1b" not in out
