"""A corpus of files that importers stumble over: values, structures, and the application's rows.

The tests import every case and compare every value; the scoreboard shows other tools the same.
"""

from legacy.corpus.application import APPLICATION
from legacy.corpus.case import Case
from legacy.corpus.structures import STRUCTURES
from legacy.corpus.values import VALUES

__all__ = ["CASES", "Case"]

CASES: tuple[Case, ...] = (*VALUES, *STRUCTURES, *APPLICATION)
