"""Servers that are away for a minute or two, while all other faults go on."""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

from devstack.stack.stack import NEIGHBOURS, SERVERS

AWAY = (*SERVERS, *NEIGHBOURS)
SECONDS = (60.0, 120.0)
"""Longer than most steps are tried, which is 20 to 60 s."""
AT_ONCE = 2
"""Outages at the same time. Two halve the length of the run, and some payments still succeed."""
PAUSE = (5.0, 15.0)
"""Seconds between two outages, in which payments succeed again. Chosen, not measured."""
MANNERS = ("killed", "frozen")
"""A killed server refuses connections. A frozen one accepts them and sends nothing."""


class Outage(NamedTuple):
    server: str
    manner: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.server}:away, {self.manner}"


def outages(times: int, dice: Random, away: Sequence[str] = AWAY) -> list[Outage]:
    """A list with `times` outages of each server: the first of every server, then the second ones.

    The outages of one server differ in their manner.
    """
    return [
        Outage(server, MANNERS[number % len(MANNERS)], dice.uniform(*SECONDS))
        for number in range(times)
        for server in dice.sample(away, len(away))
    ]
