"""What a service saw of its database's health over the last hours, in memory.

It never asks the database: it is told.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

WORSE = ("unknown", "healthy", "degraded", "unhealthy")


@dataclass(frozen=True)
class Span:
    """The worst that was seen from one moment on, for as long as a span is."""

    since: datetime
    status: str  # one of WORSE; unknown where nobody looked


class History:
    """The worst status of each span of time, for a bounded number of spans."""

    def __init__(self, spans: int = 72, length: timedelta = timedelta(minutes=5)) -> None:
        self._length = length
        self._seen: deque[Span] = deque(maxlen=spans)

    def saw(self, status: str, at: datetime) -> None:
        """Remember a status; of a span the worst stays. Of an earlier moment it counts as now."""
        since = self._begin(at)
        if self._seen and since <= self._seen[-1].since:
            last = self._seen[-1]
            self._seen[-1] = Span(last.since, max(last.status, status, key=WORSE.index))
        else:
            self._seen.append(Span(since, status))

    def until(self, now: datetime) -> list[Span]:
        """Return all spans up to a moment, oldest first, with those in which nobody looked."""
        seen = {span.since: span.status for span in self._seen}
        last, number = self._begin(now), self._seen.maxlen or 0
        begins = [last - self._length * back for back in reversed(range(number))]
        return [Span(since, seen.get(since, "unknown")) for since in begins]

    def _begin(self, at: datetime) -> datetime:
        beginning = datetime.min.replace(tzinfo=UTC)
        return at - (at.astimezone(UTC) - beginning) % self._length
