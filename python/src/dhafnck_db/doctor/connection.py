"""The way to the server: name, network, port, TLS, login, and whether a session lasts there.

It connects once for all checks; what a failure means is judged by `failures`, `tls`, `certificates`
and `pooler`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from dhafnck_db import failures
from dhafnck_db.doctor.checks import Check, Look, chain, coded, failing, said
from dhafnck_db.doctor.context import Context
from dhafnck_db.doctor.files import CONFIGURED
from dhafnck_db.doctor.server import OWNER_SECRET, STOPPED
from dhafnck_db.endpoints import VERIFIED
from dhafnck_db.errors import GuardError, ToolkitError
from dhafnck_db.failures import Explanation
from dhafnck_db.pooler import require_lasting_session
from dhafnck_db.route import Route

SESSION = "lasting session"
CERTIFICATE = "openssl s_client -starttls postgres -connect HOST:PORT </dev/null"
ROOTS = "openssl x509 -noout -subject -enddate -in FILE"
CONNECTIONS = "SELECT usename, state, count(*) FROM pg_stat_activity GROUP BY 1, 2"
_ROOTS = (
    "certificate-unreadable",
    "certificate-expired",
    "certificate-foreign",
    "root-certificate-missing",
)


def _explained_by(*meant: Explanation) -> Callable[[ToolkitError], bool]:
    return lambda fault: (
        fault.code == failures.UNREACHABLE
        and any(fault.message.endswith(f": {one.sentence}") for one in meant)
    )


def _banned(context: Context) -> Iterator[tuple[str, ...]]:
    fault = context.unconnected()
    if fault is not None and _refused_by_vendor(context, fault):
        yield said(fault)


def _refused(context: Context) -> Iterator[tuple[str, ...]]:
    fault = context.unconnected()
    refused = _explained_by(failures.REFUSED)
    if fault is not None and refused(fault) and not _refused_by_vendor(context, fault):
        yield said(fault)


def _refused_by_vendor(context: Context, fault: ToolkitError) -> bool:
    """Whether the address is banned, or the vendor's pooler takes no logins for now."""
    refused = _explained_by(failures.REFUSED)(fault)
    ends_at_vendor = context.target.route.endpoints[-1].of_supabase
    return fault.code == "logins-blocked" or (refused and ends_at_vendor)


def _volume_password(context: Context) -> Iterator[tuple[str, ...]]:
    """The password that this checkout made is not the one that the server's data holds."""
    fault = context.unconnected()
    if fault is not None and fault.code == "authentication-failed" and _as_made(context):
        yield (
            f"{context.target.admin} keeps another password than {OWNER_SECRET}: its data is older",
            "run `make dev`, which gives the role that password; where the superuser's does not "
            "fit either, put the former one back into .local/secrets/postgres first",
        )


def _password(context: Context) -> Iterator[tuple[str, ...]]:
    fault = context.unconnected()
    if fault is not None and fault.code == "authentication-failed" and not _as_made(context):
        yield said(fault)


def _as_made(context: Context) -> bool:
    """Whether the password is the one that this checkout made for its own server."""
    secret = Path(OWNER_SECRET)
    if context.server is None:
        return False
    try:
        return secret.read_text().strip() == context.target.admin.url.password
    except OSError:
        return False


def _unverified(context: Context) -> Iterator[tuple[str, ...]]:
    target = context.target
    weak = [
        way
        for way in {target.app, *target.route.endpoints}
        if way.sslmode != VERIFIED and not way.on_this_machine
    ]
    if target.environment == "prod" and weak:
        yield (
            f"{weak[0]} is taken without being verified (sslmode {weak[0].sslmode})",
            f"unset DB_SSLMODE, so that it is {VERIFIED}",
            "dhafnck-db target show",
        )


def _admitted(context: Context) -> Iterator[tuple[str, ...]]:
    """What none of the checks before is about."""
    fault = context.unconnected()
    if fault is not None:
        yield said(fault)


def _lasting(context: Context) -> Iterator[tuple[str, ...]]:
    try:
        require_lasting_session(context.connection, context.target)
    except GuardError as fault:
        yield (*said(fault), "SELECT pg_backend_pid(), several times: the number changes")


def _application(context: Context) -> Iterator[tuple[str, ...]]:
    """The application's own way, where it is another one; the password is known to be right."""
    target = context.target
    if target.app in target.route.endpoints:
        return
    try:
        Route((target.app,)).open(context.settings.db_connect_timeout, {}).close()
    except ToolkitError as fault:
        yield said(fault)


def _failed(is_it: Callable[[ToolkitError], bool], confirm: str | None = None) -> Look:
    return failing(Context.unconnected, is_it, confirm)


# In the order in which a connection is made: each needs that the ones before it found nothing.
STEPS = chain(
    {
        "pooler port": _failed(coded("transaction-pooler"), "dhafnck-db target show"),
        "root certificates": _failed(coded(*_ROOTS), ROOTS),
        "host name": _failed(_explained_by(failures.NO_ADDRESS), "getent ahosts HOST"),
        "IPv6": _failed(_explained_by(failures.NO_IPV6), "ip -6 route show default"),
        "network": _failed(_explained_by(failures.NO_NETWORK), "ip route"),
        "banned address": _banned,
        "port refused": _refused,
        "port silent": _failed(_explained_by(failures.NO_ANSWER)),
        "tls stripped": _failed(coded("tls-stripped")),
        "tls missing": _failed(coded("tls-missing", "tls-required"), "SHOW ssl"),
        "tls self-signed": _failed(coded("tls-self-signed"), CERTIFICATE),
        "tls authority": _failed(coded("tls-unknown-authority", "tls-unverified"), CERTIFICATE),
        "tls expired": _failed(coded("tls-expired"), CERTIFICATE),
        "tls host": _failed(coded("tls-wrong-host"), CERTIFICATE),
        "address allowed": _failed(coded("address-not-allowed")),
        "volume password": _volume_password,
        "password": _password,
        "project": _failed(coded("tenant-not-found", "project-banned")),
        "role or database": _failed(coded("role-or-database-missing")),
        "free connections": _failed(coded("too-many-connections", "pooler-busy"), CONNECTIONS),
        "connection": _admitted,
        SESSION: _lasting,
        "application's way": _application,
    },
    after=STOPPED,
)
# What is not verified can be used, and is examined further.
CHECKS = (Check("tls verified", _unverified, CONFIGURED), *STEPS)
