"""A damage that an index alone can tell is seen before anything is read."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from dhafnck_db import legacy
from dhafnck_db.errors import SourceError

MakeFile = Callable[..., Path]
TABLE = """
    CREATE TABLE t (id INTEGER PRIMARY KEY, name TEXT UNIQUE);
    INSERT INTO t (name) VALUES ('a word of its own'), ('another word')
"""


def places(content: bytes | bytearray, word: bytes) -> list[int]:
    return [at for at in range(len(content)) if content.startswith(word, at)]


@pytest.mark.parametrize("which", [0, 1], ids=["table", "index"])
def test_value_that_differs_from_its_index_is_damage(make_file: MakeFile, which: int) -> None:
    file = make_file(TABLE)
    content = bytearray(file.read_bytes())
    found = places(content, b"a word of its own")
    assert len(found) == 2  # in the table, and in its index
    content[found[which]] ^= 1
    file.write_bytes(content)
    with pytest.raises(SourceError, match="is damaged") as refusal:
        legacy.assess(file, owner=None)
    assert refusal.value.code == "source-corrupt"
    assert "missing from index" in str(refusal.value.cause)


def test_index_over_an_unknown_function_hides_no_row(make_file: MakeFile) -> None:
    file = make_file(TABLE)
    with closing(sqlite3.connect(file)) as writer:
        writer.create_function("twice", 1, lambda text: text * 2, deterministic=True)
        writer.execute("CREATE INDEX doubled ON t (twice(name))")
    plan = legacy.assess(file, owner=None)
    assert plan.totals["archived"] == 2
    assert "doubled" in [one.name for one in plan.unplaced]


def test_damage_is_seen_beside_an_index_over_an_unknown_function(make_file: MakeFile) -> None:
    file = make_file(TABLE)
    with closing(sqlite3.connect(file)) as writer:
        writer.create_function("twice", 1, lambda text: text * 2, deterministic=True)
        writer.execute("CREATE TABLE other (name)")
        writer.execute("CREATE INDEX doubled ON other (twice(name))")
    content = bytearray(file.read_bytes())
    content[places(content, b"a word of its own")[0]] ^= 1
    file.write_bytes(content)
    with pytest.raises(SourceError, match="is damaged"):
        legacy.assess(file, owner=None)


def test_collation_of_another_program_is_named(make_file: MakeFile) -> None:
    file = make_file("CREATE TABLE u (n)")
    with closing(sqlite3.connect(file)) as writer:
        writer.create_collation("theirs", lambda one, other: (one > other) - (one < other))
        writer.execute("CREATE TABLE t (name TEXT COLLATE theirs UNIQUE)")
        writer.execute("INSERT INTO t VALUES ('a'), ('b')")
        writer.commit()
    with pytest.raises(SourceError, match="sorts by collation theirs") as refusal:
        legacy.assess(file, owner=None)
    assert refusal.value.code == "source-collation"
