"""Whatever ends an import, the target is as before, or whole; and the next import goes through."""

import random
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import chain, product
from pathlib import Path
from typing import NamedTuple

import pytest
from conftest import Server
from psycopg2.extensions import cursor as Cursor
from sqlalchemy import URL

from dhafnck_db import legacy
from dhafnck_db.errors import TargetError, ToolkitError, VerificationError
from legacy.faults import (
    Cluster,
    State,
    connected,
    copy_of_server,
    ended_badly,
    ended_well,
    require_import,
    require_no_lock,
    start_import,
    state,
    with_a_user,
    write_many,
)

Moment = Callable[[Cursor, URL], bool]

KILLS = 50


class Interrupted(NamedTuple):
    """How a run ended that was interrupted, and its database before."""

    url: URL
    before: State
    how: signal.Signals
    code: int
    out: str
    error: str


class Big(NamedTuple):
    """A file whose import takes a second or more."""

    file: Path
    whole: float  # seconds of the whole process
    transaction: float  # of them, from the first write to COMMIT


@pytest.fixture(scope="module")
def cluster(server: Server, surface: str) -> Iterator[Cluster]:
    with copy_of_server(server) as cluster:
        yield cluster


@pytest.fixture
def url(cluster: Cluster) -> URL:
    return with_a_user(cluster.fresh())


@pytest.fixture(scope="module")
def big(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Big:
    """As many rows as this machine needs two seconds for, measured."""
    file = tmp_path_factory.mktemp("big") / "big.db"
    times = 3000
    while True:
        began = time.monotonic()
        imported = ended_well(start_import(cluster.fresh(), write_many(file, times)))
        whole, seconds = time.monotonic() - began, imported["seconds"]
        phases = sum(seconds.values())
        if phases >= 2:
            return Big(file, whole, seconds["load"] + seconds["verify"])
        times = int(times * min(8, max(1.5, 2.4 / phases)))


def doing(cluster: Cluster, url: URL) -> list[str]:
    """What a run does in the database within a transaction at this moment, as a word."""
    with closing(cluster.server.connect()) as watcher, watcher.cursor() as cursor:
        cursor.execute(
            "SELECT split_part(query, ' ', 1) FROM pg_stat_activity WHERE datname = %s"
            " AND application_name = 'dhafnck-db' AND xact_start IS NOT NULL",
            (url.database,),
        )
        return [word for (word,) in cursor.fetchall()]


@contextmanager
def paused(
    cluster: Cluster, url: URL, file: Path, moment: Moment
) -> Iterator[subprocess.Popen[str]]:
    """An import that stands still at a moment of its life; it goes on when the block ends."""
    process = start_import(url, file)
    try:
        watched = closing(cluster.server.connect(str(url.database)))
        with watched as watcher, watcher.cursor() as cursor:
            while not moment(cursor, url):
                assert process.poll() is None, process.communicate()
            process.send_signal(signal.SIGSTOP)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)


def reading(cursor: Cursor, url: URL) -> bool:
    """Whether the run has a connection and, for now, no transaction: it reads the file."""
    cursor.execute(
        "SELECT FROM pg_stat_activity WHERE datname = %s AND application_name = 'dhafnck-db'"
        " AND state = 'idle' AND clock_timestamp() - state_change > '50 ms'",
        (url.database,),
    )
    return bool(cursor.rowcount)


def copying(cursor: Cursor, url: URL) -> bool:
    """Whether the run is within a COPY that has rows already."""
    cursor.execute(
        "SELECT FROM pg_stat_progress_copy WHERE datname = %s AND command = 'COPY FROM'"
        " AND tuples_processed > 100",
        (url.database,),
    )
    return bool(cursor.rowcount)


def copied(cursor: Cursor, url: URL) -> bool:
    """Whether the run has written its last rows, and has not come to its end."""
    cursor.execute(
        "SELECT FROM pg_stat_activity WHERE datname = %s AND application_name = 'dhafnck-db'"
        " AND xact_start IS NOT NULL AND clock_timestamp() - xact_start > '100 ms'"
        " AND query !~ 'COPY .* FROM' AND EXISTS (SELECT FROM pg_locks WHERE pid ="
        " pg_stat_activity.pid AND relation = to_regclass('legacy.id_map')"
        " AND mode = 'RowExclusiveLock')",
        (url.database,),
    )
    return bool(cursor.rowcount)


