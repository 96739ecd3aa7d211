"""How many callers may wait for their payment at a time: more while payments are quick.

Beyond what the system carries, each further payment slows down all others, until nobody is served
in time. How much it carries is found out as TCP does it (RFC 5681, RFC 7661): from few places, one
more for every payment that was quick while many were taken, and a part of them less when one was
slow.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

FEWEST = 0.1
"""Of the most places: how many there are at first, and however slow payments are."""
KEPT = 0.8
"""Of the places, when a payment was slow."""
PAUSE_SECONDS = 1.0
"""Between two cuts: those who waited side by side were slow for one reason."""


class Places:
    """At most `most` places; a payment of more than `slow_seconds` is slow."""

    def __init__(self, most: int, slow_seconds: float) -> None:
        self._most = most
        self._fewest = max(1.0, most * FEWEST)
        self._slow_seconds = slow_seconds
        self._limit = self._fewest
        self._taken = 0
        self._cut_at = float("-inf")

    @property
    def are_taken(self) -> bool:
        return self._taken >= int(self._limit)

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Take one, whether there is one or not, until the payment has been waited for."""
        began = time.monotonic()
        self._taken += 1
        try:
            yield
        finally:
            self._learn(time.monotonic() - began)
            self._taken -= 1

    def _learn(self, seconds: float) -> None:
        now = time.monotonic()
        if seconds > self._slow_seconds:
            if now >= self._cut_at + PAUSE_SECONDS:
                self._limit, self._cut_at = max(self._fewest, self._limit * KEPT), now
        elif self._taken * 2 > self._limit:
            self._limit = min(self._most, self._limit + 1)
