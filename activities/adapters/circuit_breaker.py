"""A circuit breaker: refuses calls to a system that does not respond."""

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic

from domain.errors import RULES, PaymentError

log = logging.getLogger(__name__)


class CircuitBreaker:
    """Refuses calls to a system while it is down, except one at a time as a trial.

    It opens when a call fails with a retryable code, or takes longer than `slow_seconds`. While
    it is open, it allows one call at a time, the first after `pause_seconds`. It closes when a
    call gets a response, even a refusal.
    """

    def __init__(self, system: str, *, slow_seconds: float, pause_seconds: float) -> None:
        self._system = system
        self._slow_seconds = slow_seconds
        self._pause_seconds = pause_seconds
        self._retry_at: float | None = None
        """When the next call is allowed, on the monotonic clock; None while it is closed."""
        self._is_trying = False

    @property
    def refuses(self) -> bool:
        """Whether a call made now would be refused."""
        if self._retry_at is None:
            return False
        return self._is_trying or monotonic() < self._retry_at

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Observe the call that is made inside the block. Use it only if `refuses` is False."""
        is_trial = self._retry_at is not None
        self._is_trying |= is_trial
        timer = asyncio.get_running_loop().call_later(self._slow_seconds, self._open)
        try:
            yield
        except PaymentError as error:
            self._open() if RULES[error.code].retryable else self._close()
            raise
        else:
            self._close()
        finally:
            timer.cancel()
            if is_trial:
                self._is_trying = False

    def _open(self) -> None:
        if self._retry_at is None:
            log.warning("%s does not respond; the steps that need it wait", self._system)
        self._retry_at = monotonic() + self._pause_seconds

    def _close(self) -> None:
        if self._retry_at is not None:
            log.info("%s responds again", self._system)
        self._retry_at = None
