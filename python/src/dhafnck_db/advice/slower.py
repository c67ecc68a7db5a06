"""Which statements take longer than they did, by the figures of two moments.

It asks no database: figures of pg_stat_statements go in, and what they say comes out.
"""

from __future__ import annotations

from dhafnck_db.advice import Advice, Finding, Unchecked
from dhafnck_db.stats import Statement, Stats

RULE = "slower-statement"
FACTOR = 2.0  # times the mean of before
FEWEST = 20  # calls before and since; a mean of fewer says little
LEAST = 1.0  # seconds that it cost since


def since(before: Stats, now: Stats, advice: Advice) -> Advice:
    """Return the advice with a finding for each statement that got slower.

    A statement got slower when its mean since `before` is FACTOR times the mean until then.

    Args:
        before: figures of the same database at an earlier moment.
        now: its figures now.
        advice: what the other rules found.
    """
    earlier = {statement.id: statement for statement in before.statements}
    found = []
    for statement in now.statements:
        then = earlier.get(statement.id)
        if then is None:
            continue
        if statement.calls < then.calls:
            reason = f"the statistics were reset after {before.at}"
            return Advice(advice.findings, [*advice.unchecked, Unchecked(RULE, reason)])
        if _slower(then, statement):
            found.append(_finding(then, statement, before.at, now.statements_schema))
    return Advice([*advice.findings, *found], advice.unchecked)


def _slower(then: Statement, now: Statement) -> bool:
    calls = now.calls - then.calls
    if min(calls, then.calls) < FEWEST:
        return False
    usual = then.seconds / then.calls * calls
    taken = now.seconds - then.seconds
    return taken > FACTOR * usual and taken - usual > LEAST


def _finding(then: Statement, now: Statement, at: str, schema: str | None) -> Finding:
    calls = now.calls - then.calls
    mean = (now.seconds - then.seconds) / calls * 1000
    usual = then.seconds / then.calls * 1000
    said = f"{mean:.1f} ms in {calls} calls since {at}, {usual:.1f} ms before: {now.text}"
    # To be read; nothing of it is run here.
    confirm = (
        f"SELECT sum(calls) AS calls, sum(total_exec_time) / sum(calls) AS mean "  # noqa: S608  # no value of a user's
        f"FROM {schema}.pg_stat_statements WHERE queryid = {now.id} "
        "AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        f"HAVING sum(total_exec_time) - {then.seconds * 1000:.3f} > "
        f"{FACTOR * usual:.3f} * (sum(calls) - {then.calls})"
    )
    return Finding(RULE, f"statement {now.id}", said, confirm, None)
