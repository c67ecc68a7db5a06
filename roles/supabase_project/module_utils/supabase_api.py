"""A client of the vendor's Management API: one project, one token, the vendor's own rules.

It never prints or returns the token, follows no redirect, and repeats no request that may have done
something already.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import re
import ssl
import time
import urllib.error
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible.module_utils.supabase_errors import TOKENS_PAGE, ApiError, Reply, refusal
from ansible.module_utils.urls import open_url

# The rule of the vendor's own client: a POST or PATCH that failed may have done its work all the
# same. https://github.com/supabase/cli, packages/api/src/internal/client.ts
REPEATABLE = ("GET", "PUT", "DELETE")
ATTEMPTS = 5
FIRST_PAUSE = 0.5  # seconds before the second attempt; doubled before each further one
TIMEOUT = 60  # seconds for one request
WINDOW = 60  # seconds after which the vendor counts anew, where its headers do not say


class Client:
    """Requests about one project.

    Args:
        url: base address; https, or plain http to this machine alone.
        ref: the project.
        token: the access token.
        ca_file: certificates to trust instead of the system's.
        patience: seconds that all waits for the rate limit may take together.

    Raises:
        ApiError: the address, the token or the file cannot be used.
    """

    def __init__(
        self, url: str, ref: str, token: str, *, ca_file: str | None = None, patience: float = 90
    ) -> None:
        self.ref = ref
        self._url = url.rstrip("/")
        self._token = token
        self._ca_file = ca_file
        self._patience = patience
        self._pause = 0.0  # what the last reply asks to wait for before the next request
        self._loopback = check_address(self._url)
        if not re.fullmatch(r"[!-~]+", token):
            # urllib would show the header that it cannot send, with the token in it.
            raise ApiError(
                "management-api-token-malformed",
                "SUPABASE_ACCESS_TOKEN is no access token: it holds a space, a line break or a "
                "letter outside of ASCII",
                help=f"copy it again from {TOKENS_PAGE}",
            )
        if ca_file and not Path(ca_file).is_file():
            raise ApiError(
                "management-api-ca-missing",
                f"there is no file {ca_file} with certificates for the Management API",
                help="give the path of a PEM file, or none for the system's certificates",
            )

    def get(self, path: str, what: str) -> Any:
        """Return what the API has at a path below the project.

        Read-only. `what` names it in errors.

        Raises:
            ApiError: it cannot be had, or the reply is empty.
        """
        found = self.request("GET", path, what)
        if found is None:
            raise ApiError(
                "management-api-no-answer",
                f"the Management API answered nothing when asked for {what} of project {self.ref}",
                help="run again; if it stays, see https://status.supabase.com",
            )
        return found

    def request(self, method: str, path: str, what: str, body: Any = None) -> Any:
        """Send a request and return the reply's JSON; None where the reply is empty.

        Any 2xx counts as done. Waits where the rate limit says so, within the client's patience.

        Raises:
            ApiError: the API refuses or fails, or cannot be reached.
        """
        attempt = 1
        while True:
            try:
                reply = self._send(method, path, body)
            except (OSError, http.client.HTTPException) as error:
                if method in REPEATABLE and attempt < ATTEMPTS and not _certificate(error):
                    attempt = self._again(attempt)
                    continue
                raise self._unreachable(error, method, what) from None
            if reply.status == 429:
                # Nothing was done: after the wait any request may be sent again.
                self._wait(_seconds(reply.headers, "X-RateLimit-Reset") or 1, what)
                continue
            if reply.status >= 500 and method in REPEATABLE and attempt < ATTEMPTS:
                attempt = self._again(attempt)
                continue
            if not 200 <= reply.status < 300:
                raise refusal(reply, method, what, self.ref)
            return self._content(reply, what)

    def _send(self, method: str, path: str, body: Any) -> Reply:
        if self._pause:
            pause, self._pause = self._pause, 0.0
            self._wait(pause, "the next request")
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        try:
            answer = open_url(
                f"{self._url}/v1/projects/{self.ref}{path}",
                method=method,
                data=None if body is None else json.dumps(body),
                headers=headers,
                timeout=TIMEOUT,
                ca_path=self._ca_file,
                http_agent="dhafnck-db",
                follow_redirects="none",  # to another host the token would go along
                use_netrc=False,  # an entry there would take the token's place
                use_proxy=not self._loopback,
            )
        except urllib.error.HTTPError as refused:
            answer = refused
        with answer:
            reply = Reply(answer.status, answer.read().decode(errors="replace"), answer.headers)
        if reply.status != 429 and reply.headers.get("X-RateLimit-Remaining") == "0":
            self._pause = _seconds(reply.headers, "X-RateLimit-Reset") or 0.0
        return reply

    def _wait(self, seconds: float, what: str) -> None:
        if seconds > self._patience:
            raise ApiError(
                "management-api-rate-limit",
                f"the Management API's rate limit is used up before {what}; it counts anew in "
                f"{seconds:.0f} s",
                cause="HTTP 429: the limit is one for all callers of the same account and project",
                help="run again after that, and not beside other programs that use the API",
                status=429,
            )
        self._patience -= seconds
        time.sleep(seconds)

    def _again(self, attempt: int) -> int:
        time.sleep(FIRST_PAUSE * 2 ** (attempt - 1))
        return attempt + 1

    def _content(self, reply: Reply, what: str) -> Any:
        if not reply.text.strip():
            return None
        try:
            return json.loads(reply.text)
        except ValueError:
            raise ApiError(
                "management-api-no-answer",
                f"what answers at {self._url} is no JSON, so it is not the Management API",
                help="check the address, and whether a proxy answers in its place",
            ) from None

    def _unreachable(self, error: Exception, method: str, what: str) -> ApiError:
        reason = getattr(error, "reason", error)
        if _certificate(error):
            return ApiError(
                "management-api-certificate",
                f"the certificate of {self._url} cannot be trusted, so no token was sent",
                cause=str(getattr(reason, "verify_message", reason)),
                help="a proxy that opens TLS needs its certificate in the CA file of the role",
            )
        unsure = "" if method in REPEATABLE else "; whether the change was made is not known"
        return ApiError(
            "management-api-unreachable",
            f"the Management API at {self._url} cannot be reached for {what}{unsure}",
            cause=str(reason) or type(reason).__name__,
            help="check the network, name resolution and the proxy settings, then run again",
        )


def check_address(url: str) -> bool:
    """Return whether a base address is this machine's own.

    Raises:
        ApiError: the token would travel in the clear, or the address is none.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        parts = urlsplit("")
    host = parts.hostname or ""
    try:
        loopback = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = False
    good = parts.scheme == "https" or (parts.scheme == "http" and loopback)
    if not good or not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise ApiError(
            "management-api-address",
            f"{parts.scheme}://{host} is no address to send an access token to",
            help="give an https address; plain http is for a stand-in on this machine alone",
        )
    return loopback


def _certificate(error: Exception) -> bool:
    return isinstance(getattr(error, "reason", error), ssl.SSLCertVerificationError)


def _seconds(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return max(0.0, float(headers.get(name, WINDOW)))
    except ValueError:
        return WINDOW
