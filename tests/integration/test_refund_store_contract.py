"""The faked records of refunds do what those in PostgreSQL do."""

from datetime import timedelta
from uuid import uuid4

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.gateways import GatewayName
from domain.refund import Refund
from tests.support.builders import NOON, a_payment, a_refund
from tests.support.recorded import REFUSAL, Stores, a_published_success

AFTER = NOON + timedelta(seconds=1)


async def test_a_refund_reserves_its_amount_once(stores: Stores) -> None:
    payment = await a_published_success(stores)
    refund = a_refund(payment, "100.00")
    recorded = refund.model_copy(update={"is_unsent": False})

    assert await stores.refunds.record_pending(refund) == recorded
    again = refund.model_copy(update={"created_at": AFTER})
    assert await stores.refunds.record_pending(again) == recorded

    for amount, key in (("50.01", "more"), ("150.00", "all")):
        with pytest.raises(PaymentError) as refusal:
            await stores.refunds.record_pending(a_refund(payment, amount, key))
        assert refusal.value.code is ErrorCode.REFUND_TOO_LARGE
    await stores.refunds.record_pending(a_refund(payment, "50.00", "rest"))


async def test_a_failed_refund_frees_its_amount(stores: Stores) -> None:
    payment = await a_published_success(stores)
    refund = a_refund(payment, "150.00")
    await stores.refunds.record_pending(refund)

    for _ in range(2):
        await stores.refunds.record_ended(refund.failed(REFUSAL, NOON))

    with pytest.raises(PaymentError) as refusal:
        await stores.refunds.record_ended(refund.succeeded(NOON))
    assert refusal.value.code is ErrorCode.RECORD_REFUSED
    await stores.refunds.record_pending(a_refund(payment, "150.00", "next"))


async def test_a_refund_is_unfinished_until_it_is_published(stores: Stores) -> None:
    refund = a_refund(await a_published_success(stores))
    await stores.refunds.record_pending(refund)
    assert refund.id in await unfinished(stores)

    made = refund.succeeded(NOON)
    for _ in range(2):
        await stores.refunds.record_ended(made)
    assert refund.id in await unfinished(stores)

    await stores.refunds.record_announced(made)
    assert refund.id not in await unfinished(stores)
    ended: Refund = await stores.refunds.record_pending(refund)
    assert ended == made.announced().model_copy(update={"is_unsent": False})


async def test_a_pending_refund_has_the_reference_of_its_gateway(stores: Stores) -> None:
    refund = a_refund(await a_published_success(stores)).referring("re_1")
    await stores.refunds.record_pending(a_refund(await a_published_success(stores)))
    await stores.refunds.record_pending(refund.referring(None))

    await stores.refunds.record_reference(refund)
    recorded = await stores.refunds.record_pending(refund)
    assert recorded.gateway_reference == "re_1"
    assert recorded.is_pending_at_gateway

    await stores.refunds.record_ended(refund.succeeded(NOON))
    await stores.refunds.record_reference(refund.referring("re_2"))
    ended = await stores.refunds.record_pending(refund)
    assert (ended.gateway_reference, ended.is_pending_at_gateway) == ("re_1", False)


async def test_a_refund_that_fails_later_stays_a_success(stores: Stores) -> None:
    refund = a_refund(await a_published_success(stores))
    await stores.refunds.record_pending(refund)
    await stores.refunds.record_failed_later(refund.failed_later(NOON))
    assert (await stores.refunds.record_pending(refund)).failed_later_at is None

    await stores.refunds.record_ended(refund.succeeded(NOON))
    for moment in (NOON, AFTER):
        await stores.refunds.record_failed_later(refund.failed_later(moment))

    recorded = await stores.refunds.record_pending(refund)
    made = refund.succeeded(NOON).failed_later(NOON)
    assert recorded == made.model_copy(update={"is_unsent": False})


async def test_a_refund_is_made_at_the_gateway_of_its_payment(stores: Stores) -> None:
    payment = a_payment(gateway=GatewayName.STRIPE)
    await stores.payments.record_pending(payment)
    payment = await stores.payments.record_reference(payment.id, f"pi_{payment.id}")
    succeeded = payment.succeeded(NOON)
    await stores.payments.record_succeeded(succeeded)
    await stores.payments.record_announcement(succeeded.announced())
    refund = a_refund(succeeded.announced())

    recorded = await stores.refunds.record_pending(refund)

    assert recorded.request == refund.request
    assert (recorded.gateway, recorded.request.reference) == ("stripe", f"pi_{payment.id}")


async def test_nothing_is_refunded_of_an_unpublished_success(stores: Stores) -> None:
    payment = a_payment()
    await stores.payments.record_pending(payment)
    refund = a_refund(payment.succeeded(NOON).announced(), key=str(uuid4()))

    with pytest.raises(PaymentError) as refusal:
        await stores.refunds.record_pending(refund)
    assert refusal.value.code is ErrorCode.REFUND_TOO_LARGE


async def unfinished(stores: Stores) -> set[object]:
    return {each.id async for page in stores.refunds.unfinished_before(AFTER) for each in page}
