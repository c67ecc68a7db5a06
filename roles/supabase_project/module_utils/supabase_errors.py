"""What the Management API can refuse, each with its own sentence and the way out."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

TOKENS_PAGE = "https://supabase.com/dashboard/account/tokens"
STATUS_PAGE = "https://status.supabase.com"


class ApiError(Exception):
    """What a user can do something about; `str()` of it is for the user and holds no secret.

    Args:
        code: the fault's name; the role's README lists each.
        message: one sentence that names the thing.
        cause: what the other side said.
        help: what to do.
        status: the HTTP status, where there was one.
    """

    def __init__(
        self,
        code: str,
        message: str,
        *,
        cause: str | None = None,
        help: str,
        status: int | None = None,
    ) -> None:
        said = f"\n  cause: {cause}" if cause else ""
        super().__init__(f"error[{code}]: {message}{said}\n  help: {help}")
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True)
class Reply:
    """A status, the body as text and the headers."""

    status: int
    text: str
    headers: Mapping[str, str]


class Meaning(NamedTuple):
    """What a status code stands for; {verb}, {what} and {ref} are filled in."""

    code: str
    message: str
    help: str


MEANINGS = {
    401: Meaning(
        "management-api-token-refused",
        "the Management API does not know the access token",
        "it is wrong, expired or revoked: put a new one into SUPABASE_ACCESS_TOKEN, "
        f"from {TOKENS_PAGE}",
    ),
    402: Meaning(
        "management-api-plan",
        "the plan of project {ref} does not include {what}",
        "change the plan of its organization, or declare no such setting",
    ),
    403: Meaning(
        "management-api-forbidden",
        "the access token may not {verb} {what} of project {ref}",
        "give the token that permission, take an administrator's, or declare no such setting",
    ),
    404: Meaning(
        "management-api-not-found",
        "the Management API finds no project {ref}, or not {what} of it",
        "check SUPABASE_URL, and that the token's account belongs to the project's organization",
    ),
}
REDIRECT = Meaning(
    "management-api-redirect",
    "the Management API wants to send the request for {what} of project {ref} elsewhere",
    "check the API's address; a redirect is not followed, since the token would go along",
)
FAILED = Meaning(
    "management-api-failed",
    "the Management API failed to {verb} {what} of project {ref}",
    f"see {STATUS_PAGE}, and run again: what is as declared already is not written again",
)
REFUSED = Meaning(
    "management-api-refused",
    "the Management API refused to {verb} {what} of project {ref}",
    "change the declared value as the cause says",
)


def refusal(reply: Reply, method: str, what: str, ref: str) -> ApiError:
    """Return the error that a reply other than 2xx stands for."""
    status = reply.status
    other = FAILED if status >= 500 else REDIRECT if status < 400 else REFUSED
    meaning = MEANINGS.get(status, other)
    verb = "read" if method == "GET" else "change"
    return ApiError(
        meaning.code,
        meaning.message.format(verb=verb, what=what, ref=ref),
        cause=_cause(reply),
        help=meaning.help,
        status=status,
    )


def _cause(reply: Reply) -> str:
    """The vendor's own sentence, on one line; it publishes no schema for errors."""
    try:
        said = json.loads(reply.text)["message"]
    except (ValueError, TypeError, KeyError):
        return f"HTTP {reply.status}"
    return f"HTTP {reply.status}: {' '.join(str(said).split())[:300]}"
