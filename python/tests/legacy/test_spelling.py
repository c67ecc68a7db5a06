"""What is told of a batch as a whole is what the exact conversions say of each of its values."""

import json
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dhafnck_db.legacy.convert import to_jsonb, to_timestamptz, to_uuid
from dhafnck_db.legacy.spelling import (
    FIELD,
    NULL,
    ROW,
    are_exact_json,
    are_texts,
    are_times,
    are_uuids,
    canonical_json,
)
from dhafnck_db.legacy.unfit import Unfit

TIMES = st.datetimes().map(lambda moment: moment.isoformat(sep=" "))
NUMBERS = st.integers() | st.floats(allow_nan=False)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@st.composite
def nearly(draw: st.DrawFn, values: st.SearchStrategy[str], letters: str) -> str:
    """A value that may have been changed in one place."""
    value = draw(values)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(value)))
        cut = draw(st.integers(0, 2))
        value = value[:at] + draw(st.text(letters, max_size=2)) + value[at + cut :]
    return value


def joined(values: Sequence[str]) -> bytes:
    return ROW.join(value.encode("utf-8", "surrogatepass") for value in values)


def times(values: Sequence[str]) -> bool:
    return are_times(joined(values), len(values))


def documents(values: Sequence[str]) -> bool:
    return are_texts(joined(values), len(values)) and are_exact_json(joined(values))


@given(st.lists(st.uuids().map(str), min_size=1))
def test_uuids_of_one_spelling_are_taken(values: list[str]) -> None:
    assert are_uuids(joined(values), len(values))


@given(st.lists(nearly(st.uuids().map(str), "-0aAg \x1d{é"), min_size=1, max_size=4))
@example(["a" * 35, "-" * 4 + "a" * 33])
def test_uuids_that_are_taken_stay_as_they_are(values: list[str]) -> None:
    if are_uuids(joined(values), len(values)):
        assert [to_uuid(value) for value in values] == values
        assert [str(UUID(value)) for value in values] == values


@given(st.lists(TIMES.filter(lambda text: text >= "1000"), min_size=1))
def test_times_that_exist_are_taken(values: list[str]) -> None:
    assert times(values)


@given(st.lists(nearly(TIMES, "0123456789-: .T+Z\x1d"), min_size=1, max_size=4))
@example(["2023-02-29 10:00:00"])
@example(["2024-02-29 10:00:00", "2100-02-29 10:00:00"])
@example(["2024-04-31 10:00:00"])
@example(["2024-01-01 24:00:00"])
@example(["0000-01-01 00:00:00"])
@example(["2024-01-01 00:00:00.12345", "2024-01-01 00:00:006.123456"])
def test_times_that_are_taken_exist_and_have_no_offset(values: list[str]) -> None:
    if times(values):
        assert [to_timestamptz(value) for value in values] == [value + "+00" for value in values]


@given(st.lists(DOCUMENTS.map(json.dumps), min_size=1))
def test_json_that_is_taken_is_exact(values: list[str]) -> None:
    if documents(values):
        assert [to_jsonb(value) for value in values] == values


@given(st.lists(st.dictionaries(st.text("ab é"), st.integers(0, 9) | st.text("xy ")), min_size=1))
def test_everyday_json_is_taken(values: list[dict[str, object]]) -> None:
    assert documents([json.dumps(value) for value in values])


@given(st.lists(nearly(DOCUMENTS.map(json.dumps), '"\\:,[]{} e-0ud83\x1d'), min_size=1, max_size=4))
@example(["[1,[2]", "[3],4]"])
@example(['{"a": 1, "a" : 2}'])
@example(['{"a" : 1, "a": 2, "x": "\\" \\u003a"}'])
@example(['{"a": 1, "a": 2, "x\\u0022:": 3}'])
@example(["-0.0"])
@example(["[1e-20000]"])
@example(['"\\ud83d"'])
@example(["0." + "1" * 16_384])
def test_json_that_is_not_exact_is_not_taken(values: list[str]) -> None:
    try:
        exact = [to_jsonb(value) for value in values] == values
    except Unfit:
        exact = False
    if not exact:
        assert not documents(values)


@given(
    st.lists(
        st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x1d\x1e\x1f\x00")),
        min_size=1,
    )
)
def test_texts_that_postgresql_holds_are_taken(values: list[str]) -> None:
    assert are_texts(joined(values), len(values))


@pytest.mark.parametrize(
    "raw", [b"a\x00b", b"\xff", b"\xed\xa0\xbd", b"a\x1db", b"a\x1fb", b"\x1e", b"\xc0\x80"]
)
def test_text_that_postgresql_does_not_hold_or_that_holds_a_separator_is_not_taken(
    raw: bytes,
) -> None:
    assert not are_texts(raw, 1)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (b'{"a": 1, "b": [1.10]}', b'{"b": [1.1], "a": 1}', True),
        (b'"\\u00e9"', '"é"'.encode(), True),
        (b"1e-16", b"0.0000000000000001", True),
        (b"1", b"true", False),
        (b"1", b'"1"', False),
        (b"[59.26346442520008]", b"[59.26346442520009]", False),
        (b"[123456789012345678901]", b"[123456789012345678902]", False),
        (b"0.1", b"0.10000000000000001", False),
        (NULL, b"null", False),
        (NULL + FIELD + b"1", NULL + FIELD + b"1", True),
        (b"1" + ROW + b"2", b"2" + ROW + b"1", False),
    ],
)
def test_json_is_compared_by_value_and_to_the_last_digit(
    one: bytes, other: bytes, same: bool
) -> None:
    first, second = canonical_json(one, other)
    assert (first == second) is same
