"""Bars on stderr while an import runs, one for each table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Column, Table
from rich.text import Text

from dhafnck_db.legacy.judge import REMADE
from dhafnck_db.legacy.legible import count, size, visible

LINGERING = 6  # bars that stay in view once they are full; a file may have hundreds of tables


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(f"{count(int(task.completed))} of {count(int(task.total or 0))}")


class _Speed(ProgressColumn):
    def render(self, task: Task) -> Text:
        if not task.elapsed or task.description == REMADE:
            return Text("")
        if task.fields["size"]:
            return Text(f"{size(task.fields['size'] / task.elapsed)}/s")
        return Text(f"{count(int(task.completed / task.elapsed))} rows/s")


class Bars:
    """The bars in view; called with what is done of a table."""

    def __init__(self, shown: Progress) -> None:
        self._shown = shown
        self._bars: dict[str, TaskID] = {}
        self._full: list[TaskID] = []

    def __call__(self, name: str, done: int, total: int, size: int = 0) -> None:
        """Show that `done` of `total` rows of a table are done, `size` bytes of it if known."""
        if name not in self._bars:
            self._bars[name] = self._shown.add_task(visible(name), total=total, size=size)
        bar = self._bars[name]
        if done < self._task(bar).completed:  # a table is gone through more than once
            self._shown.reset(bar, visible=True)
            self._full = [full for full in self._full if full != bar]
        self._shown.update(bar, completed=done, total=total, size=size)
        if done >= total and bar not in self._full:
            self._full.append(bar)
            for old in self._full[:-LINGERING]:
                self._shown.update(old, visible=False)

    def table(self) -> Table:
        """Return the bars as they are drawn now."""
        return self._shown.make_tasks_table([t for t in self._shown.tasks if t.visible])

    def _task(self, bar: TaskID) -> Task:
        return next(task for task in self._shown.tasks if task.id == bar)


@contextmanager
def bars() -> Iterator[Bars]:
    """Show bars on stderr until the block ends; they leave nothing behind."""
    name = TextColumn(
        "{task.description}",
        markup=False,
        table_column=Column(no_wrap=True, overflow="ellipsis", max_width=20),
    )
    rows, speed = _Rows(Column(no_wrap=True)), _Speed(Column(no_wrap=True, justify="right"))
    columns = (name, BarColumn(bar_width=None), rows, speed, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as shown:
        yield Bars(shown)
