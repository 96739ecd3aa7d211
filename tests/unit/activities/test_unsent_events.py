"""Which try to publish a success knows that it is the first."""

from uuid import uuid4

import pytest

from activities import unsent_events
from activities.records import RecordActivities
from activities.unsent_events import UnsentEvents
from tests.support.builders import NOON, a_payment
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.world import World


def test_only_one_try_is_the_first() -> None:
    payment_id, unsent = uuid4(), UnsentEvents()
    unsent.add(payment_id)

    assert [unsent.take(payment_id), unsent.take(payment_id)] == [True, False]


def test_a_try_of_an_unknown_payment_is_not_the_first() -> None:
    assert not UnsentEvents().take(uuid4())


def test_the_oldest_payments_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unsent_events, "MAX_PAYMENTS", 2)
    unsent, ids = UnsentEvents(), [uuid4() for _ in range(3)]
    for each in ids:
        unsent.add(each)

    assert [unsent.take(each) for each in ids] == [False, True, True]


async def test_only_the_process_that_has_recorded_the_success_may_be_the_first() -> None:
    world, payment = World(), a_payment()
    world.payments[payment.id] = payment
    success = payment.succeeded(NOON, may_be_sent=True)
    first, second = UnsentEvents(), UnsentEvents()

    earlier = await RecordActivities(FakePayments(world), first).record_succeeded(success)
    later = await RecordActivities(FakePayments(world), second).record_succeeded(success)

    assert (earlier, later) == (None, success)
    assert [first.take(payment.id), second.take(payment.id)] == [True, False]
