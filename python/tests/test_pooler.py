"""A transaction pooler is refused by what it does, on whatever port; a session pooler is taken."""

from collections.abc import Callable

import pytest
from conftest import Ended, configuration
from fix_prod import REF, Pooled, production
from fix_schema import HEAD, WRITING, catalog, version
from sqlalchemy import URL

from dhafnck_db import pooler

Run = Callable[..., Ended]


@pytest.mark.parametrize(
    "how",
    [{}, {"server_round_robin": 1, "min_pool_size": 3}, {"default_pool_size": 1}],
    ids=["last used first", "in turn", "one process"],
)
def test_transaction_pooler_on_any_port_is_refused(
    at_head: URL, pooled: Pooled, run: Run, how: dict[str, int]
) -> None:
    before = catalog(at_head)
    url = pooled(at_head, pool_mode="transaction", **how)
    for command in WRITING:
        ended = run(*command, env=configuration(url))
        assert (ended.code, ended.out) == (7, ""), ended.err
        assert ended.err.startswith("error[transaction-pooler]: ")
        assert str(url.port) in ended.err
    assert (catalog(at_head), version(at_head)) == (before, HEAD)


def test_production_behind_a_transaction_pooler_is_refused_before_anybody_is_asked(
    prod: URL, pooled: Pooled, run: Run
) -> None:
    url = pooled(prod, pool_mode="transaction")
    ended = run("schema", "upgrade", "--confirm", REF, env=production(url))
    assert ended.code == 7
    assert ended.err.startswith("error[transaction-pooler]: ")


@pytest.mark.parametrize("size", [1, 20])
def test_session_pooler_is_taken(
    database: URL, pooled: Pooled, run: Run, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(pooler, "PATIENCE", 0.5)  # of one place, the second connection waits
    url = pooled(database, pool_mode="session", default_pool_size=size)
    ended = run("schema", "upgrade", env=configuration(url))
    assert (ended.code, ended.err) == (0, "")
    assert version(database) == HEAD
