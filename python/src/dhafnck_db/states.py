"""The states that rows are in, without the models that use them."""

from enum import StrEnum


class ProgressState(StrEnum):
    """How far a task or subtask has come; the database stores these names."""

    INITIAL = "INITIAL"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
