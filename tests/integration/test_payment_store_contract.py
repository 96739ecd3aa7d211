"""The faked records of payments do what those in PostgreSQL do."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.gateways import GatewayName
from domain.payment import Announcement, Payment
from domain.reconciliation import RowPosition
from tests.support.builders import DECLINED, NOON, a_payment
from tests.support.recorded import REFUSAL, Stores, a_published_success, as_recorded, undo_or_fail


async def test_a_claim_is_recognised_and_keeps_others_out(stores: Stores) -> None:
    payment = a_payment()
    rival = a_payment(order_id=payment.order_id)

    first, again = [await stores.payments.record_pending(payment) for _ in range(2)]
    assert (first.payment, first.is_new) == (payment, True)
    assert (again.payment, again.is_new) == (payment, False)

    with pytest.raises(PaymentError) as refusal:
        await stores.payments.record_pending(rival)
    assert refusal.value.code is ErrorCode.PAYMENT_IN_PROGRESS


async def test_a_paid_order_answers_its_success(stores: Stores) -> None:
    payment = await a_published_success(stores)

    rival = a_payment(order_id=payment.order_id)

    assert (await stores.payments.record_pending(rival)).payment == payment


def a_stripe_payment(**changes: Any) -> Payment:
    return a_payment(gateway=GatewayName.STRIPE, **changes)


def referring(payment: Payment, reference: str) -> Payment:
    return payment.model_copy(update={"gateway_reference": reference})


async def test_the_first_reference_of_a_payment_stays(stores: Stores) -> None:
    payment, reference = a_stripe_payment(), f"pi_{uuid4()}"
    await stores.payments.record_pending(payment)

    first = await stores.payments.record_reference(payment.id, reference)
    later = await stores.payments.record_reference(payment.id, f"pi_{uuid4()}")

    assert first == later == await as_recorded(stores, payment) == referring(payment, reference)


async def test_the_ending_leaves_the_reference_as_it_is(stores: Stores) -> None:
    payment, reference = a_stripe_payment(), f"pi_{uuid4()}"
    await stores.payments.record_pending(payment)
    await stores.payments.record_reference(payment.id, reference)

    await stores.payments.record_succeeded(payment.succeeded(NOON))
    assert await as_recorded(stores, payment) == referring(payment, reference).succeeded(NOON)

    await stores.payments.record_failed(payment.failed(DECLINED, NOON))
    assert await as_recorded(stores, payment) == referring(payment, reference).failed(
        DECLINED, NOON
    )


@pytest.mark.parametrize("is_undone", [True, False])
async def test_what_is_undone_or_has_ended_gets_no_reference(
    stores: Stores, is_undone: bool
) -> None:
    """If the row has no reference at that time, nothing was captured, and nothing can be later."""
    payment = a_stripe_payment()
    await undo_or_fail(stores, payment, is_undone=is_undone)

    recorded = await stores.payments.record_reference(payment.id, f"pi_{uuid4()}")

    assert recorded == await as_recorded(stores, payment)
    assert recorded.gateway_reference is None


async def test_a_reference_is_of_one_payment(stores: Stores) -> None:
    first, second, reference = a_stripe_payment(), a_stripe_payment(), f"pi_{uuid4()}"
    for payment in (first, second):
        await stores.payments.record_pending(payment)
    await stores.payments.record_reference(first.id, reference)

    for payment_id in (second.id, uuid4()):
        with pytest.raises(PaymentError) as refusal:
            await stores.payments.record_reference(payment_id, reference)
        assert refusal.value.code is ErrorCode.RECORD_REFUSED


@pytest.mark.parametrize("claimed", [True, False])
async def test_a_failure_is_recorded_once_and_stays(stores: Stores, claimed: bool) -> None:
    payment = a_payment()
    if claimed:
        await stores.payments.record_pending(payment)
    for error in (DECLINED, DECLINED, REFUSAL):
        await stores.payments.record_failed(payment.failed(error, NOON))

    assert await as_recorded(stores, payment) == payment.failed(DECLINED, NOON)
    with pytest.raises(PaymentError) as refusal:
        await stores.payments.record_succeeded(payment.succeeded(NOON))
    assert refusal.value.code is ErrorCode.RECORD_REFUSED


async def test_no_text_with_a_nul_is_recorded(stores: Stores) -> None:
    payment = a_payment()
    await stores.payments.record_pending(payment)
    odd = payment.failed(DECLINED, NOON).model_copy(update={"error_message": "Declined\x00"})

    with pytest.raises(PaymentError) as refusal:
        await stores.payments.record_failed(odd)
    assert refusal.value.code is ErrorCode.RECORD_REFUSED


async def test_what_was_never_claimed_cannot_succeed(stores: Stores) -> None:
    with pytest.raises(PaymentError) as refusal:
        await stores.payments.record_succeeded(a_payment().succeeded(NOON))
    assert refusal.value.code is ErrorCode.RECORD_REFUSED


@pytest.mark.parametrize("announcement", [Announcement.BEGUN, Announcement.MADE])
async def test_a_success_fails_only_before_it_is_published(
    stores: Stores, announcement: Announcement
) -> None:
    undone, stands = a_payment(), a_payment()
    for payment in (undone, stands):
        await stores.payments.record_pending(payment)
        await stores.payments.record_succeeded(payment.succeeded(NOON))
        await stores.payments.record_succeeded(payment.succeeded(NOON))
    begun = stands.succeeded(NOON).announced(announcement)
    await stores.payments.record_announcement(begun)

    await stores.payments.record_failed(undone.failed(DECLINED, NOON))
    with pytest.raises(PaymentError) as refusal:
        await stores.payments.record_failed(stands.failed(DECLINED, NOON))

    assert refusal.value.code is ErrorCode.RECORD_REFUSED
    assert await as_recorded(stores, undone) == undone.failed(DECLINED, NOON)
    assert await as_recorded(stores, stands) == begun


async def failed_with(stores: Stores, announcement: Announcement) -> tuple[Payment, Payment]:
    """Record a failure and how far it is published. Returns the payment, pending and failed."""
    payment = a_payment()
    await stores.payments.record_pending(payment)
    failed = payment.failed(DECLINED, NOON, Announcement.DUE)
    await stores.payments.record_failed(failed)
    await stores.payments.record_announcement(failed.announced(announcement))
    return payment, failed


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN, Announcement.MADE])
async def test_a_published_failure_closes_its_order(
    stores: Stores, announcement: Announcement
) -> None:
    payment, failed = await failed_with(stores, announcement)
    own = a_payment(order_id=payment.order_id, customer_id=payment.customer_id)
    stranger = a_payment(order_id=payment.order_id)

    for rival, code in (
        (own, ErrorCode.ORDER_NOT_PENDING),
        (stranger, ErrorCode.CUSTOMER_MISMATCH),
    ):
        with pytest.raises(PaymentError) as refusal:
            await stores.payments.record_pending(rival)
        assert refusal.value.code is code
    assert (await stores.payments.record_pending(payment)).payment == failed.announced(announcement)


@pytest.mark.parametrize("succeeds", [True, False])
async def test_what_is_undone_neither_succeeds_nor_is_published(
    stores: Stores, succeeds: bool
) -> None:
    payment = a_payment()
    await stores.payments.record_pending(payment)
    if succeeds:
        await stores.payments.record_succeeded(payment.succeeded(NOON))
    undone = await stores.payments.record_compensation(payment.compensating(REFUSAL))

    assert await stores.payments.record_compensation(payment.compensating(DECLINED)) == undone
    assert undone.compensation == payment.compensating(REFUSAL).compensation
    await stores.payments.record_announcement(undone.announced(Announcement.BEGUN))
    assert await stores.payments.find(payment.id) == undone
    if not succeeds:
        with pytest.raises(PaymentError) as refusal:
            await stores.payments.record_succeeded(payment.succeeded(NOON))
        assert refusal.value.code is ErrorCode.RECORD_REFUSED
    await stores.payments.record_failed(undone.failed(REFUSAL, NOON))
    assert await stores.payments.find(payment.id) == undone.failed(REFUSAL, NOON)


@pytest.mark.parametrize("announcement", [Announcement.BEGUN, Announcement.MADE])
async def test_a_published_success_is_not_undone(
    stores: Stores, announcement: Announcement
) -> None:
    payment = a_payment()
    await stores.payments.record_pending(payment)
    await stores.payments.record_succeeded(payment.succeeded(NOON))
    stands = payment.succeeded(NOON).announced(announcement)
    await stores.payments.record_announcement(stands)

    assert await stores.payments.record_compensation(stands.compensating(REFUSAL)) == stands


async def test_an_announcement_does_not_go_back(stores: Stores) -> None:
    payment = await a_published_success(stores)

    await stores.payments.record_announcement(payment.announced(Announcement.BEGUN))

    assert await as_recorded(stores, payment) == payment


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN, Announcement.MADE])
async def test_a_published_event_is_not_withdrawn(
    stores: Stores, announcement: Announcement
) -> None:
    payment, failed = await failed_with(stores, announcement)

    await stores.payments.record_announcement(failed.announced(Announcement.NONE))

    is_out = announcement is Announcement.MADE
    left = failed.announced(announcement if is_out else Announcement.NONE)
    assert await as_recorded(stores, payment) == left


async def test_the_row_names_the_reservation_that_the_event_names(stores: Stores) -> None:
    payment = a_payment()
    await stores.payments.record_pending(payment)
    failed = payment.failed(DECLINED, NOON, Announcement.DUE, uuid4())
    await stores.payments.record_failed(failed)

    await stores.payments.record_announcement(failed.releasing(None).announced())

    assert await as_recorded(stores, payment) == failed.releasing(None).announced()


async def test_what_ended_otherwise_is_not_announced(stores: Stores) -> None:
    payment = a_payment()
    await stores.payments.record_pending(payment)
    success = payment.succeeded(NOON)
    await stores.payments.record_succeeded(success)
    failed = payment.failed(DECLINED, NOON, Announcement.DUE)

    for announcement in (Announcement.NONE, Announcement.BEGUN, Announcement.MADE):
        await stores.payments.record_announcement(failed.announced(announcement))

    assert await as_recorded(stores, payment) == success
    await stores.payments.record_failed(failed)
    await stores.payments.record_announcement(success.announced(Announcement.BEGUN))
    assert await as_recorded(stores, payment) == failed
    await stores.payments.record_announcement(failed.announced())


async def test_a_failure_that_an_old_worker_has_recorded_is_announced(stores: Stores) -> None:
    """Version 0.1.0 leaves in the row that the payment is being undone."""
    payment = a_payment()
    await stores.payments.record_pending(payment)
    failed = payment.failed(DECLINED, NOON, Announcement.DUE).compensating(DECLINED)
    await stores.payments.record_failed(failed)

    await stores.payments.record_announcement(failed.announced())

    assert await as_recorded(stores, payment) == failed.announced()


async def test_unfinished_payments_are_read_from_a_place_on(stores: Stores) -> None:
    long_ago = NOON - timedelta(days=500)
    payments = [a_payment(created_at=long_ago + timedelta(seconds=number)) for number in range(3)]
    for each in reversed(payments):
        await stores.payments.record_pending(each)
    place = RowPosition(payments[0].created_at, payments[0].id)

    everything, rest = [
        [
            each
            async for page in stores.payments.pending_before(long_ago + timedelta(1), after)
            for each in page
        ]
        for after in (None, place)
    ]

    assert (everything, rest) == (payments, payments[1:])
    for each in payments:
        await stores.payments.record_failed(each.failed(DECLINED, NOON, Announcement.DUE))
    unpublished = stores.payments.unpublished_before(long_ago + timedelta(1), place)
    assert [each.id async for page in unpublished for each in page] == [
        each.id for each in payments[1:]
    ]
    for each in payments:
        await stores.payments.record_announcement(each.failed(DECLINED, NOON).announced())
