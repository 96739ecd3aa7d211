"""While a system is down, its calls fail at once, except one at a time that tests it."""

import asyncio

import pytest

from activities.adapters import circuit_breaker
from activities.adapters.circuit_breaker import CircuitBreaker
from domain.errors import ErrorCode, PaymentError
from tests.support.waiting import eventually

UNAVAILABLE = PaymentError(ErrorCode.EVENTS_UNAVAILABLE, "down")
REFUSED = PaymentError(ErrorCode.EVENT_REFUSED, "never")


class Clock:
    """A clock that a test moves."""

    now = 100.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(circuit_breaker, "monotonic", lambda: clock.now)
    return clock


@pytest.fixture
def breaker(clock: Clock) -> CircuitBreaker:
    return CircuitBreaker("Kafka", slow_seconds=0, pause_seconds=5)


def call(breaker: CircuitBreaker, error: PaymentError | None = None) -> None:
    with breaker.watching():
        if error is not None:
            raise error


def fail(breaker: CircuitBreaker) -> None:
    with pytest.raises(PaymentError):
        call(breaker, UNAVAILABLE)


async def test_calls_go_through_until_one_fails(breaker: CircuitBreaker) -> None:
    call(breaker)
    before = breaker.refuses
    fail(breaker)

    assert (before, breaker.refuses) == (False, True)


async def test_after_the_pause_one_call_tries(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 5
    before = breaker.refuses
    with breaker.watching():
        meanwhile = breaker.refuses

    assert (before, meanwhile, breaker.refuses) == (False, True, False)


async def test_a_try_that_fails_begins_a_new_pause(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 5
    fail(breaker)

    clock.now += 4
    early = breaker.refuses
    clock.now += 1

    assert (early, breaker.refuses) == (True, False)


async def test_a_try_that_is_cancelled_leaves_room_for_the_next(
    breaker: CircuitBreaker, clock: Clock
) -> None:
    fail(breaker)
    clock.now += 5
    with pytest.raises(asyncio.CancelledError), breaker.watching():
        raise asyncio.CancelledError

    assert not breaker.refuses


async def test_a_refusal_counts_as_a_response(breaker: CircuitBreaker, clock: Clock) -> None:
    fail(breaker)
    clock.now += 5
    with pytest.raises(PaymentError):
        call(breaker, REFUSED)
    assert not breaker.refuses


async def test_one_slow_call_opens_the_breaker(breaker: CircuitBreaker) -> None:
    async def is_open() -> bool:
        return breaker.refuses

    with breaker.watching():
        await eventually("the breaker is open", is_open, seconds=10)

    assert not breaker.refuses


async def test_a_quick_call_does_not_open_the_breaker_later(breaker: CircuitBreaker) -> None:
    call(breaker)
    for _ in range(10):
        await asyncio.sleep(0)

    assert not breaker.refuses
