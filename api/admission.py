"""The limit of payments in progress: an AIMD concurrency limit.

Above a certain number of concurrent payments, each further one slows down all others until nobody
is served in time. The limit finds this number as TCP does (RFC 5681, RFC 7661): it starts low,
grows by one for each fast payment while at least half of it is used, and shrinks by a factor after
a slow payment.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

MIN_FRACTION = 0.1
"""Start and minimum of the limit, as a fraction of its maximum. Chosen, not measured."""
BACKOFF_RATIO = 0.8
"""Factor by which a slow payment reduces the limit. RFC 5681 uses 0.5: callers would be refused
without need, because one slow payment does not mean that the system is full. Chosen, not measured.
"""
BACKOFF_PAUSE_SECONDS = 1.0
"""Shortest time between two reductions: payments that ran at the same time were slow for one
reason. Chosen, not measured."""


class ConcurrencyLimit:
    """Limits the payments in progress to `maximum` or fewer.

    A payment that takes longer than `slow_after_seconds` is slow.
    """

    def __init__(self, maximum: int, slow_after_seconds: float) -> None:
        self._maximum = maximum
        self._minimum = max(1.0, maximum * MIN_FRACTION)
        self._slow_after_seconds = slow_after_seconds
        self._limit = self._minimum
        self._in_progress = 0
        self._reduced_at = float("-inf")

    @property
    def in_progress(self) -> int:
        return self._in_progress

    @property
    def current(self) -> int:
        """How many payments may be in progress at the moment."""
        return int(self._limit)

    @property
    def is_full(self) -> bool:
        return self._in_progress >= self.current

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Count one payment as in progress, even if the limit is full. Then adjust the limit."""
        began = time.monotonic()
        self._in_progress += 1
        try:
            yield
        finally:
            self._adjust(time.monotonic() - began)
            self._in_progress -= 1

    def _adjust(self, seconds: float) -> None:
        now = time.monotonic()
        if seconds > self._slow_after_seconds:
            if now >= self._reduced_at + BACKOFF_PAUSE_SECONDS:
                self._limit = max(self._minimum, self._limit * BACKOFF_RATIO)
                self._reduced_at = now
        elif self._in_progress * 2 > self._limit:
            self._limit = min(self._maximum, self._limit + 1)
