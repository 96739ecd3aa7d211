"""So many callers are let in as are served quickly: found out from those who were."""

from contextlib import ExitStack

import pytest

from api.places import FEWEST, PAUSE_SECONDS, Places

MOST, SLOW = 40, 5.0
FIRST = int(MOST * FEWEST)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("api.places.time.monotonic", clock)
    return clock


@pytest.fixture
def places() -> Places:
    return Places(MOST, SLOW)


def crowd(places: Places, clock: Clock, seconds: float) -> int:
    """Let in as many as there are places for, and serve all of them in so many seconds."""
    let_in = 0
    with ExitStack() as stack:
        while not places.are_taken:
            stack.enter_context(places.taken())
            let_in += 1
        clock.now += seconds
    return let_in


def test_there_are_few_at_first(places: Places, clock: Clock) -> None:
    assert crowd(places, clock, 1.0) == FIRST


def test_quick_payments_make_room_for_more_up_to_the_most(places: Places, clock: Clock) -> None:
    let_in = [crowd(places, clock, SLOW) for _ in range(12)]

    assert let_in == sorted(let_in)
    assert let_in[1] > FIRST
    assert let_in[-1] == MOST


def test_slow_payments_take_room_away_down_to_the_fewest(places: Places, clock: Clock) -> None:
    while crowd(places, clock, 0.1) < MOST:
        pass

    let_in = [crowd(places, clock, SLOW + 0.1) for _ in range(20)]

    assert let_in == sorted(let_in, reverse=True)
    assert let_in[1] == MOST * 0.8
    assert let_in[-1] == FIRST


def test_payments_that_were_slow_side_by_side_count_once(places: Places, clock: Clock) -> None:
    while crowd(places, clock, 0.1) < MOST:
        pass

    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(places.taken())
        clock.now += SLOW + PAUSE_SECONDS

    assert crowd(places, clock, 0.1) == MOST * 0.8


def test_payments_one_by_one_prove_nothing(places: Places, clock: Clock) -> None:
    for _ in range(100):
        with places.taken():
            clock.now += 0.1

    assert crowd(places, clock, 0.1) == FIRST


def test_a_place_is_given_back_however_the_payment_ends(places: Places, clock: Clock) -> None:
    for _ in range(MOST):
        with pytest.raises(ValueError, match="payment"), places.taken():
            raise ValueError("the payment")

    assert not places.are_taken


def test_there_is_always_one(clock: Clock) -> None:
    assert crowd(Places(1, SLOW), clock, SLOW + 1) == 1
