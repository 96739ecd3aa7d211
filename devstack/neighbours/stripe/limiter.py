"""The limit of requests per second: https://docs.stripe.com/rate-limits."""

from collections import defaultdict
from collections.abc import Callable
from time import monotonic

from devstack.neighbours.stripe.errors import rate_limited

_IN_ALL = 4
"""The limit for all endpoints, as a multiple of the limit for one: 100 and 25 in live mode."""


class Limiter:
    """A token bucket for each endpoint and one for all. Its size is the requests of one second."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._spent: defaultdict[str, tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))

    def take(self, endpoint: str, per_second: int) -> None:
        """Count a request. Raises StripeError (429) if a limit is exceeded."""
        if not per_second:
            return
        if not self._has_room(endpoint, per_second):
            raise rate_limited("endpoint-rate")
        if not self._has_room("", per_second * _IN_ALL):
            raise rate_limited("global-rate")

    def _has_room(self, name: str, per_second: int) -> bool:
        spent, then = self._spent[name]
        now = self._clock()
        spent = max(0.0, spent - (now - then) * per_second)
        if spent + 1 > per_second:
            self._spent[name] = spent, now
            return False
        self._spent[name] = spent + 1, now
        return True
