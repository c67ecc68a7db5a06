"""The spelling of an expression that does not depend on how often it was parsed.

PostgreSQL keeps an expression as a tree and spells it anew. A list that a varchar is compared with
is cast as a whole at first, `(ARRAY['a'::character varying])::text[]`; once a dump that says so was
restored, member by member, `ARRAY[('a'::character varying)::text]`. Both are the same list.
"""

from __future__ import annotations

import re
from typing import Any

LITERAL = r"E?'(?:[^']|'')*'::character varying(?:\(\d+\))?"
CAST_AS_A_WHOLE = re.compile(rf"\(ARRAY\[({LITERAL}(?:, {LITERAL})*)\]\)::text\[\]")
MEMBER = re.compile(LITERAL)
VERBATIM = ("function",)  # kept as it was written


def settled(kind: str, value: Any) -> Any:
    """Return a property of a thing as a restored copy of it has it.

    Args:
        kind: what it is a property of, such as "constraint".
        value: the property, as a snapshot holds it.
    """
    if kind in VERBATIM or not isinstance(value, str):
        return value
    return CAST_AS_A_WHOLE.sub(lambda whole: f"ARRAY[{MEMBER.sub(_cast, whole[1])}]", value)


def _cast(member: re.Match[str]) -> str:
    return f"({member[0]})::text"
