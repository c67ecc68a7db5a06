"""The checks of what a database bears: connections, transactions, replicas, disk, clock, speed.

None of them writes.
"""

from __future__ import annotations

import statistics
import time

from sqlalchemy import Connection, func, select, text

from dhafnck_db import certificates, pools, tls
from dhafnck_db.health.findings import Finding
from dhafnck_db.target import Target, pool_of

FULL = 0.9  # of the connections, or of the disk
LONG_TRANSACTION = 600.0  # seconds; it keeps VACUUM from all that has died since
FAR_BEHIND = 30.0  # seconds
SKEW = 5.0  # seconds; tokens and cursors by time go wrong
SLOW = 250.0  # milliseconds for a round trip
ENDING = 14 * 86400.0  # seconds before a certificate ends

# Of all databases: each user may read these counters, which the sessions themselves are not.
CONNECTIONS = text("""
    SELECT (SELECT sum(numbackends) FROM pg_stat_database WHERE datid <> 0),
           current_setting('max_connections')::int
             - current_setting('superuser_reserved_connections')::int
""")
# Of others' sessions a role without pg_read_all_stats sees no times.
OLDEST_TRANSACTION = text("""
    SELECT extract(epoch FROM clock_timestamp() - xact_start)::float, state
    FROM pg_stat_activity
    WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() AND backend_type = 'client backend'
    ORDER BY xact_start LIMIT 1
""")
# replay_lag is null once a replica has caught up; a role without pg_monitor sees that there are
# replicas, and nothing of them.
REPLICAS = text("""
    SELECT count(*),
           CASE WHEN count(state) = count(*)
                THEN coalesce(max(extract(epoch FROM replay_lag)), 0)::float END
    FROM pg_stat_replication
""")
# A replica that has replayed all it received is not behind, however long nothing was written.
BEHIND = text("""
    SELECT CASE WHEN pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() THEN 0
           ELSE extract(epoch FROM clock_timestamp()
                - coalesce(pg_last_xact_replay_timestamp(), pg_postmaster_start_time()))
           END::float
""")


def pool(connection: Connection, target: Target) -> Finding:
    """Whether the server can serve the pool, and whether the pool in this process has any left."""
    taken = pools.exhausted()
    if taken is not None:
        said = f"all {taken.limit} connections are checked out; {taken.timeouts} waited in vain"
        return Finding("warning", said)
    if target.app.on_transaction_pooler:
        return Finding("ok", "the pooler keeps the connections")
    size, overflow = pool_of(target.settings)
    _, allowed = connection.execute(CONNECTIONS).one()
    said = f"{size} + {overflow} of {allowed} connections"
    return Finding("ok" if size + overflow <= allowed else "warning", said)


def connections(connection: Connection, target: Target) -> Finding:
    """Whether the server has connections left for anybody."""
    used, allowed = connection.execute(CONNECTIONS).one()
    return Finding("warning" if used >= FULL * allowed else "ok", f"{used} of {allowed} in use")


def transactions(connection: Connection, target: Target) -> Finding:
    """Whether a transaction has been open for long."""
    oldest = connection.execute(OLDEST_TRANSACTION).one_or_none()
    if oldest is None:
        return Finding("ok", "none is open")
    seconds, state = oldest
    said = f"the oldest is {seconds:.0f} s old, {state}"
    return Finding("warning" if seconds > LONG_TRANSACTION else "ok", said)


def replication(connection: Connection, target: Target) -> Finding:
    """How far replicas are behind, where there are any, or this server where it is one."""
    if connection.scalar(select(func.pg_is_in_recovery())):
        seconds = float(str(connection.scalar(BEHIND)))
        said = f"this is a replica, {seconds:.1f} s behind"
        return Finding("warning" if seconds > FAR_BEHIND else "ok", said)
    count, lag = connection.execute(REPLICAS).one()
    if not count:
        return Finding("ok", "no replica")
    if lag is None:
        return Finding("ok", f"{count} replica(s); of their lag only pg_monitor is told")
    said = f"{count} replica(s), at most {lag:.1f} s behind"
    return Finding("warning" if lag > FAR_BEHIND else "ok", said)


def disk(connection: Connection, target: Target) -> Finding:
    """How much of DB_DISK_LIMIT is used; a server tells nobody how large its disk is."""
    used = int(str(connection.scalar(text("SELECT pg_database_size(current_database())"))))
    limit = target.settings.db_disk_limit
    if limit is None:
        return Finding("ok", f"{used / 1e6:.0f} MB; DB_DISK_LIMIT is not set")
    said = f"{used / 1e6:.0f} of {limit} MB"
    return Finding("warning" if used >= FULL * limit * 1e6 else "ok", said)


def clock(connection: Connection, target: Target) -> Finding:
    """Whether the server's clock and this machine's say the same."""
    asked = time.time()
    there = float(
        str(connection.scalar(text("SELECT extract(epoch FROM clock_timestamp())::float")))
    )
    answered = time.time()
    apart = there - (asked + answered) / 2
    if abs(apart) <= (answered - asked) / 2:  # the way there and back explains it
        return Finding("ok", "the same as here")
    said = f"{abs(apart):.1f} s {'ahead of' if apart > 0 else 'behind'} this machine's"
    return Finding("warning" if abs(apart) > SKEW else "ok", said)


def latency(connection: Connection, target: Target) -> Finding:
    """How long a round trip takes."""
    taken = []
    for _ in range(5):
        started = time.perf_counter()
        connection.execute(text("SELECT 1"))
        taken.append((time.perf_counter() - started) * 1000)
    median = statistics.median(taken)
    return Finding("warning" if median > SLOW else "ok", f"{median:.1f} ms (median of 5)")


def certificate(connection: Connection, target: Target) -> Finding:
    """When the server's certificate and the roots that verify it end; shakes hands once more."""
    roots = certificates.require_usable(target.app)
    if roots is None:
        return Finding("ok", "none is verified")
    ends = tls.certificate_end(target.app)
    if ends is None:
        return Finding("warning", "the server's certificate could not be looked at")
    first = min(ends, roots.expires)
    whose = "the server's" if ends <= roots.expires else "the roots'"
    said = f"{whose} ends on {time.strftime('%Y-%m-%d', time.gmtime(first))}"
    return Finding("warning" if first - time.time() < ENDING else "ok", said)
