"""The backups that the platform makes of a Supabase project, as its Management API lists them.

It never writes, and it never follows the API to another host: the token would go along.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from http.client import HTTPException
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any

from pydantic import SecretStr

from dhafnck_db.settings import Settings

TIMEOUT = 2.0  # seconds for all of it
REFUSALS = {
    401: "SUPABASE_ACCESS_TOKEN is not valid, or no longer",
    403: "the token may not see this project's backups",
    404: "the API knows no such project",
    429: "the API's rate limit is used up",
}


@dataclass(frozen=True)
class Managed:
    """What there is of a project at the vendor's; `unknown` says why nobody knows."""

    point_in_time_recovery: bool | None = None
    last: str | None = None  # ISO 8601, UTC; None where there is none
    count: int | None = None
    unknown: str | None = None

    def __str__(self) -> str:
        if self.unknown is not None:
            return f"not known: {self.unknown}"
        recovery = "with" if self.point_in_time_recovery else "without"
        newest = f"the newest of {self.last}, " if self.last else ""
        return f"{self.count}, {newest}{recovery} point-in-time recovery"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None  # what would be followed is then an HTTPError


def read(settings: Settings, ref: str) -> Managed:
    """Ask the Management API for the backups of a project, for two seconds at most. Read-only.

    Args:
        settings: with SUPABASE_ACCESS_TOKEN, and SUPABASE_API_URL where it is not the vendor's.
        ref: of the project.
    """
    token = settings.supabase_access_token
    if token is None:
        return Managed(unknown="SUPABASE_ACCESS_TOKEN is not set")
    answer: SimpleQueue[Managed] = SimpleQueue()
    given = (f"{settings.supabase_api_url}/v1/projects/{ref}/database/backups", token, answer)
    # A thread of its own, left behind when it is late: nothing can interrupt the resolver.
    Thread(target=_ask, args=given, daemon=True).start()
    try:
        return answer.get(timeout=TIMEOUT)
    except Empty:
        return Managed(unknown=f"no answer within {TIMEOUT:.0f} s")


def _ask(url: str, token: SecretStr, answer: SimpleQueue[Managed]) -> None:
    request = urllib.request.Request(  # noqa: S310  # the setting's pattern has https, or this machine
        url, headers={"Accept": "application/json", "User-Agent": "dhafnck-db"}
    )
    request.add_unredirected_header("Authorization", f"Bearer {token.get_secret_value()}")
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT) as reply:
            answer.put(_parsed(json.load(reply)))
    except urllib.error.HTTPError as refused:
        refused.close()
        reason = REFUSALS.get(refused.code, f"the API said HTTP {refused.code}")
        answer.put(Managed(unknown=reason))
    except (OSError, HTTPException):
        answer.put(Managed(unknown="the API cannot be reached"))
    except (ValueError, KeyError, TypeError, AttributeError):
        answer.put(Managed(unknown="the API's answer is not a list of backups"))


def _parsed(found: dict[str, Any]) -> Managed:
    made = [
        datetime.fromisoformat(entry["inserted_at"])
        for entry in found["backups"]
        if entry["status"] == "COMPLETED"
    ]
    latest = found["physical_backup_data"].get("latest_physical_backup_date_unix")
    if latest:
        made.append(datetime.fromtimestamp(latest, UTC))
    in_utc = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in made]
    last = max(in_utc).astimezone(UTC).isoformat(timespec="seconds") if in_utc else None
    return Managed(bool(found["pitr_enabled"]), last, len(in_utc))
