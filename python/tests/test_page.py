"""The status page shows what it is given, escaped, on a wide and on a narrow screen."""

import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dhafnck_db.history import History
from dhafnck_db.page import Row, Todo, View, render

NOW = datetime(2026, 3, 1, 12, 7, tzinfo=UTC)
MEASURE = """<script>
document.title = document.documentElement.scrollWidth - document.documentElement.clientWidth;
</script></body>"""


def view() -> View:
    history = History()
    for minutes, status in ((200, "healthy"), (100, "degraded"), (50, "unhealthy"), (0, "healthy")):
        history.saw(status, NOW - timedelta(minutes=minutes))
    return View(
        "healthy", "postgresql", NOW,
        [Row("reachable", "ok", "answers"), Row("schema", "warning", "revision " + "x" * 200)],
        history.until(NOW),
        [("pool", "3 of 60"), ("latency", "0.4 ms"), ("last backup", "none")],
        [Todo("duplicate-index", 'public."' + "y" * 120 + '"', "has what <b>another</b> has")],
    )  # fmt: skip


def test_page_shows_all_of_the_view_escaped() -> None:
    shown = render(view())
    for wanted in ("<h1>healthy</h1>", "0.4 ms", "duplicate-index", "&lt;b&gt;another"):
        assert wanted in shown
    assert "<b>another" not in shown
    assert "http://" not in shown and "https://" not in shown and "<script" not in shown


def test_page_with_the_database_away_says_so() -> None:
    away = replace(
        view(), status="unhealthy", checks=[Row("reachable", "failed", "away")], findings=None
    )
    shown = render(away)
    assert '<header class="verdict unhealthy">' in shown
    assert "Nobody could look." in shown


def test_history_keeps_the_worst_of_each_span_and_no_more_than_it_holds() -> None:
    history = History(spans=3, length=timedelta(minutes=5))
    for minute, status in ((0, "healthy"), (11, "unhealthy"), (12, "healthy"), (18, "degraded")):
        history.saw(status, NOW.replace(minute=minute))
    history.saw("healthy", NOW.replace(minute=1))  # the clock was set back
    found = history.until(NOW.replace(minute=22))
    assert [(span.since.minute, span.status) for span in found] == [
        (10, "unhealthy"), (15, "degraded"), (20, "unknown"),
    ]  # fmt: skip


@pytest.mark.skipif(shutil.which("chromium") is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [1400, 400])
def test_nothing_overflows_in_a_browser(tmp_path: Path, width: int) -> None:
    # The policy of the page forbids the script that measures it.
    page = render(view()).replace("default-src 'none'", "script-src 'unsafe-inline'")
    file = tmp_path / "page.html"
    file.write_text(page.replace("</body>", MEASURE))
    frame = tmp_path / "frame.html"
    # Headless windows have a least width; a frame has none.
    frame.write_text(
        f'<iframe id="f" src="page.html" width="{width}" height="900"></iframe><script>'
        "f.onload = () => { document.title = 'over ' + f.contentDocument.title; }</script>"
    )
    ended = subprocess.run(
        [
            "chromium", "--headless", "--no-sandbox", "--disable-gpu",
            "--allow-file-access-from-files",
            f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=3000", "--dump-dom",
            str(frame),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert "<title>over 0</title>" in ended.stdout
