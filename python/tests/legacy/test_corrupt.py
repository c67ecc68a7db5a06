"""A damaged file is read exactly or refused by name; never a traceback, a hang or a new file."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError

FILES = 60


def damaged(content: bytes, dice: random.Random) -> bytes:
    """Return the file cut short, with bytes flipped, or with a stretch of noise."""
    found = bytearray(content)
    match dice.randrange(3):
        case 0:
            del found[dice.randrange(len(found)) :]
        case 1:
            for _ in range(dice.choice([1, 10, 300])):
                found[dice.randrange(len(found))] = dice.randrange(256)
        case 2:
            start = dice.randrange(len(found) - 500)
            found[start : start + 500] = dice.randbytes(500)
    return bytes(found)


def test_damaged_file_is_assessed_or_refused(sample: Path) -> None:
    content, dice = sample.read_bytes(), random.Random(20250819)  # noqa: S311  # no secret
    codes = set()
    for _ in range(FILES):
        sample.write_bytes(damaged(content, dice))
        try:
            legacy.assess(sample, owner="x")
        except SourceError as refusal:
            codes.add(refusal.code)
    assert "source-corrupt" in codes
    assert codes <= {"source-corrupt", "source-not-sqlite", "source-empty", "source-name-broken"}
    assert [entry.name for entry in sample.parent.iterdir()] == [sample.name]


def test_name_that_is_no_text_is_refused(make_file: Callable[..., Path]) -> None:
    file = make_file("CREATE TABLE aaaaaaaa (n)")
    file.write_bytes(file.read_bytes().replace(b"aaaaaaaa", b"aaaa\xffaaa"))
    with pytest.raises(SourceError, match="no valid text") as refusal:
        legacy.assess(file, owner=None)
    assert refusal.value.code == "source-name-broken"
