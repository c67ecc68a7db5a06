"""The errors that a user can meet, each with a code, a sentence, a cause and a way out.

A class stands for an exit code, a code for one kind of fault. No error text ever holds a secret.
"""

from typing import Any, ClassVar


class ToolkitError(Exception):
    """Base of every expected error; anything else is a bug and keeps its traceback.

    Args:
        code: the fault's name, in lower case with hyphens; documented in docs/errors.md.
        message: one sentence without a full stop that names the object concerned.
        cause: what the layer below said, one line.
        help: what to do about it, one line.

    `result` is what was known of the work when it ended, JSON-ready, for a report of it; None where
    nothing was.
    """

    exit_code: ClassVar[int] = 1
    result: dict[str, Any] | None = None

    def __init__(
        self, code: str, message: str, *, cause: str | None = None, help: str | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.cause = cause
        self.help = help

    def __str__(self) -> str:
        lines = [f"error[{self.code}]: {self.message}"]
        if self.cause:
            lines.append(f"  cause: {self.cause}")
        if self.help:
            lines.append(f"  help: {self.help}")
        return "\n".join(lines)


class UsageError(ToolkitError):
    """The command line does not fit together."""

    exit_code = 2


class ConfigurationError(ToolkitError):
    """The environment, an env file or an option contradicts itself or lacks a part."""

    exit_code = 3


class SourceError(ToolkitError):
    """The legacy file cannot be read, or holds what cannot be carried exactly."""

    exit_code = 4


class TargetError(ToolkitError):
    """The PostgreSQL server or database cannot be used as it is."""

    exit_code = 5


class VerificationError(ToolkitError):
    """What stands in the target is not what should stand there."""

    exit_code = 6


class GuardError(ToolkitError):
    """The command is refused because it could hit the wrong database."""

    exit_code = 7


class UnreportedError(ToolkitError):
    """The work is done and stays; only the file that tells of it could not be written."""

    exit_code = 8
