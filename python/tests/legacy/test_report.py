"""The report: complete, self-contained, deaf to what the file says, and written whole or not."""

import copy
import os
import re
import resource
import stat
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from dhafnck_db import legacy
from dhafnck_db.errors import UsageError
from dhafnck_db.legacy import report
from dhafnck_db.legacy.charts import segments
from dhafnck_db.legacy.estimate import BYTES_A_SECOND, estimate_seconds
from dhafnck_db.legacy.report import render, write_report

Import = Callable[..., legacy.ImportResult]
MakeFile = Callable[..., Path]

REJECTED = """
CREATE TABLE tasks (id TEXT, title TEXT, description TEXT, git_branch_id TEXT);
INSERT INTO tasks VALUES ('t1', 'T', '', 'nowhere'), ('t2', X'ff', '', 'gone');
CREATE TABLE notes (n, m);
INSERT INTO notes VALUES (1, 'a'), ('x', X'00'), (1.5, NULL);
"""
HOSTILE = "\"><script src='https://evil/x'>alert(1)</script>{{ 7*7 }}{% raw %}</table></pre>"


class Page(HTMLParser):
    """What a browser sees: the tags with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def drawn(self, kind: str) -> list[str | None]:
        """The widths of the bars of a kind."""
        return [found["width"] for tag, found in self.tags if found.get("class") == kind]


@pytest.fixture
def assessed(sample: Path) -> dict[str, Any]:
    """What an assessment of the sample gives."""
    return legacy.assess(sample, owner="me").to_dict()


@pytest.fixture
def rejected(make_file: MakeFile) -> dict[str, Any]:
    """What an assessment of a file with rejects gives."""
    return legacy.assess(make_file(REJECTED), owner="me").to_dict()


def entries(result: dict[str, Any]) -> Iterator[str]:
    """Everything that the report has to say of a result."""
    for table in result["tables"]:
        yield from (table["name"], table["to"])
        for column in table["columns"]:
            yield from (column["name"], column["declared"], column["to"] or "", column["convert"])
            yield from (f"{count:,} {kind}" for kind, count in column["types"].items())
            yield column.get("fold", "")
        yield from (f"{table['to']}.{made['column']}" for made in table["derived"])
    for entry in (*result["rejects"], *result["warnings"]):
        parts = ("table", "key", "column", "value", "code", "reason")
        yield from (entry[part] or "" for part in parts)
    for entry in result["unplaced"]:
        yield from (entry["type"], entry["name"], entry["reason"], entry["sql"] or "")
    yield from (result["source"]["sha256"], f"{result['source']['bytes']:,} bytes")
    yield from (f"{number:,}" for number in result["totals"].values())


def test_everything_of_the_result_is_in_the_report(
    assessed: dict[str, Any], rejected: dict[str, Any]
) -> None:
    assert rejected["rejects"]
    for result in (assessed, rejected):
        text = Page(render(result)).text
        assert [part for part in entries(result) if part and part not in text] == []


def test_real_file_is_in_the_report(real_file: Path) -> None:
    result = legacy.assess(real_file, owner="me").to_dict()
    text = Page(render(result)).text
    assert [part for part in entries(result) if part and part not in text] == []


def test_report_needs_nothing_from_elsewhere(rejected: dict[str, Any]) -> None:
    html = render(rejected)
    page = Page(html)
    loading = {"script", "link", "img", "iframe", "object", "embed", "base", "form", "image", "use"}
    assert not loading & {tag for tag, _ in page.tags}
    for _, found in page.tags:
        assert "src" not in found
        assert (found.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") for name in found)
    assert "@import" not in html
    assert "url(" not in html
    ids = {found["id"] for _, found in page.tags if "id" in found}
    assert {(found["href"] or "")[1:] for _, found in page.tags if "href" in found} <= ids


def test_names_and_values_are_shown_and_never_obeyed(make_file: MakeFile) -> None:
    quoted = HOSTILE.replace('"', '""')
    file = make_file(
        REJECTED,
        f'CREATE TABLE "{quoted}" ("{quoted}c" TEXT); CREATE VIEW "{quoted}v" AS SELECT 1;',
        f'INSERT INTO "{quoted}" VALUES (1)',  # noqa: S608  # quoted, and hostile on purpose
        ("INSERT INTO tasks VALUES (?, 'T', '', ?)", [[HOSTILE, HOSTILE + "branch"]]),
        name="<b>&.db",
    )
    result = legacy.assess(file, owner=HOSTILE + "owner").to_dict()
    harmless = copy.deepcopy(result)
    for entry in (*harmless["tables"], *harmless["unplaced"]):
        entry["name"] = "x"
    page, plain = Page(render(result)), Page(render(harmless))
    for shown in ("", "c", "v", "owner"):
        assert HOSTILE + shown in page.text
    assert HOSTILE.replace("'", "''") + "branch" in page.text
    assert "<b>&.db" in page.text
    assert page.tags == plain.tags


def test_characters_that_nobody_sees_are_spelled_out(assessed: dict[str, Any]) -> None:
    assessed["tables"][0]["name"] = "a\x1b[2J\u202eb\udcff\n"
    html = render(assessed)
    assert "a\\x1b[2J\\u202eb\\udcff\\n" in html
    assert not re.search("[\x1b\u202e\udcff]", html)


def test_rows_of_the_charts_are_exact(rejected: dict[str, Any]) -> None:
    charted = Page(render(rejected)).text.split("Rows by destination")[1].split("Rejects")[0]
    found = dict(re.findall(r"(\S.*?)\s*?(\d+)\n", charted))
    assert found == {"legacy.notes": "3", "nowhere (rejected)": "2"}


def test_bytes_are_charted_where_the_plan_has_them(assessed: dict[str, Any]) -> None:
    assert "Bytes by destination" not in render(assessed)
    for table in assessed["tables"]:
        table["bytes"] = 2_500_000 if table["name"] == "tasks" else 0
    assert "Bytes by destination" in render(assessed)
    assert "2.5 MB" in Page(render(assessed)).text


def test_parts_of_a_bar_fill_it_and_the_smallest_is_seen() -> None:
    parts = segments([("text", "text", 999_999), ("null", "null", 1), ("blob", "blob", 0)])
    assert [part.kind for part in parts] == ["text", "null"]
    assert sum(part.width for part in parts) == pytest.approx(100)
    assert parts[1].start == parts[0].width
    assert parts[1].width > 0.5


def test_long_list_is_cut_and_says_so(
    rejected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "are listed" not in render(rejected)
    last = rejected["rejects"][-1]["value"]
    assert last in Page(render(rejected)).text
    monkeypatch.setattr(report, "LISTED", len(rejected["rejects"]) - 1)
    page = Page(render(rejected))
    assert f"The first {report.LISTED} of {len(rejected['rejects'])} are listed" in page.text
    assert last not in page.text


def test_many_objects_of_a_type_are_folded_and_few_are_open(make_file: MakeFile) -> None:
    columns = ", ".join(f"c{number} DEFAULT {number}" for number in range(report.FEW + 1))
    file = make_file(f"CREATE TABLE t ({columns}, u UNIQUE); CREATE VIEW v AS SELECT 1")
    html = render(legacy.assess(file, owner=None).to_dict())
    section = html[html.index('<section id="unplaced">') :]
    assert "<details>\n<summary><b>default</b>" in section
    assert "<details open>\n<summary><b>unique</b>" in section
    assert "<details open>\n<summary><b>view</b>" in section
    assert f"t.c{report.FEW}" in section


def test_report_of_an_import_tells_phases_and_what_was_proven(
    sample: Path, import_: Import, tmp_path: Path
) -> None:
    result = import_(sample).to_dict()
    page = Page(render(result))
    assert "Imported and verified" in page.text
    assert "Every row of the file, 20 in all, was read back" in page.text
    for phase, seconds in result["seconds"].items():
        assert phase in page.text
        assert f"{seconds:.2f} s" in page.text
    assert len(page.drawn("phase")) == len(result["seconds"])
    hashed = page.text.split("Hashes\n")[-1]
    for entry in result["hashes"]:
        assert f"{entry['table']} → {entry['to']}" in hashed
        if entry["file"]:
            assert hashed.count(entry["file"]) >= 2  # once for each side
    assert any(entry["file"] for entry in result["hashes"])
    assert "compared value by value" in hashed
    assert "Bytes by destination" in page.text
    assert "Imported before; nothing was changed" in render(import_(sample).to_dict())


def test_quarantine_is_no_clean_import(make_file: MakeFile, import_: Import) -> None:
    text = Page(render(import_(make_file(REJECTED), quarantine=True).to_dict())).text
    assert "Imported and verified; 2 rows in quarantine" in text
    assert "legacy.rejects" in text.split("Rows by destination")[1].split("Timings")[0]


@pytest.mark.parametrize(
    ("more", "headline"),
    [
        ({}, "Assessed; 2 rows would not go in"),
        (
            {"error": "rejects-found", "changed": False, "verified": None, "reason": {}},
            "Refused; nothing was",
        ),
        ({"changed": True, "verified": None, "seconds": {}}, "Dry run; nothing was written"),
    ],
)
def test_headline_says_what_became_of_the_file(
    rejected: dict[str, Any], more: dict[str, Any], headline: str
) -> None:
    assert headline in render({**rejected, **more})


def test_assessment_without_an_owner_does_not_look_clean(sample: Path) -> None:
    assert "everything would go in" in render(legacy.assess(sample, owner="me").to_dict())
    assert "an import needs an owner" in render(legacy.assess(sample, owner=None).to_dict())


def test_file_without_rows_has_a_report(make_file: MakeFile) -> None:
    empty = make_file("CREATE TABLE t (a)")
    assert "The file holds no rows." in render(legacy.assess(empty, owner=None).to_dict())


def test_only_the_owner_may_read_it_and_nothing_is_left_beside(
    assessed: dict[str, Any], rejected: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    file = folder / "report.html"
    write_report(rejected, file)
    file.chmod(0o644)
    write_report(assessed, file)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "sample.db" in file.read_text()
    assert list(folder.iterdir()) == [file]


def test_write_that_fails_leaves_the_former_report(
    assessed: dict[str, Any], rejected: dict[str, Any], tmp_path: Path
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    file = folder / "report.html"
    write_report(rejected, file)
    former = file.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(former) // 2, limits[1]))
    try:
        with pytest.raises(UsageError, match="cannot write") as failed:
            write_report(assessed, file)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert failed.value.cause == "File too large"
    assert file.read_bytes() == former
    assert list(folder.iterdir()) == [file]


def test_result_that_is_none_leaves_the_former_report(
    assessed: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "report.html"
    write_report(assessed, file)
    former = file.read_bytes()
    del assessed["unplaced"]
    with pytest.raises(KeyError):
        write_report(assessed, file)
    assert file.read_bytes() == former
    assert not list(tmp_path.glob(".report-*"))


@pytest.mark.parametrize("kind", ["folder", "link", "pipe", "legacy file", "no folder", "in file"])
def test_nothing_but_an_earlier_report_is_replaced(
    assessed: dict[str, Any], sample: Path, tmp_path: Path, kind: str
) -> None:
    place = tmp_path / "place"
    if kind == "folder":
        place.mkdir()
    elif kind == "link":
        place.symlink_to(sample)
    elif kind == "pipe":
        os.mkfifo(place)
    elif kind == "legacy file":
        place = sample
    else:
        place = (tmp_path / "none" if kind == "no folder" else sample) / "report.html"
    before, content = sorted(tmp_path.iterdir()), sample.read_bytes()
    with pytest.raises(UsageError) as refused:
        write_report(assessed, place)
    assert str(place) in str(refused.value)
    assert (sorted(tmp_path.iterdir()), sample.read_bytes()) == (before, content)


def test_empty_file_is_filled(assessed: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "report.html"
    file.touch()
    write_report(assessed, file)
    assert file.stat().st_size > 10_000


def test_estimate_grows_with_the_file_and_is_never_nothing(sample: Path) -> None:
    plan = legacy.assess(sample, owner="me")
    assert estimate_seconds(plan) == 1
    big = {**plan.to_dict(), "source": {**plan.to_dict()["source"], "bytes": 300 * BYTES_A_SECOND}}
    assert estimate_seconds(legacy.Plan.from_dict(big)) == 300
    assert "≈ 5 min" in Page(render({**big, "estimate": {"seconds": 300.0}})).text