def test_import_that_is_killed_leaves_nothing_or_everything(cluster: Cluster, big: Big) -> None:
    dice = random.Random(9)  # noqa: S311  # no secret
    # Half of the runs are killed at any point of their life, half within their transaction. Two at
    # a time take longer than the one that was measured.
    longest = {True: 1.2 * big.transaction, False: 1.2 * big.whole}
    points = [(within, dice.uniform(0, longest[within])) for within in (True, False) * (KILLS // 2)]

    def kill(points: list[tuple[bool, float]]) -> list[str]:
        """Kill a run at each point, all in one database; return what they were doing."""
        url, struck = with_a_user(cluster.fresh()), list[str]()
        before = state(url)
        for within, delay in points:
            process = start_import(url, big.file)
            if within:
                watched = closing(cluster.server.connect(str(url.database)))
                with watched as watcher, watcher.cursor() as cursor:
                    while process.poll() is None and not copying(cursor, url):
                        time.sleep(0.01)
            time.sleep(delay)
            struck += doing(cluster, url)
            process.kill()
            process.communicate()
            require_no_lock(url)
            if (found := state(url)) != before:
                assert found.rows.items() > before.rows.items()
                with connected(url) as connection:
                    legacy.verify_file(connection, big.file)
                url = with_a_user(cluster.fresh())
                before = state(url)
        require_import(url, big.file)
        return struck

    with ThreadPoolExecutor() as threads:
        struck = [*chain(*threads.map(kill, (points[: KILLS // 2], points[KILLS // 2 :])))]
    assert len(struck) > KILLS / 4, f"only {struck} were in a transaction"
    legacy.assess(big.file, owner="me")
    assert not [*Path(tempfile.gettempdir()).glob("dhafnck-snapshot-*")], "a copy was left"


@pytest.fixture(
    scope="module",
    params=product([signal.SIGINT, signal.SIGTERM], [reading, copying, copied]),
    ids=lambda param: f"{param[0].name} while {param[1].__name__}",
)
def interrupted(request: pytest.FixtureRequest, cluster: Cluster, big: Big) -> Interrupted:
    """An import that was interrupted at a moment of its life."""
    how, moment = request.param
    url = with_a_user(cluster.fresh())
    before = state(url)
    with paused(cluster, url, big.file, moment) as process:
        process.send_signal(how)
    out, error = process.communicate(timeout=10)
    return Interrupted(url, before, how, process.returncode, out, error)


def test_interrupt_leaves_nothing(interrupted: Interrupted, big: Big) -> None:
    require_no_lock(interrupted.url)
    assert state(interrupted.url) == interrupted.before
    assert (interrupted.code != 0, interrupted.out) == (True, "")
    assert "Traceback" not in interrupted.error
    require_import(interrupted.url, big.file)


def test_interrupt_says_how_to_go_on(interrupted: Interrupted) -> None:
    assert interrupted.code == 128 + interrupted.how  # as a shell reports it
    assert "interrupted" in interrupted.error
    assert "again" in interrupted.error


def test_connection_that_is_lost_at_the_end_of_a_copy_makes_no_noise(
    cluster: Cluster, url: URL, sample: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def cut(table: str, done: int, total: int, _sent: int) -> None:
        if table == "tasks" and done == total:
            with closing(cluster.server.connect()) as superuser, superuser.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE"
                    " datname = %s",
                    (url.database,),
                )

    with connected(url) as connection, pytest.raises(TargetError, match="as it was before"):
        legacy.import_file(connection, sample, owner="x", progress=cut)
    assert capfd.readouterr() == ("", "")


def test_sequence_of_an_import_that_fails_is_as_before(url: URL, sample: Path) -> None:
    last = "SELECT last_value, is_called FROM task_dependencies_id_seq"
    with connected(url) as connection:
        with connection.begin():
            connection.exec_driver_sql(
                "CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN NEW.title = upper(NEW.title); RETURN NEW; END';"
                "CREATE TRIGGER shout BEFORE INSERT ON subtasks FOR EACH ROW"
                " EXECUTE FUNCTION shout()"
            )
            before = connection.exec_driver_sql(last).one()
        with pytest.raises(VerificationError):
            legacy.import_file(connection, sample, owner="x")
        with connection.begin():
            assert connection.exec_driver_sql(last).one() == before


@pytest.mark.parametrize("mode", [signal.SIGQUIT, signal.SIGINT], ids=["immediate", "fast"])
def test_server_that_stops_within_copy_leaves_nothing(
    cluster: Cluster, url: URL, big: Big, mode: signal.Signals
) -> None:
    before = state(url)
    with paused(cluster, url, big.file, copying) as process:
        cluster.restart(mode)
    assert "as it was" in ended_badly(process, 5, "load-failed")
    require_no_lock(url)
    assert state(url) == before
    require_import(url, big.file)


def test_of_two_imports_of_one_file_one_wins(url: URL, big: Big) -> None:
    running = [start_import(url, big.file) for _ in range(2)]
    ended = [ended_well(process) for process in running]
    assert sorted(one["changed"] for one in ended) == [False, True]
    with connected(url) as connection:
        legacy.verify_file(connection, big.file)


def test_of_imports_of_two_files_one_wins_and_the_other_is_refused(
    cluster: Cluster, url: URL, big: Big, sample: Path
) -> None:
    files = [big.file, sample]
    running = [start_import(url, file) for file in files]
    ended = [(*process.communicate(timeout=60), process.returncode) for process in running]
    codes = [code for _, _, code in ended]
    assert sorted(codes) == [0, 5]
    winner, loser = codes.index(0), codes.index(5)
    assert ended[loser][1].startswith("error[target-not-empty]: ")
    alone = cluster.fresh()
    require_import(alone, files[winner])
    counted = [{name: rows for name, (rows, _) in state(one).rows.items()} for one in (url, alone)]
    assert counted[0] == {**counted[1], "public.users": 1}


def test_imports_without_the_lock_of_the_command_line_do_not_mix_either(
    url: URL, big: Big, sample: Path
) -> None:
    def import_(file: Path) -> bool | str:
        with connected(url) as connection:
            try:
                return legacy.import_file(connection, file, owner="x").changed
            except ToolkitError as failure:
                return failure.code

    with ThreadPoolExecutor() as threads:
        ended = list(threads.map(import_, [sample, sample, big.file]))
    assert ended.count(True) == 1
    assert set(ended) <= {True, False, "target-not-empty"}
    with connected(url) as connection:
        legacy.verify_file(connection, sample if ended[2] is not True else big.file)
