"""The concurrency limit follows the number of payments that the system processes fast."""

from contextlib import ExitStack

import pytest

from api.admission import BACKOFF_PAUSE_SECONDS, MIN_FRACTION, ConcurrencyLimit

MAXIMUM, SLOW = 40, 5.0
MINIMUM = int(MAXIMUM * MIN_FRACTION)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("api.admission.time.monotonic", clock)
    return clock


@pytest.fixture
def limit() -> ConcurrencyLimit:
    return ConcurrencyLimit(MAXIMUM, SLOW)


def fill(limit: ConcurrencyLimit, clock: Clock, seconds: float) -> int:
    """Admit payments until the limit is full; all take so many seconds. Returns how many."""
    admitted = 0
    with ExitStack() as stack:
        while not limit.is_full:
            stack.enter_context(limit.admitted())
            admitted += 1
        clock.now += seconds
    return admitted


def test_the_limit_starts_at_its_minimum(limit: ConcurrencyLimit, clock: Clock) -> None:
    assert fill(limit, clock, 1.0) == MINIMUM


def test_fast_payments_raise_the_limit_up_to_its_maximum(
    limit: ConcurrencyLimit, clock: Clock
) -> None:
    admitted = [fill(limit, clock, SLOW) for _ in range(12)]

    assert admitted == sorted(admitted)
    assert admitted[1] > MINIMUM
    assert admitted[-1] == MAXIMUM


def test_slow_payments_lower_the_limit_down_to_its_minimum(
    limit: ConcurrencyLimit, clock: Clock
) -> None:
    while fill(limit, clock, 0.1) < MAXIMUM:
        pass

    admitted = [fill(limit, clock, SLOW + 0.1) for _ in range(20)]

    assert admitted == sorted(admitted, reverse=True)
    assert admitted[1] == MAXIMUM * 0.8
    assert admitted[-1] == MINIMUM


def test_payments_that_are_slow_at_the_same_time_lower_the_limit_once(
    limit: ConcurrencyLimit, clock: Clock
) -> None:
    while fill(limit, clock, 0.1) < MAXIMUM:
        pass

    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(limit.admitted())
        clock.now += SLOW + BACKOFF_PAUSE_SECONDS

    assert fill(limit, clock, 0.1) == MAXIMUM * 0.8


def test_payments_one_after_the_other_do_not_raise_the_limit(
    limit: ConcurrencyLimit, clock: Clock
) -> None:
    for _ in range(100):
        with limit.admitted():
            clock.now += 0.1

    assert fill(limit, clock, 0.1) == MINIMUM


def test_a_payment_that_fails_is_no_longer_in_progress(
    limit: ConcurrencyLimit, clock: Clock
) -> None:
    for _ in range(MAXIMUM):
        with pytest.raises(ValueError, match="payment"), limit.admitted():
            raise ValueError("the payment")

    assert not limit.is_full


def test_one_payment_is_always_admitted(clock: Clock) -> None:
    assert fill(ConcurrencyLimit(1, SLOW), clock, SLOW + 1) == 1
