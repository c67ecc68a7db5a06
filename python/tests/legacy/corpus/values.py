"""Values of every class in columns of every declared type, in a table that no model knows."""

import uuid
from typing import Any

from legacy.corpus.case import Case, RawText, column, script

ID = "e9fb3fc9-fec0-4209-a232-909c4cc043a4"
INFINITY = float("inf")

TEXT: dict[str, tuple[str, list[Any]]] = {
    "nul": ("TEXT", ["a\x00b", "\x00", "\x00\x00tail", "plain"]),
    "invalid-utf-8": ("TEXT", [RawText(b"\xff\xfe"), RawText(b"ok\x80"), "plain"]),
    "truncated-utf-8": ("TEXT", [RawText(b"abc\xc3"), RawText(b"\xe2\x82"), "plain"]),
    "overlong-utf-8": ("TEXT", [RawText(b"\xc0\x80"), RawText(b"\xe0\x80\xaf"), "plain"]),
    "lone-surrogate": ("TEXT", [RawText(b"\xed\xa0\x80"), RawText(b"a\xed\xbf\xbfb"), "plain"]),
    "cesu-8-pair": ("TEXT", [RawText(b"\xed\xa0\xbd\xed\xb8\x80"), "😀"]),
    "beyond-unicode": ("TEXT", [RawText(b"\xf4\x90\x80\x80"), RawText(b"\xf8\x88\x80\x80\x80")]),
    "control-characters": ("TEXT", [*map(chr, range(1, 32)), "\x7f", "a\x1c\x1d\x1e\x1f\x0bb"]),
    "line-ends": ("TEXT", ["a\r\nb", "a\rb", "a\nb", "\n", "\r", "a\n", "\r\n\r\n", "a\x0bb\x0c"]),
    "escapes-of-copy": (
        "TEXT",
        ["\\N", "\\.", "\\", "\\\\N", "a\tb", "\\x41", "\\t", "\\.\n", "a\\", "\\\n"],
    ),
    "line-separators": ("TEXT", ["a\u2028b", "a\u2029b", "a\x85b", "\u2028"]),
    "byte-order-mark": ("TEXT", ["\ufeff", "\ufefftext", "te\ufeffxt"]),
    "astral": (
        "TEXT",
        ["😀", "\U0001d4b3", "\U0010ffff", "\U0001f468\u200d\U0001f469\u200d\U0001f467"],
    ),
    "noncharacters": ("TEXT", ["\ufffe", "\uffff", "\ufdd0", "\U0001fffe", "\ufffd"]),
    "composed-and-decomposed": ("TEXT", ["\u00e9", "e\u0301", "\u212b", "\u00c5", "\u202eabc"]),
    "quotes-and-placeholders": (
        "TEXT",
        ["'", "''", '"', "$$", "$1", "%s", "%(x)s", ":x", "?", "{{ x }}", "${HOME}", "$(id)", "`"],
    ),
    "statement": ("TEXT", ["'; DROP TABLE t; --", "x'); DELETE FROM t; --", "\\'; SELECT 1"]),
    "empty-and-null": ("TEXT", ["", None, " ", "\t", "NULL", "null", "''", "nil", "\\N"]),
    "over-long-varchar": ("VARCHAR(5)", ["abcde", "abcdefghij", "é" * 6, "x" * 5000]),
    "over-long-char": ("CHAR(3)", ["abcd", "a", "ab ", "   "]),
    "trailing-spaces": ("TEXT", ["a ", " a", "  ", "a\u00a0", "a\u3000"]),
    "looks-like-a-number": ("TEXT", ["007", "1e5", "0x10", "1_000", "+1", "-0", "1.0", ".5"]),
    "looks-like-a-literal": ("TEXT", ["X'00'", "9e999", "CAST(X'61' AS TEXT)", "'quoted'"]),
    "megabytes-of-text": ("TEXT", ["x" * 3_000_000, "é漢😀" * 300_000, "\n" * 1_000_000]),
    "blob-in-text": ("TEXT", [b"\x00\xff", b"text", "text"]),
}

