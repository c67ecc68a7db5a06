"""What is too long to be handled as a whole is judged and compared as what is short."""

import json
import random
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dhafnck_db import legacy
from dhafnck_db.errors import VerificationError
from dhafnck_db.legacy import long_json
from dhafnck_db.legacy.compare import as_json
from dhafnck_db.legacy.convert import to_jsonb
from dhafnck_db.legacy.long import LONG, LongText
from dhafnck_db.legacy.long_compare import are_equal, document
from dhafnck_db.legacy.unfit import Unfit
from legacy.generations import OLDEST

NUMBERS = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=30,
)
BROKEN = [
    "", "{", "[1,", "[1 2]", '{"a" 1}', '{"a":1,}', "[1,]", "01", "1.", "-", "+1", "1e", "nul",
    "[1]]", "1 2", '"a', '"\\x"', '"\\ud8"', '"\t"', "NaN", "[-Infinity]", "{1:2}", "'a'",
    '"\\u0000"', '["\\ud800"]', '{"\\udc00": 1}', '{"a":1,"a":2}', '[{"b":{"a":1,"a":[]}}]',
    "-0.0", "[1e999999]", "[1e-99999]", '{"a":1,"b":2,"a":3}', "[[1,2],{}", '["a",,1]',
]  # fmt: skip


@pytest.fixture(params=[64, 1 << 18])
def window(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """The window through which JSON is read: one in which a number just fits, and the real one."""
    size: int = request.param
    monkeypatch.setattr(long_json, "WINDOW", size)
    monkeypatch.setattr(long_json, "SLICE", max(1, size // 4))
    return size


def cut(raw: bytes, seed: int = 0) -> list[bytes]:
    """The bytes in pieces, cut anywhere."""
    random_ = random.Random(seed)  # noqa: S311  # to find the same again
    places = sorted({0, len(raw), *(random_.randint(0, len(raw)) for _ in range(5))})
    return [raw[start:end] for start, end in pairwise(places)]


def refused(value: str | LongText) -> str | None:
    try:
        to_jsonb(value)
    except Unfit as unfit:
        return unfit.code
    return None


@pytest.mark.parametrize("broken", BROKEN)
def test_long_json_is_refused_as_short_json_is(window: int, broken: str) -> None:
    assert refused(broken) is not None
    for before, after in (("", ""), (f'[{{"much": "{"before " * 20}"}}, ', ', "after"]')):
        whole = before + broken + after
        assert refused(LongText(whole.encode())) == refused(whole)


def test_long_json_is_taken_and_compared_as_short_json_is(window: int) -> None:
    @settings(max_examples=60, deadline=None)
    @given(DOCUMENTS, DOCUMENTS, st.booleans(), st.integers())
    def check(one: Any, other: Any, ascii_: bool, seed: int) -> None:
        one = [one, {"again": one}]
        other = [other, {"again": other}]
        first = json.dumps(one, ensure_ascii=ascii_, indent=seed % 3 or None)
        second = json.dumps(other, ensure_ascii=not ascii_, sort_keys=True)
        assert refused(LongText(first.encode())) == refused(first)
        for text_ in (second, json.dumps(one, sort_keys=True)):
            same = as_json(first) == as_json(text_)
            pieces = cut(first.encode(), seed), cut(text_.encode(), seed + 1)
            assert (document(pieces[0]) == document(pieces[1])) is same

    check()


@pytest.mark.parametrize(
    ("one", "other"),
    [("[1, 2]", "[2, 1]"), ("1", "true"), ('"1"', "1"), ("[]", "{}"), ('{"a": {}}', '{"a": []}'),
     ('[["a"], "b"]', '[["a", "b"]]'), ('{"a": "b"}', '{"b": "a"}'), ("null", '"null"'),
     ('{"a": 1, "b": 2}', '{"a": 2, "b": 1}'),
     (f'{{"p": "{"p" * 99}", "a": 1, "b": 2}}', f'{{"p": "{"p" * 99}", "a": 2, "b": 1}}'),
     (f'[[1], "{"p" * 99}", 2]', f'[1, "{"p" * 99}", [2]]'),
     ("0.1", "0.10000000000000000000000000000000001"), ('"a"', '"a "')],
)  # fmt: skip
def test_different_json_has_different_digests(window: int, one: str, other: str) -> None:
    assert document([one.encode()]) != document([other.encode()])


@pytest.mark.parametrize("digits", ["1e2", "100", "1.00e2", "100.0", "0.1E3"])
def test_a_number_is_the_same_however_it_is_spelled(window: int, digits: str) -> None:
    assert Decimal(digits) == 100
    assert document([digits.encode()]) == document([b"100"])


def test_pieces_are_equal_wherever_they_were_cut() -> None:
    raw = bytes(range(256)) * 3
    for seed in range(20):
        assert are_equal(cut(raw, seed), cut(raw, seed + 1))
        assert not are_equal(cut(raw, seed), cut(raw[:-1], seed + 1))
        assert not are_equal(cut(raw[:-1], seed), cut(raw, seed + 1))
        assert not are_equal(cut(raw, seed), cut(raw[:500] + b"." + raw[501:], seed + 1))


LONG_TEXT = "Küche 😀 it's \\ " * (LONG // 10)
LONG_JSON = json.dumps({"a": [LONG_TEXT], "n": list(range(100_000))})
CHANGES = {
    "text": "UPDATE tasks SET description = overlay(description placing 'k' from 1000000 for 1)",
    "json": "UPDATE global_contexts SET unified_context_data = "
    "jsonb_set(unified_context_data, '{autonomous_rules,n,99999}', '0')",
    "a folded member gone": "UPDATE global_contexts SET unified_context_data = "
    "unified_context_data - 'autonomous_rules'",
    "blob": "UPDATE legacy.things SET b = set_byte(b, octet_length(b) - 1, 7) WHERE rowid = 1",
    "literal": "UPDATE legacy.things SET v = left(v, 1500000) || '''' WHERE rowid = 1",
    "unclean": "UPDATE legacy.things SET v = replace(v, '00', '01') WHERE rowid = 2",
    "a long one for NULL": "UPDATE legacy.things SET b = (SELECT b FROM legacy.things "
    "WHERE rowid = 1) WHERE rowid = 2",
    "NULL for a long one": "UPDATE legacy.things SET b = NULL WHERE rowid = 1",
    "a row gone": "DELETE FROM legacy.things WHERE rowid = 1",
}


@pytest.mark.parametrize("name", CHANGES)
def test_every_change_of_a_long_value_is_found(
    make_file: Callable[..., Path],
    import_: Callable[..., legacy.ImportResult],
    verify: Callable[[Path], legacy.VerifyResult],
    fetch: Callable[[str], list[Any]],
    name: str,
) -> None:
    file = make_file(
        OLDEST,
        ("UPDATE tasks SET description = ?", [[LONG_TEXT]]),
        ("UPDATE global_contexts SET autonomous_rules = ?", [[LONG_JSON]]),
        "CREATE TABLE things (v, b)",
        (
            "INSERT INTO things VALUES (?, ?)",
            [[LONG_TEXT, bytes(2 * LONG)], [LONG_TEXT + "\0", None], [1, None]],
        ),
    )
    assert import_(file).verified is True
    verify(file)
    fetch(CHANGES[name])
    with pytest.raises(VerificationError):
        verify(file)
