"""However many ask, the database is asked once at a time; and none of them is told wrong."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from conftest import Server
from fix_schema import execute
from fix_service import Own, Serve
from sqlalchemy import URL

DEEP = "/health/database"
READY = "/health/ready"
LIVE = "/health/live"


def test_storm_of_probes_costs_one_measurement(server: Server, at_head: URL, serve: Serve) -> None:
    service = serve(at_head, DB_HEALTH_CACHE="60")
    with ThreadPoolExecutor(50) as crowd:
        replies = list(crowd.map(service.get, (DEEP, READY) * 500))
    assert {reply.code for reply in replies} == {200}
    assert measurements(at_head) == 1


def test_probes_of_one_moment_share_a_measurement(
    server: Server, at_head: URL, serve: Serve
) -> None:
    service = serve(at_head)  # nothing is cached
    with closing(server.connect(str(at_head.database))) as other, other.cursor() as cursor:
        cursor.execute("BEGIN; LOCK TABLE dhafnck.identity")
        with ThreadPoolExecutor(30) as crowd:
            asked = [crowd.submit(service.get, DEEP) for _ in range(30)]
            time.sleep(0.7)
            assert service.get(LIVE).seconds < 1
            cursor.execute("COMMIT")
            assert {reply.result().code for reply in asked} == {200}
    assert measurements(at_head) <= 2  # one, and one for who came after its end


def measurements(url: URL) -> int:
    """How often a database was measured since it was made."""
    query = (
        "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query LIKE "
        "'%FROM dhafnck.identity%' AND dbid = (SELECT oid FROM pg_database "
        "WHERE datname = current_database()) AND query NOT LIKE '%pg_stat_statements%'"
    )
    ((found,),) = execute(url, query)
    return int(found)


def test_probe_keeps_one_connection(server: Server, at_head: URL, serve: Serve) -> None:
    service = serve(at_head)
    for _ in range(20):
        service.get(DEEP)
    with closing(server.connect()) as superuser, superuser.cursor() as cursor:
        cursor.execute(
            "SELECT application_name, state FROM pg_stat_activity WHERE datname = %s",
            (at_head.database,),
        )
        assert cursor.fetchall() == [("dhafnck-probe", "idle")]


def test_no_probe_is_wrong_while_the_server_comes_and_goes(own: Own, serve: Serve) -> None:
    service = serve(own.url)
    over = threading.Event()
    certain: list[tuple[float, float, int]] = []  # from, until, the code of then

    def come_and_go() -> None:
        while not over.is_set():
            for change, pause, code in ((None, 0.6, 200), (own.stop, 0.4, 503), (own.start, 0, 0)):
                if change is not None:
                    change()
                since = time.monotonic()
                time.sleep(pause)
                certain.append((since, time.monotonic(), code))

    def probe(number: int) -> tuple[float, float, int, int]:
        began = time.monotonic()
        reply = service.get((DEEP, READY)[number % 2])
        return began, time.monotonic(), reply.code, service.get(LIVE).code

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        with ThreadPoolExecutor(4) as crowd:
            probes = list(crowd.map(probe, range(1000)))
    finally:
        over.set()
        thread.join()
    judged: Counter[int] = Counter()
    for began, ended, code, live in probes:
        assert (code in (200, 503), live) == (True, 200)
        for since, until, wanted in certain:
            # A probe that came while the one before was put has the answer of that one.
            if wanted and since + 0.2 < began and ended < until:
                assert code == wanted, (began - since, until - ended)
                judged[wanted] += 1
    assert min(judged[200], judged[503]) > 50
