"""Values on their way from SQLite to a type of PostgreSQL: what they become, what is refused."""

import uuid
from typing import Any

import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    DateTime,
    Double,
    Engine,
    Enum,
    Integer,
    LargeBinary,
    SmallInteger,
    String,
    Text,
    Uuid,
    cast,
    literal,
    select,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from dhafnck_db.legacy.compare import is_same
from dhafnck_db.legacy.convert import conversion_to
from dhafnck_db.legacy.unfit import Unfit

UUID, TIME, JSON, BOOL = Uuid(), DateTime(timezone=True), JSONB(), Boolean()
STATE = Enum("INITIAL", "IN_PROGRESS", "COMPLETE", name="progressstate")

CARRIED: list[tuple[TypeEngine[Any], Any, str]] = [
    (UUID, "e9fb3fc9-fec0-4209-a232-909c4cc043a4", "e9fb3fc9-fec0-4209-a232-909c4cc043a4"),
    (UUID, " E9FB3FC9FEC04209A232909C4CC043A4\n", "e9fb3fc9-fec0-4209-a232-909c4cc043a4"),
    (UUID, "default_project", str(uuid.uuid5(uuid.NAMESPACE_DNS, "default_project"))),
    (UUID, " default_project ", str(uuid.uuid5(uuid.NAMESPACE_DNS, "default_project"))),
    (UUID, 621, str(uuid.uuid5(uuid.NAMESPACE_DNS, "621"))),
    (TIME, "2025-07-16 07:44:51", "2025-07-16 07:44:51+00"),
    (TIME, "2025-07-17 15:39:29.839639", "2025-07-17 15:39:29.839639+00"),
    (TIME, "2025-07-17T15:39:29.8Z", "2025-07-17 15:39:29.8+00"),
    (TIME, "2025-07-17 15:39:29.839639000", "2025-07-17 15:39:29.839639+00"),
    (TIME, "2025-07-17T15:39:29+02:00", "2025-07-17 13:39:29+00"),
    (TIME, "2025-07-17 15:39:29.000001-0530", "2025-07-17 21:09:29.000001+00"),
    (TIME, "0001-01-01 00:00:00", "0001-01-01 00:00:00+00"),
    (TIME, "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999+00"),
    (JSON, '{"b": 1, "a": [1.10, 123456789012345678901234567890, -0]}',
     '{"a": [1.10, 123456789012345678901234567890, 0], "b": 1}'),
    (JSON, '"\\u00e9\\ud83d\\ude00\\n"', '"é😀\\n"'),
    (JSON, "null", "null"),
    (JSON, 5, "5"),
    (JSON, 0.1, "0.1"),
    (JSON, "1e100", "1" + "0" * 100),
    (BOOL, 1, "true"),
    (BOOL, 0, "false"),
    (Integer(), 2**31 - 1, str(2**31 - 1)),
    (SmallInteger(), -(2**15), str(-(2**15))),
    (BigInteger(), -(2**63), str(-(2**63))),
    (Double(), 5e-324, "5e-324"),
    (Double(), 0.1 + 0.2, "0.30000000000000004"),
    (Double(), float("-inf"), "-Infinity"),
    (Double(), 2**53, "9.007199254740992e+15"),
    (Text(), "", ""),
    (Text(), "a\t\\N\n\r\\.é😀", "a\t\\N\n\r\\.é😀"),
    (Text(), 12, "12"),
    (String(3), "é😀x", "é😀x"),
    (STATE, "COMPLETE", "COMPLETE"),
]  # fmt: skip