NUMBERS: dict[str, tuple[str, list[Any]]] = {
    "real-of-17-digits": (
        "REAL",
        [123456789.123456789, 0.1, 0.1 + 0.2, 1 / 3, 1234567.1, 9007199254740993.0],
    ),
    "double-of-17-digits": ("DOUBLE", [123456789.123456789, 0.1 + 0.2, 1 / 3, 2.5]),
    "float-of-17-digits": ("FLOAT", [123456789.123456789, 0.1 + 0.2, 16777217.0]),
    "real-1e308": ("REAL", [1e308, -1e308, 1.7976931348623157e308, 1.5]),
    "denormals": ("REAL", [5e-324, -5e-324, 2.225073858507201e-308, 2.2250738585072014e-308]),
    "infinities": ("REAL", [INFINITY, -INFINITY, 1.5]),
    "nan": ("REAL", [float("nan"), 1.5]),
    "negative-zero": ("REAL", [-0.0, 0.0]),
    "negative-zero-untyped": ("", [-0.0, 0.0, 0]),
    "int64-limits": ("INTEGER", [2**63 - 1, -(2**63), 0, -1]),
    "integer-of-2-to-62": ("INTEGER", [2**62, 2**62 - 1, -(2**62) - 1]),
    "integer-beyond-double": ("", [2**53 + 1, float(2**53), 2**53]),
    "small-declared-integer": ("SMALLINT", [40000, 1, -40000]),
    "tiny-declared-integer": ("TINYINT", [300, 255, -1]),
    "text-in-integer": ("INTEGER", [*range(499), "n/a", *range(500)]),
    "empty-text-in-integer": ("INTEGER", ["", 1, " 2x"]),
    "real-in-integer": ("INTEGER", [1.5, 2, 1e300]),
    "blob-in-integer": ("INTEGER", [b"\x01\x02", 2]),
    "text-in-real": ("REAL", ["1,5", 1.5, "NaN", "inf"]),
    "numeric-with-a-comma": ("NUMERIC(10,2)", ["1,213", 1.1, 3]),
    "numeric-with-a-unit": ("DECIMAL(10,5)", ["12.50 €", "-", 0.00001, 12345678901.5]),
    "numeric-beyond-its-scale": ("NUMERIC(4,1)", [1.23456, 123456.5, 3]),
    "every-class-untyped": ("", [None, 1, 1.5, "text", b"blob", "", b"", 0, "1", b"1", "1.5"]),
}

BOOLEANS: dict[str, tuple[str, list[Any]]] = {
    "two-in-boolean": ("BOOLEAN", [0, 1, 2, -1, None]),
    "empty-text-in-boolean": ("BOOLEAN", ["", 0, 1]),
    "words-in-boolean": ("BOOLEAN", ["true", "false", "t", "yes", "on", 1]),
    "real-in-boolean": ("BOOLEAN", [0.5, 1]),
}

TIMES: dict[str, tuple[str, list[Any]]] = {
    "zero-date": ("DATETIME", ["0000-00-00 00:00:00", "2024-01-01 00:00:00"]),
    "30-february": ("DATETIME", ["2024-02-30 12:00:00", "2024-02-29 12:00:00"]),
    "24-o-clock": ("DATETIME", ["2024-01-01 24:00:00", "2024-01-01 23:59:59"]),
    "leap-second": ("TIMESTAMP", ["2016-12-31 23:59:60", "2016-12-31 23:59:59"]),
    "epoch": ("DATETIME", [1752651891, 1752651891.5, 1752651891000, "2024-01-01 00:00:00"]),
    "julian-day": ("DATETIME", [2460872.5, "2024-01-01 00:00:00"]),
    "naive": ("DATETIME", ["2024-03-31 02:30:00", "2024-01-01 00:00:00.123456"]),
    "offset": ("DATETIME", ["2024-01-01T00:00:00+02:00", "2024-01-01 00:00:00-0530"]),
    "zulu": ("TIMESTAMP", ["2024-01-01T00:00:00Z", "2024-01-01T00:00:00.5Z"]),
    "nanoseconds": ("DATETIME", ["2024-01-01 00:00:00.123456789", "2024-01-01 00:00:00.1234567"]),
    "date-in-datetime": ("DATETIME", ["2024-01-01", "01/02/2024", "2024-01"]),
    "time-in-date": ("DATE", ["2024-01-01 12:34:56", "2024-01-01"]),
    "time-of-day": ("TIME", ["12:34:56.789", "25:00:00", "12:34"]),
    "empty-text-in-datetime": ("DATETIME", ["", None, "2024-01-01 00:00:00"]),
    "words-in-datetime": ("DATETIME", ["now", "infinity", "today", "CURRENT_TIMESTAMP"]),
    "far-years": ("DATETIME", ["9999-12-31 23:59:59.999999", "0001-01-01 00:00:00",
                               "12024-01-01 00:00:00", "-4712-11-24 12:00:00"]),
}  # fmt: skip

