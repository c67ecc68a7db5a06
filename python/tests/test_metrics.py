"""Metrics tell what was done, and that a database is away; they hold no value of a statement."""

import json
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from conftest import PASSWORD, Ended, configuration
from fix_schema import execute
from fix_service import Own, Serve, Service
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from dhafnck_db.metrics import instrument

Run = Callable[..., Ended]
Samples = dict[tuple[str, ...], float]


def samples(exposed: str) -> Samples:
    """Each sample by its name and the values of its labels."""
    return {
        (sample.name, *(sample.labels[label] for label in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(exposed)
        for sample in family.samples
    }


def scraped(service: Service) -> Samples:
    reply = service.get("/metrics")
    assert reply.code == 200
    return samples(reply.text)


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def engine(shared: URL, registry: CollectorRegistry) -> Iterator[Engine]:
    """An instrumented engine with room for two."""
    engine = create_engine(shared, pool_size=1, max_overflow=1, pool_timeout=0.2)
    instrument(engine, registry=registry)
    yield engine
    engine.dispose()


def measured(registry: CollectorRegistry) -> Samples:
    return samples(generate_latest(registry).decode())


def test_counts_equal_what_was_done(engine: Engine, registry: CollectorRegistry) -> None:
    with engine.connect() as connection:
        for _ in range(7):
            connection.execute(text("SELECT 1"))
        connection.execute(text("SELECT pg_sleep(0.3)"))
        for statement, times in (("SELECT 1/0", 2), ("SELECT * FROM nowhere", 3)):
            for _ in range(times):
                with pytest.raises(DBAPIError):
                    connection.execute(text(statement))
                connection.rollback()
    found = measured(registry)
    query = "dhafnck_db_query_duration_seconds"
    # 7, the slow one, those that failed; and what SQLAlchemy asks a new connection goes around.
    assert found[f"{query}_count", "app"] == 13
    assert found[f"{query}_bucket", "0.25", "app"] == 12
    assert 0.3 <= found[f"{query}_sum", "app"] < 5
    errors = {key[2]: n for key, n in found.items() if key[0] == "dhafnck_db_errors_total"}
    assert errors == {"22": 2, "42": 3}
    assert found["dhafnck_db_pool_wait_seconds_count", "app"] == 1


def test_pool_is_told_as_it_is(engine: Engine, registry: CollectorRegistry) -> None:
    def pool() -> list[float]:
        found = measured(registry)
        return [
            found[f"dhafnck_db_pool_{name}_connections", "app"]
            for name in ("size", "limit", "checked_out", "overflow")
        ]

    assert pool() == [1, 2, 0, 0]
    with engine.connect():
        assert pool() == [1, 2, 1, 0]
        with engine.connect():
            assert pool() == [1, 2, 2, 1]
            with pytest.raises(PoolTimeout):
                engine.connect()
    assert pool() == [1, 2, 0, 0]
    found = measured(registry)
    assert found["dhafnck_db_pool_timeouts_total", "app"] == 1
    assert found["dhafnck_db_pool_wait_seconds_count", "app"] == 3
    assert found["dhafnck_db_pool_wait_seconds_sum", "app"] >= 0.2


def test_engine_is_watched_once_and_after_dispose(
    engine: Engine, registry: CollectorRegistry
) -> None:
    instrument(engine, registry=registry)
    engine.dispose()
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
    found = measured(registry)
    assert found["dhafnck_db_query_duration_seconds_count", "app"] == 1
    assert found["dhafnck_db_pool_wait_seconds_count", "app"] == 1


def test_waiting_for_a_connection_is_time(engine: Engine, registry: CollectorRegistry) -> None:
    with engine.connect():
        held = engine.connect()
        threading.Timer(0.1, held.close).start()
        with engine.connect():
            found = measured(registry)
    assert 0.08 <= found["dhafnck_db_pool_wait_seconds_sum", "app"] < 1


def test_exhausted_pool_is_reported_and_not_suffered(
    engine: Engine, shared: URL, serve: Serve
) -> None:
    service = serve(shared)
    with engine.connect(), engine.connect():
        reply = service.get("/health/database")
        assert (reply.code, reply.body["status"]) == (200, "degraded")
        assert reply.not_ok() == {"pool": "all 2 connections are checked out; 0 waited in vain"}
        assert (service.get("/health/ready").code, service.get("/metrics").code) == (200, 200)
    assert service.get("/health/database").not_ok() == {}


def test_database_is_told_as_it_is(at_head: URL, serve: Serve) -> None:
    execute(
        at_head,
        "CREATE TABLE dying AS SELECT generate_series(1, 1000) AS n",
        "DELETE FROM dying WHERE n <= 400",
    )
    service = serve(at_head)
    found = scraped(service)
    until = time.monotonic() + 10
    while found.get(("dhafnck_db_dead_tuples", "public.dying")) != 400:
        assert time.monotonic() < until, "the server has not counted yet"
        time.sleep(0.2)
        found = scraped(service)
    ((size,),) = execute(at_head, "SELECT pg_database_size(current_database())")
    assert found["dhafnck_db_live_tuples", "public.dying"] == 600
    assert abs(found["dhafnck_db_size_bytes",] - size) < 1e6
    assert found["dhafnck_db_up",] == 1
    assert found["dhafnck_db_connections_limit",] == 97
    assert 1 <= found["dhafnck_db_connections",] <= 97
    assert 0.5 < found["dhafnck_db_cache_hit_ratio",] <= 1


def test_statements_are_told_without_their_values(at_head: URL, serve: Serve) -> None:
    execute(at_head, "SELECT 'canary-7c1e', pg_sleep(0.5)")
    reply = serve(at_head).get("/metrics")
    assert "canary-7c1e" not in reply.text
    found = samples(reply.text)
    slow = [key for key in found if key[0].endswith("calls_total") and "pg_sleep($" in key[1]]
    assert [found[key] for key in slow] == [1]


def test_open_transaction_has_an_age(at_head: URL, serve: Serve) -> None:
    service = serve(at_head)
    engine = create_engine(at_head)
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        time.sleep(0.3)
        found = scraped(service)
    engine.dispose()
    assert 0.3 <= found["dhafnck_db_oldest_transaction_seconds",] < 10


def test_database_that_is_away_is_down_and_then_up(own: Own, serve: Serve) -> None:
    service = serve(own.url, DB_HEALTH_TIMEOUT="2")
    assert scraped(service)["dhafnck_db_up",] == 1
    own.stop()
    found = scraped(service)
    assert found["dhafnck_db_up",] == 0
    assert ("dhafnck_db_size_bytes",) not in found
    own.start()
    assert scraped(service)["dhafnck_db_up",] == 1
    with own.frozen():
        assert scraped(service)["dhafnck_db_up",] == 0
        reply = service.get("/metrics")
        assert reply.seconds < 3


def test_names_keep_the_conventions(shared: URL, serve: Serve) -> None:
    reply = serve(shared).get("/metrics")
    for family in text_string_to_metric_families(reply.text):
        if not family.name.startswith("dhafnck_"):
            continue
        assert family.documentation.endswith("."), family.name
        assert not family.name.endswith(("_ms", "_milliseconds", "_mb")), family.name
        counted = {s.name.endswith("_total") for s in family.samples} or {family.type == "counter"}
        assert counted == {family.type == "counter"}, family.name


def test_stats_prints_the_same_for_a_person(shared: URL, run: Run) -> None:
    env = configuration(shared)
    ended = run("stats", "--format", "json", env=env)
    assert (ended.code, ended.err) == (0, "")
    found = json.loads(ended.out)
    assert found["changed"] is False
    assert found["size"] > 1e6
    assert found["connections_limit"] == 97
    assert "public.tasks" in {table["name"] for table in found["tables"]}
    ended = run("stats", env=env)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert [line.split("  ")[0] for line in lines[1:9]] == [
        "size",
        "connections",
        "cache hits",
        "transactions",
        "deadlocks",
        "oldest transaction",
        "replicas",
        "dead rows",
    ]
    assert PASSWORD not in ended.out


def test_stats_of_a_server_that_is_away_is_an_error(shared: URL, run: Run) -> None:
    ended = run("stats", env=configuration(shared.set(port=1)))
    assert (ended.code, ended.out) == (5, "")
    assert ended.err.startswith("error[target-unreachable]")