REFUSED: list[tuple[TypeEngine[Any], Any, str]] = [
    (UUID, b"\x00" * 16, "type-mismatch"),
    (UUID, 1.5, "type-mismatch"),
    (UUID, "a\x00b", "text-nul"),
    (TIME, "now", "time-shape"),
    (TIME, "", "time-shape"),
    (TIME, "2025-07-16", "time-shape"),
    (TIME, "2025-07-16 07:44:51 ", "time-shape"),
    (TIME, "2025-07-16 07:44:51+99:00", "time-shape"),
    (TIME, "\u0662\u0660\u0662\u0665-07-16 07:44:51", "time-shape"),
    (TIME, "2025-07-16 24:00:00", "time-nonexistent"),
    (TIME, "2025-02-29 00:00:00", "time-nonexistent"),
    (TIME, "0000-00-00 00:00:00", "time-nonexistent"),
    (TIME, "0001-01-01 00:00:00+01:00", "time-nonexistent"),
    (TIME, "2025-07-16 07:44:51.1234567", "time-precision"),
    (TIME, 1752651891, "type-mismatch"),
    (TIME, 2460872.5, "type-mismatch"),
    (JSON, '{"a": 1, "a": 2}', "json-duplicate-key"),
    (JSON, '{"a": {"b": 1, "b": 1}}', "json-duplicate-key"),
    (JSON, '"\\u0000"', "json-character"),
    (JSON, '{"\\ud800": 1}', "json-character"),
    (JSON, "NaN", "json-syntax"),
    (JSON, "[-Infinity]", "json-syntax"),
    (JSON, "", "json-syntax"),
    (JSON, "{'a': 1}", "json-syntax"),
    (JSON, "-0.0", "json-number"),
    (JSON, "1e131072", "json-number"),
    (JSON, "1e-20000", "json-number"),
    (JSON, "1e99999999999999999999", "json-number"),
    (JSON, "[" * 5000 + "]" * 5000, "json-depth"),
    (JSON, float("inf"), "json-number"),
    (JSON, b"{}", "type-mismatch"),
    (JSON, '"a\x00"', "text-nul"),
    (BOOL, 2, "boolean-value"),
    (BOOL, 1.0, "boolean-value"),
    (BOOL, "true", "boolean-value"),
    (Integer(), 2**31, "integer-range"),
    (SmallInteger(), 2**15, "integer-range"),
    (Integer(), 1.0, "type-mismatch"),
    (Integer(), "1", "type-mismatch"),
    (Double(), 2**53 + 1, "double-inexact"),
    (Double(), "1.5", "type-mismatch"),
    (Text(), "a\x00b", "text-nul"),
    (Text(), "a\udcff", "text-encoding"),
    (Text(), b"text", "type-mismatch"),
    (Text(), 1.5, "type-mismatch"),
    (String(3), "abcd", "text-length"),
    (STATE, "complete", "enum-label"),
    (STATE, b"COMPLETE", "enum-label"),
]


def convert(kind: TypeEngine[Any], value: Any) -> str:
    conversion = conversion_to(kind)
    assert conversion is not None
    converted = conversion.convert(value)
    assert isinstance(converted, str)
    return converted


def test_values_are_carried_as_postgresql_gives_them_back(target: Engine) -> None:
    with target.connect() as connection:
        stored = [
            connection.scalar(select(cast(cast(literal(convert(kind, value), Text()), kind), Text)))
            for kind, value, _ in CARRIED
        ]
    assert stored == [text for _, _, text in CARRIED]
    for (kind, value, _), text in zip(CARRIED, stored, strict=True):
        conversion = conversion_to(kind)
        assert conversion is not None
        assert is_same(value, text, conversion.name), (value, text)


@pytest.mark.parametrize(("kind", "value", "code"), REFUSED, ids=lambda part: repr(part)[:40])
def test_value_that_would_change_is_refused(kind: TypeEngine[Any], value: Any, code: str) -> None:
    with pytest.raises(Unfit) as refusal:
        convert(kind, value)
    assert refusal.value.code == code


def test_type_without_an_exact_conversion_gets_none() -> None:
    assert conversion_to(LargeBinary()) is None
    assert conversion_to(DateTime()) is None


DIFFERENT: list[tuple[str, Any, str | None]] = [
    ("text", "", None),
    ("text", None, ""),
    ("text", "a", "a "),
    ("jsonb", "null", None),
    ("jsonb", '{"a": 1}', '{"a": true}'),
    ("jsonb", '{"a": 1.10}', '{"a": 1.11}'),
    ("jsonb", "[1, 2]", "[2, 1]"),
    ("timestamptz", "2025-07-17 15:39:29.839639", "2025-07-17 15:39:29.839640+00"),
    ("timestamptz", "2025-07-17 15:39:29", "2025-07-17 15:39:29+02"),
    ("uuid", "default_project", "00000000-0000-0000-0000-000000000000"),
    ("boolean", 1, "false"),
    ("integer", 1, "2"),
    ("bigint", 1.0, "1"),
    ("double precision", 0.1, "0.10000000000000002"),
    ("double precision", 0.0, "-0"),
    ("bytea", b"a", "\\x62"),
    ("sqlite literal", "1", "1"),
    ("sqlite literal", 1, "'1'"),
    ("sqlite literal", 1, "1.0"),
    ("sqlite literal", 1.0, "1"),
    ("sqlite literal", b"1", "'1'"),
    ("sqlite literal", "a", "X'61'"),
    ("sqlite literal", "a\x00b", "'a'"),
]


@pytest.mark.parametrize(("kind", "value", "found"), DIFFERENT, ids=repr)
def test_comparison_tells_different_values_apart(kind: str, value: Any, found: str | None) -> None:
    assert not is_same(value, found, kind)


def test_every_conversion_has_a_name_that_the_comparison_knows() -> None:
    pairs: list[tuple[TypeEngine[Any], Any, str]] = [
        (UUID, "e9fb3fc9-fec0-4209-a232-909c4cc043a4", "e9fb3fc9-fec0-4209-a232-909c4cc043a4"),
        (String(9), "a", "a"),
        (STATE, "INITIAL", "INITIAL"),
        (SmallInteger(), 1, "1"),
    ]
    for kind, value, found in pairs:
        conversion = conversion_to(kind)
        assert conversion is not None
        assert is_same(value, found, conversion.name)
