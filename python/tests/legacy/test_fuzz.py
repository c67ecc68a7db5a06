"""A damaged file is refused by name or imported exactly; never a traceback, a hang or a write."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest
from conftest import Server, copy_of

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError
from dhafnck_db.legacy.sample import write_sample
from legacy.conftest import SHARED
from legacy.generations import NEWEST, OLDEST

FILES, WORKERS = 500, 2
TESTS = Path(__file__).parents[1]
REFUSALS = {
    "source-collation",  # a name of one, damaged
    "source-corrupt",
    "source-empty",
    "source-name-broken",
    "source-not-sqlite",
}


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Return the file cut short, with bytes or bits flipped, or with a stretch of noise."""
    found = bytearray(content)
    match dice.randrange(5):
        case 0:
            del found[dice.randrange(len(found)) :]
        case 1:
            for _ in range(dice.choice([1, 10, 300])):
                found[dice.randrange(len(found))] = dice.randrange(256)
        case 2:
            start = dice.randrange(len(found) - 500)
            found[start : start + 500] = dice.randbytes(500)
        case 3:  # an empty page is seldom looked at: only where there is something
            filled = [at for at, byte in enumerate(found) if byte]
            for at in dice.choices(filled, k=dice.choice([1, 3, 30])):
                found[at] ^= 1 << dice.randrange(8)
        case 4:
            start, size = dice.randrange(len(found)), dice.randrange(1, 5000)
            del found[start : start + size]
    return bytes(found)


@pytest.fixture
def originals(tmp_path: Path, make_file: Callable[..., Path]) -> list[bytes]:
    """The files to damage; now and then a real one, where they are at hand."""
    sample = tmp_path / "sample.db"
    write_sample(sample)
    made = [sample, make_file(OLDEST, name="oldest.db"), make_file(NEWEST, name="newest.db")]
    real = sorted(SHARED.glob("data/legacy/*.db"))
    return [file.read_bytes() for file in (*made * 4, *real)]


def outcomes(server: Server, template: str, folders: list[Path]) -> list[tuple[str, str, str]]:
    """Let a process work through each folder; return what each file came to."""
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    with ExitStack() as stack:
        workers = []
        program = [sys.executable, "-m", "legacy.fuzz_worker"]
        for folder in folders:
            url = stack.enter_context(copy_of(template, server))
            workers.append(
                subprocess.Popen(
                    [*program, url.render_as_string(hide_password=False), folder],
                    stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                    env={**os.environ, "PYTHONPATH": path},
                )
            )  # fmt: skip
        ended = [(*worker.communicate(), worker.returncode) for worker in workers]
    found = []
    for folder, (out, error, code) in zip(folders, ended, strict=True):
        lines = [json.loads(line) for line in out.splitlines()]
        files = sorted(file.name for file in folder.iterdir())
        done = [name for name, _, _ in lines]
        assert done == files, f"after {done[-1:]} the process ended with {code}: {error}"
        assert (code, error) == (0, "")
        found += [tuple(line) for line in lines]
    return found


def test_damaged_file_is_imported_exactly_or_refused(
    server: Server, surface: str, originals: list[bytes], tmp_path: Path
) -> None:
    folders = [tmp_path / f"worker{number}" for number in range(WORKERS)]
    for folder in folders:
        folder.mkdir()
    for number in range(FILES):
        file = folders[number % WORKERS] / f"{number:03}.db"
        dice = random.Random(20250819 + number)  # noqa: S311  # no secret; one file, one dice
        file.write_bytes(damaged(originals[number // WORKERS % len(originals)], dice))
    found = outcomes(server, surface, folders)
    assert [(name, wrong) for name, _, wrong in found if wrong] == []
    counted = Counter(outcome for _, outcome, _ in found)
    assert counted.keys() <= REFUSALS | {"imported", "quarantined"}
    # Neither a test that refuses everything nor one that harms nothing.
    assert min(counted["imported"], counted["source-corrupt"]) > 50, counted
    assert counted["quarantined"] > 5, counted
    assert sum(counted.values()) == FILES


def test_name_that_is_no_text_is_refused(make_file: Callable[..., Path]) -> None:
    file = make_file("CREATE TABLE aaaaaaaa (n)")
    file.write_bytes(file.read_bytes().replace(b"aaaaaaaa", b"aaaa\xffaaa"))
    with pytest.raises(SourceError, match="no valid text") as refusal:
        legacy.assess(file, owner=None)
    assert refusal.value.code == "source-name-broken"
