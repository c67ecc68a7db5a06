"""Why a connection could not be made: one sentence, a code and a way out for each cause.

It never shows a password; the words it explains are libpq's, PostgreSQL's and the vendor's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from dhafnck_db.endpoints import Endpoint
from dhafnck_db.errors import TargetError
from dhafnck_db.tls import certificate_fault

# The code of what lies between here and a server that never answered: another way may do.
UNREACHABLE = "target-unreachable"


@dataclass(frozen=True)
class Explanation:
    """What some words of a failure mean."""

    code: str
    sentence: str
    help: str
    words: tuple[str, ...] = ()  # regular expressions
    on_supabase: str | None = None  # the way out, where the host is the vendor's


NO_ADDRESS = Explanation(
    UNREACHABLE,
    "its name has no address",
    "check the host in DATABASE_URL, and this machine's DNS",
    ("could not translate host name",),
    "check SUPABASE_URL, SUPABASE_POOLER_HOST and this machine's DNS; a project that is paused "
    "has no address",
)
NO_ANSWER = Explanation(
    UNREACHABLE,
    "it did not answer in time",
    "check host and port; a firewall that drops packets shows itself like this",
    ("timeout expired", "timed out"),
)
REFUSED = Explanation(
    UNREACHABLE,
    "nothing listens there",
    "start the development database with `make dev`, or check DATABASE_URL",
    ("Connection refused", "No such file or directory"),
    "the vendor refuses an address it has banned (two wrong passwords): see the bans in the "
    "database settings, or wait half an hour",
)
# Supabase's words are those of its pooler (supabase/supavisor, lib/supavisor/errors), with the
# codes in front since 2026; both are there, for poolers of either age.
EXPLANATIONS = (
    Explanation(
        "authentication-failed",
        "no password is given",
        "put the password into DATABASE_URL or a passfile",
        ("no password supplied",),
        "set SUPABASE_DB_PASSWORD",
    ),
    Explanation(
        "authentication-failed",
        "the password is wrong, or there is no such role (the server does not tell which)",
        "check user and password in DATABASE_URL",
        ("password authentication failed", "EWRONGPASSWORD", "Wrong password"),
        "correct SUPABASE_DB_PASSWORD before the next try: two wrong ones in a row ban the "
        "address for half an hour",
    ),
    Explanation(
        "tenant-not-found",
        "the pooler knows no such project",
        "check SUPABASE_URL, and SUPABASE_POOLER_HOST against the project's settings: it does not "
        "follow from the region; a paused project is not found either",
        ("Tenant or user not found", r"\(ENOTFOUND\)", "no tenant identifier"),
    ),
    Explanation(
        "logins-blocked",
        "the pooler takes no logins for now, after too many that failed",
        "correct the password, wait two minutes, and try once",
        ("ECIRCUITBREAKER", "ircuit breaker", "too many authentication failures"),
    ),
    Explanation(
        "project-banned",
        "the vendor has closed the project",
        "ask the vendor's support",
        (r"\(EBANNED\)", "tenant is banned"),
    ),
    Explanation(
        "tls-required",
        "the server takes no connection without TLS",
        "set DB_SSLMODE=verify-full",
        ("ESSLREQUIRED", "SSL connection is required", "no encryption"),
    ),
    Explanation(
        "address-not-allowed",
        "the server does not let this user in from this machine",
        "add a line to the server's pg_hba.conf",
        ("EADDRNOTALLOWED", "not in tenant allow_list", "no pg_hba.conf entry"),
        "add this machine's address (IPv4 and IPv6) to the project's network restrictions",
    ),
    Explanation(
        "too-many-connections",
        "all connections are taken",
        "stop a process, or make pools smaller: `dhafnck-db target budget` counts them",
        (
            "EMAXC",
            "max clients reached",
            "MaxClientsInSessionMode",
            "max client connections reached",
            "too many clients",
            "too many connections for",
            "remaining connection slots",
            "no more connections allowed",
        ),
    ),
    Explanation(
        "pooler-busy",
        "the pooler had no connection to the database to give in time",
        "look for long statements, or make the pooler's pool larger",
        ("ECHECKOUTTIMEOUT", "Pool checkout timeout", "query_wait_timeout"),
    ),
    Explanation(
        "target-read-only",
        "it takes no writes",
        "connect to the primary server",
        ("session is read-only", "read-only transaction"),
        "a disk that is nearly full does that: free space or enlarge it, in the database settings",
    ),
    Explanation(
        "target-starting",
        "the server is starting or stopping",
        "try again in a moment",
        ("the database system is",),
    ),
    Explanation(
        "role-or-database-missing",
        "the server has no such database",
        "run `make dev`, or create it",
        (r'database ".*" does not exist',),
        "the database of a project is called postgres",
    ),
    Explanation(
        "role-or-database-missing",
        "the server has no such role",
        "run `make dev`, or create it",
        (r'role ".*" does not exist',),
        "the role of a project is postgres",
    ),
    Explanation(
        "tls-wrong-host",
        "the certificate is another host's",
        "check the host; it may not be the server that was meant, and nothing was sent to it",
        ("does not match host name",),
    ),
    Explanation(
        "root-certificate-missing",
        "there is no root certificate to verify the server by",
        "name the file in DB_SSLROOTCERT; for Supabase the dashboard has it: database settings, "
        "SSL configuration",
        ("root certificate file",),
    ),
    NO_ADDRESS,
    NO_ANSWER,
    REFUSED,
)
NO_IPV6 = Explanation(
    UNREACHABLE,
    "it has an IPv6 address only, and this machine does not reach IPv6",
    "use a network with IPv6, or a host with an IPv4 address",
    on_supabase="set SUPABASE_POOLER_HOST: the pooler has an IPv4 address (the direct host only "
    "with the vendor's add-on)",
)
NO_NETWORK = Explanation(
    UNREACHABLE, "there is no way to its network", "check this machine's network"
)
NO_TLS = Explanation(
    "tls-missing",
    "the server speaks no TLS, and it is required",
    "switch it on at the server (ssl = on), or check that the host is the one that was meant",
)
STRIPPED_TLS = Explanation(
    "tls-stripped",
    "TLS was turned down, which Supabase never does: something on the way answers in its place",
    "use another network; nothing was sent",
)
UNKNOWN_ROOT = Explanation(
    "tls-unknown-authority",
    "the server's certificate is not signed by a root that is known here",
    "name the right root certificates in DB_SSLROOTCERT; else something on the way answers in "
    "its place",
)
# By OpenSSL's X509_V_ERR numbers.
CERTIFICATE_FAULTS = {
    10: Explanation(
        "tls-expired",
        "the server's certificate has expired",
        "renew it at the server; check this machine's clock",
    ),
    18: Explanation(
        "tls-self-signed",
        "the server's certificate is signed by itself alone",
        "name it in DB_SSLROOTCERT if it is yours; else something on the way answers in its place",
    ),
    **dict.fromkeys((2, 19, 20, 21), UNKNOWN_ROOT),
}
UNVERIFIED = Explanation(
    "tls-unverified",
    "the server's certificate was refused",
    "name the root certificates in DB_SSLROOTCERT, and the reason will be told",
)
OTHER = Explanation(
    UNREACHABLE, "", "start the development database with `make dev`, or check DATABASE_URL"
)
_IN_NO_NETWORK = ("Network is unreachable", "No route to host", "Address family not supported")
_ADDRESS = re.compile(r'server at (?:"[^"]*" \(([^)]+)\)|"([^"]+)")')


def explain(endpoint: Endpoint, said: str) -> TargetError:
    """Return the error that explains why no connection could be made.

    May look at the server's certificate once more (see `tls.certificate_fault`).

    Args:
        endpoint: where to.
        said: libpq's message. It names host, port, role and database, and never the password.
    """
    found = _explanation(endpoint, said)
    sentence = f"cannot connect to {endpoint}"
    return TargetError(
        found.code,
        f"{sentence}: {found.sentence}" if found.sentence else sentence,
        cause=_cause(said, found.words),
        help=(found.on_supabase if endpoint.of_supabase else None) or found.help,
    )


def _explanation(endpoint: Endpoint, said: str) -> Explanation:
    if "server does not support SSL" in said:
        return STRIPPED_TLS if endpoint.of_supabase else NO_TLS
    if "certificate verify failed" in said:
        return CERTIFICATE_FAULTS.get(certificate_fault(endpoint) or 0, UNVERIFIED)
    for known in EXPLANATIONS:
        if any(re.search(words, said) for words in known.words):
            return known
    if any(words in said for words in _IN_NO_NETWORK):
        tried = [name or bare for name, bare in _ADDRESS.findall(said)]
        return NO_IPV6 if tried and all(":" in address for address in tried) else NO_NETWORK
    return OTHER


def _cause(said: str, words: tuple[str, ...]) -> str:
    """Return the line that tells most, without what libpq puts in front of it."""
    # One line for each address of the host, and indented hints below it.
    lines = [line for line in said.splitlines() if line and not line.startswith("\t")] or [said]
    telling = [line for line in lines if any(re.search(word, line) for word in words)]
    line = (telling or lines)[-1]
    return line.rpartition(" failed: ")[2].removeprefix("FATAL:").strip()
