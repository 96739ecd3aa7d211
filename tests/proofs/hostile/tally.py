"""Counts what came of the attempts of a run."""

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Tally:
    """How often each outcome came, and a line for each outcome that is wrong."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(self.outcomes + other.outcomes, self.wrong + other.wrong)