JSON: dict[str, tuple[str, list[Any]]] = {
    "json-nul-escape": ("JSON", ['{"a": "\\u0000"}', '{"a": 1}']),
    "json-lone-surrogate-escape": ("JSON", ['"\\ud800"', '{"\\udc00": 1}', '"\\ud83d\\ude00"']),
    "json-duplicate-keys": ("JSON", ['{"a": 1, "a": 2}', '{"b": {"c": 1, "c": 1}}']),
    "json-nan-and-infinity": ("JSON", ["NaN", "[Infinity, -Infinity]", "[1]"]),
    "json-invalid": ("JSON", ["{'a': 1}", "{a: 1}", "[1,]", '{"a": 1']),
    "json-empty-text": ("JSON", ["", None, "{}", "null"]),
    "json-numbers": ("JSON", ["[1e400]", "[123456789012345678901234567890]", "[1.10, -0.0]"]),
    "json-key-order-and-spaces": ("JSON", ['{"b": 1,   "a": [ 2 ]}', '{"a": 1}\n']),
    "json-deep": ("JSON", ["[" * 900 + "]" * 900, "[" * 5000 + "]" * 5000]),
    "json-scalars": ("JSON", ['"x"', "true", "null", "12", "1.5"]),
    "json-stored-as-numbers": ("JSON", [5, 0.1, 2**62]),
    "json-stored-as-blob": ("JSONB", [b'{"a": 1}', '{"a": 1}']),
}

BLOBS: dict[str, tuple[str, list[Any]]] = {
    "every-byte": ("BLOB", [bytes(range(256)), bytes(reversed(range(256))), b"\x00" * 100]),
    "empty-blob-and-null": ("BLOB", [b"", None, b"\x00"]),
    "text-in-blob": ("BLOB", ["plain text", "aGVsbG8=", "", b"bytes", "é\n"]),
    "number-in-blob": ("BLOB", [12, 1.5, b"\x0c"]),
    "blob-untyped": ("", [b"\xff\xd8\xff", "text", 1]),
    "escapes-in-blob": ("BLOB", [b"\\x00", b"\\N", b"\n\\.\n", b"'", b"\t"]),
    "megabytes-of-blob": ("BLOB", [bytes(range(256)) * 12_000, b"\xff" * 1_000_000]),
}

FORMS = [ID, ID.replace("-", ""), ID.upper(), f"{{{ID}}}", f" {ID} ", f"urn:uuid:{ID}", f"{ID}\n"]
IDS = (
    Case(
        "uuid-in-every-form",
        "id",
        script(
            "CREATE TABLE t (id TEXT PRIMARY KEY, v UUID)",
            ("INSERT INTO t VALUES (?, ?)", [(form, form) for form in FORMS]),
        ),
    ),
    Case(
        "slug-id",
        "id",
        script(
            "CREATE TABLE t (id UUID PRIMARY KEY, v CHAR(36))",
            ("INSERT INTO t VALUES (?, ?)", [("main_branch", "@coding"), ("621", " "), ("é", "")]),
        ),
    ),
    Case(
        "uuid-as-16-bytes",
        "id",
        script(
            "CREATE TABLE t (id BLOB PRIMARY KEY, v UUID)",
            ("INSERT INTO t VALUES (?, ?)", [(uuid.UUID(ID).bytes, uuid.UUID(ID).bytes)]),
        ),
    ),
)

UTF_16 = (
    Case(
        "utf-16-file",
        "text",
        script(
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);",
            ("INSERT INTO t (v) VALUES (?)", [("é漢😀",), ("a\x00b",), ("\ufeff",), ("",)]),
        ),
    ),
    Case(
        "utf-16-half-a-pair",
        "text",
        script(
            "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT);"
            "INSERT INTO t VALUES (1, CAST(X'd8d8' AS TEXT)), (2, 'plain')"
        ),
        refused="source-text-broken",
    ),
)

VALUES: tuple[Case, ...] = (
    *(
        Case(name, group, column(declared, *values))
        for group, cases in [
            ("text", TEXT), ("number", NUMBERS), ("boolean", BOOLEANS), ("time", TIMES),
            ("json", JSON), ("blob", BLOBS),
        ]
        for name, (declared, values) in cases.items()
    ),
    *UTF_16,
    *IDS,
)  # fmt: skip
