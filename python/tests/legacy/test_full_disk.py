"""A server whose disk is full ends the import with one error, and the target is as before."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from conftest import Server

from legacy.faults import (
    Cluster,
    copy_of_server,
    ended_badly,
    require_import,
    start_import,
    state,
    with_a_user,
    write_many,
)

MEGABYTE = 1 << 20


@pytest.fixture(scope="module")
def cluster(server: Server, surface: str) -> Iterator[Cluster]:
    with copy_of_server(server) as cluster:
        yield cluster


@pytest.fixture
def bulky(tmp_path: Path) -> Path:
    """A file with a table of 60 MB that no compression makes smaller."""
    return write_many(tmp_path / "bulky.db", times=60, blob=MEGABYTE)


def test_file_of_the_server_that_may_not_grow_leaves_nothing(cluster: Cluster, bulky: Path) -> None:
    url = with_a_user(cluster.fresh())
    before = state(url)
    cluster.restart(largest_file=32 * MEGABYTE)
    error = ended_badly(start_import(url, bulky), 5, "load-failed")
    cluster.restart()
    assert "cause: could not extend file" in error
    assert state(url) == before
    require_import(url, bulky)


@pytest.fixture
def small_disk(cluster: Cluster) -> Iterator[Path]:
    """A file system of 32 MB for a tablespace."""
    place = cluster.home / "small"
    place.mkdir()
    mount: list[str | Path] = [
        "mount",
        "-t",
        "tmpfs",
        "-o",
        f"size={32 * MEGABYTE}",
        "dhafnck-test",
        place,
    ]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no file system may be mounted here; the test of the file size ran instead")
    try:
        shutil.chown(place, "postgres", "postgres")
        yield place
    finally:
        cluster.stop(signal.SIGINT)
        subprocess.run(["umount", place], check=True)
        cluster.start()


def test_full_disk_of_the_server_leaves_nothing(
    cluster: Cluster, small_disk: Path, bulky: Path
) -> None:
    with closing(cluster.server.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLESPACE small LOCATION %s", (str(small_disk),))
    url = cluster.fresh(tablespace="small")
    before = state(url)
    error = ended_badly(start_import(url, bulky), 5, "load-failed")
    assert "No space left on device" in error
    assert state(url) == before
    subprocess.run(["mount", "-o", "remount,size=512m", small_disk], check=True)
    require_import(url, bulky)
