"""The reason why a value does not go in."""

from __future__ import annotations


class Unfit(Exception):
    """A value that the target's type cannot hold exactly. Never leaves this package."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
