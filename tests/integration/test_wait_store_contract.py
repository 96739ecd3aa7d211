"""The faked and the real records of payments agree about payments that wait for their customer."""

from uuid import uuid4

import pytest

from domain.customer_action import Wait
from domain.errors import ErrorCode, PaymentError
from tests.integration.test_payment_store_contract import a_stripe_payment
from tests.support.builders import DECLINED, HOUR, NOON
from tests.support.recorded import Stores, as_recorded, undo_or_fail

WAIT = Wait(since=NOON, until=NOON + HOUR)


async def test_the_first_wait_of_a_payment_stays(stores: Stores) -> None:
    """The customer was told when the wait ends, so that time must not change."""
    payment = a_stripe_payment()
    await stores.payments.record_pending(payment)

    first = await stores.payments.record_wait(payment.id, WAIT)
    later = await stores.payments.record_wait(payment.id, Wait(since=NOON, until=NOON + 2 * HOUR))

    assert first == later == await as_recorded(stores, payment) == payment.waiting(WAIT)


async def test_the_ending_leaves_the_wait_as_it_is(stores: Stores) -> None:
    payment = a_stripe_payment()
    await stores.payments.record_pending(payment)
    await stores.payments.record_wait(payment.id, WAIT)

    await stores.payments.record_failed(payment.failed(DECLINED, NOON))

    assert (await as_recorded(stores, payment)).wait == WAIT


@pytest.mark.parametrize("is_undone", [True, False])
async def test_what_is_undone_or_has_ended_does_not_wait(stores: Stores, is_undone: bool) -> None:
    """No customer may be led to the gateway any more."""
    payment = a_stripe_payment()
    await undo_or_fail(stores, payment, is_undone=is_undone)

    recorded = await stores.payments.record_wait(payment.id, WAIT)

    assert recorded == await as_recorded(stores, payment)
    assert recorded.wait is None


async def test_a_payment_without_a_row_does_not_wait(stores: Stores) -> None:
    with pytest.raises(PaymentError) as refusal:
        await stores.payments.record_wait(uuid4(), WAIT)
    assert refusal.value.code is ErrorCode.RECORD_REFUSED
