"""The bars on a terminal: rows, speed and time left for each table, and never too many of them."""

from io import StringIO

from rich.console import Console

from dhafnck_db.cli import progress
from dhafnck_db.legacy.judge import REMADE


def drawn(bars: progress.Bars) -> list[str]:
    """The bars as they are at this moment, a line each."""
    console = Console(file=StringIO(), width=80)
    with console.capture() as captured:
        console.print(bars.table())
    return [line.rstrip() for line in captured.get().splitlines()]


def test_bar_tells_rows_and_bytes_a_second() -> None:
    with progress.bars() as bars:
        bars("tasks", 0, 2_806_791)
        bars("tasks", 1_403_395, 2_806_791, 20_000_000)
        (line,) = drawn(bars)
    assert "1,403,395 of 2,806,791" in line
    assert "B/s" in line


def test_bar_tells_rows_a_second_where_bytes_are_not_known() -> None:
    with progress.bars() as bars:
        bars("tasks", 0, 10)
        bars("tasks", 5, 10)
        (line,) = drawn(bars)
    assert "rows/s" in line


def test_keys_and_indexes_are_counted_and_are_no_rows() -> None:
    with progress.bars() as bars:
        bars(REMADE, 0, 44)
        bars(REMADE, 12, 44)
        (line,) = drawn(bars)
    assert line.startswith(REMADE)
    assert "12 of 44" in line
    assert "rows" not in line


def test_table_that_is_gone_through_again_starts_again() -> None:
    with progress.bars() as bars:
        for done in (0, 10, 3):
            bars("tasks", done, 10)
        (line,) = drawn(bars)
    assert "3 of 10" in line


def test_full_bars_make_room() -> None:
    with progress.bars() as bars:
        for number in range(50):
            bars(f"table-{number}", 10, 10)
        bars("last", 1, 10)
        lines = drawn(bars)
    assert len(lines) == progress.LINGERING + 1
    assert "last" in lines[-1]


def test_long_name_leaves_room_for_the_figures() -> None:
    with progress.bars() as bars:
        bars("[red]a_table_with_a_name_that_is_longer_than_it_should_be" * 3, 1, 1_000_000)
        (line,) = drawn(bars)
    assert line.startswith("[red]a_table")
    assert "1 of 1,000,000" in line
    assert line.index("1 of") > 40
