"""The waivers of a revision file: which hazards of it are taken on purpose, and why.

    waivers = {"rule": "reason"}

They are a constant of the module, and say nothing of what the revision does: an applied revision
that gets one later is still the same.
"""

from __future__ import annotations

import ast

NAME = "waivers"


def line(content: bytes) -> int:
    """Return the line of a revision file where its waivers stand, or 1."""
    node = _assignment(content)
    return 1 if node is None else node.lineno


def without(content: bytes) -> bytes:
    """Return a revision file without its waivers and the empty lines before them."""
    node = _assignment(content)
    if node is None or node.end_lineno is None or not _is_literal(node):
        return content
    lines = content.splitlines(keepends=True)
    first = node.lineno - 1
    while first > 0 and not lines[first - 1].strip():
        first -= 1
    return b"".join(lines[:first] + lines[node.end_lineno :])


def _assignment(content: bytes) -> ast.Assign | ast.AnnAssign | None:
    if NAME.encode() not in content:
        return None
    try:
        body = ast.parse(content).body
    except (SyntaxError, ValueError):  # Alembic will say what is wrong with it
        return None
    for node in body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == NAME for target in targets):
                return node
    return None


def _is_literal(node: ast.Assign | ast.AnnAssign) -> bool:
    """Return whether the waivers are plain values, which do nothing when the file is run."""
    try:
        ast.literal_eval(node.value or ast.Constant(None))
    except ValueError:
        return False
    return True
