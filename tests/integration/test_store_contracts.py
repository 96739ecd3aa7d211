"""What the faked records of payments and refunds answer is what PostgreSQL answers."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import NamedTuple
from uuid import uuid4

import pytest

from activities.ports import Payments, Refunds
from db.engine import create_engine
from db.payments import PaymentStore
from db.refunds import RefundStore
from devstack.stack.stack import Stack
from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from domain.reconciliation import RowPosition
from domain.refund import Refund
from tests.support.builders import NOON, a_payment, a_refund
from tests.support.fakes import FakePayments, FakeRefunds, World

DECLINE = PaymentError(ErrorCode.CARD_DECLINED, "The card was declined.")
REFUSAL = PaymentError(ErrorCode.REFUND_REFUSED, "Refused.")
AFTER = NOON + timedelta(seconds=1)


class Books(NamedTuple):
    payments: Payments
    refunds: Refunds


@pytest.fixture(params=["fake", "real"])
async def books(request: pytest.FixtureRequest, stack: Stack) -> AsyncIterator[Books]:
    if request.param == "fake":
        world = World()
        yield Books(FakePayments(world), FakeRefunds(world))
        return
    engine = create_engine(stack.environment()["DATABASE_URL"], application_name="tests")
    yield Books(PaymentStore(engine), RefundStore(engine))
    await engine.dispose()


async def as_recorded(books: Books, payment: Payment) -> Payment:
    """The payment's row."""
    found = await books.payments.find(payment.id)
    assert found is not None
    return found


async def told(books: Books) -> Payment:
    """A payment that has succeeded and been told, as refunds need it."""
    payment = a_payment()
    await books.payments.record_pending(payment)
    succeeded = payment.succeeded(NOON)
    await books.payments.record_succeeded(succeeded)
    await books.payments.record_announcement(succeeded.announced())
    return succeeded.announced()


async def test_a_claim_is_recognised_and_keeps_others_out(books: Books) -> None:
    payment = a_payment()
    rival = a_payment(order_id=payment.order_id)

    first, again = [await books.payments.record_pending(payment) for _ in range(2)]
    assert (first.payment, first.is_new) == (payment, True)
    assert (again.payment, again.is_new) == (payment, False)

    with pytest.raises(PaymentError) as refusal:
        await books.payments.record_pending(rival)
    assert refusal.value.code is ErrorCode.PAYMENT_IN_PROGRESS


async def test_a_paid_order_answers_its_success(books: Books) -> None:
    payment = await told(books)

    rival = a_payment(order_id=payment.order_id)

    assert (await books.payments.record_pending(rival)).payment == payment


@pytest.mark.parametrize("claimed", [True, False])
async def test_a_failure_is_recorded_once_and_stays(books: Books, claimed: bool) -> None:
    payment = a_payment()
    if claimed:
        await books.payments.record_pending(payment)
    for error in (DECLINE, DECLINE, REFUSAL):
        await books.payments.record_failed(payment.failed(error, NOON))

    assert await as_recorded(books, payment) == payment.failed(DECLINE, NOON)
    with pytest.raises(PaymentError) as refusal:
        await books.payments.record_succeeded(payment.succeeded(NOON))
    assert refusal.value.code is ErrorCode.RECORD_REFUSED


async def test_no_text_with_a_nul_is_recorded(books: Books) -> None:
    payment = a_payment()
    await books.payments.record_pending(payment)
    odd = payment.failed(DECLINE, NOON).model_copy(update={"error_message": "Declined\x00"})

    with pytest.raises(PaymentError) as refusal:
        await books.payments.record_failed(odd)
    assert refusal.value.code is ErrorCode.RECORD_REFUSED


async def test_what_was_never_claimed_cannot_succeed(books: Books) -> None:
    with pytest.raises(PaymentError) as refusal:
        await books.payments.record_succeeded(a_payment().succeeded(NOON))
    assert refusal.value.code is ErrorCode.RECORD_REFUSED


@pytest.mark.parametrize("announcement", [Announcement.BEGUN, Announcement.MADE])
async def test_a_success_fails_only_before_it_is_told(
    books: Books, announcement: Announcement
) -> None:
    undone, stands = a_payment(), a_payment()
    for payment in (undone, stands):
        await books.payments.record_pending(payment)
        await books.payments.record_succeeded(payment.succeeded(NOON))
        await books.payments.record_succeeded(payment.succeeded(NOON))
    begun = stands.succeeded(NOON).announced(announcement)
    await books.payments.record_announcement(begun)

    await books.payments.record_failed(undone.failed(DECLINE, NOON))
    with pytest.raises(PaymentError) as refusal:
        await books.payments.record_failed(stands.failed(DECLINE, NOON))

    assert refusal.value.code is ErrorCode.RECORD_REFUSED
    assert await as_recorded(books, undone) == undone.failed(DECLINE, NOON)
    assert await as_recorded(books, stands) == begun


async def failed_with(books: Books, announcement: Announcement) -> tuple[Payment, Payment]:
    """Record a failure and how far it is published. Returns the payment, pending and failed."""
    payment = a_payment()
    await books.payments.record_pending(payment)
    failed = payment.failed(DECLINE, NOON, Announcement.DUE)
    await books.payments.record_failed(failed)
    await books.payments.record_announcement(failed.announced(announcement))
    return payment, failed


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN, Announcement.MADE])
async def test_a_published_failure_closes_its_order(
    books: Books, announcement: Announcement
) -> None:
    payment, failed = await failed_with(books, announcement)
    own = a_payment(order_id=payment.order_id, customer_id=payment.customer_id)
    stranger = a_payment(order_id=payment.order_id)

    for rival, code in (
        (own, ErrorCode.ORDER_NOT_PENDING),
        (stranger, ErrorCode.CUSTOMER_MISMATCH),
    ):
        with pytest.raises(PaymentError) as refusal:
            await books.payments.record_pending(rival)
        assert refusal.value.code is code
    assert (await books.payments.record_pending(payment)).payment == failed.announced(announcement)


@pytest.mark.parametrize("succeeds", [True, False])
async def test_what_is_undone_neither_succeeds_nor_is_published(
    books: Books, succeeds: bool
) -> None:
    payment = a_payment()
    await books.payments.record_pending(payment)
    if succeeds:
        await books.payments.record_succeeded(payment.succeeded(NOON))
    undone = await books.payments.record_compensation(payment.compensating(REFUSAL))

    assert await books.payments.record_compensation(payment.compensating(DECLINE)) == undone
    assert undone.compensation == payment.compensating(REFUSAL).compensation
    await books.payments.record_announcement(undone.announced(Announcement.BEGUN))
    assert await books.payments.find(payment.id) == undone
    if not succeeds:
        with pytest.raises(PaymentError) as refusal:
            await books.payments.record_succeeded(payment.succeeded(NOON))
        assert refusal.value.code is ErrorCode.RECORD_REFUSED
    await books.payments.record_failed(undone.failed(REFUSAL, NOON))
    assert await books.payments.find(payment.id) == undone.failed(REFUSAL, NOON)


@pytest.mark.parametrize("announcement", [Announcement.BEGUN, Announcement.MADE])
async def test_a_published_success_is_not_undone(books: Books, announcement: Announcement) -> None:
    payment = a_payment()
    await books.payments.record_pending(payment)
    await books.payments.record_succeeded(payment.succeeded(NOON))
    stands = payment.succeeded(NOON).announced(announcement)
    await books.payments.record_announcement(stands)

    assert await books.payments.record_compensation(stands.compensating(REFUSAL)) == stands


async def test_an_announcement_does_not_go_back(books: Books) -> None:
    payment = await told(books)

    await books.payments.record_announcement(payment.announced(Announcement.BEGUN))

    assert await as_recorded(books, payment) == payment


@pytest.mark.parametrize("announcement", [Announcement.DUE, Announcement.BEGUN, Announcement.MADE])
async def test_an_event_that_is_out_is_not_withdrawn(
    books: Books, announcement: Announcement
) -> None:
    payment, failed = await failed_with(books, announcement)

    await books.payments.record_announcement(failed.announced(Announcement.NONE))

    is_out = announcement is Announcement.MADE
    left = failed.announced(announcement if is_out else Announcement.NONE)
    assert await as_recorded(books, payment) == left


async def test_the_row_names_the_reservation_that_the_event_names(books: Books) -> None:
    payment = a_payment()
    await books.payments.record_pending(payment)
    failed = payment.failed(DECLINE, NOON, Announcement.DUE, uuid4())
    await books.payments.record_failed(failed)

    await books.payments.record_announcement(failed.releasing(None).announced())

    assert await as_recorded(books, payment) == failed.releasing(None).announced()


async def test_what_ended_otherwise_is_not_announced(books: Books) -> None:
    payment = a_payment()
    await books.payments.record_pending(payment)
    success = payment.succeeded(NOON)
    await books.payments.record_succeeded(success)
    failed = payment.failed(DECLINE, NOON, Announcement.DUE)

    for announcement in (Announcement.NONE, Announcement.BEGUN, Announcement.MADE):
        await books.payments.record_announcement(failed.announced(announcement))

    assert await as_recorded(books, payment) == success
    await books.payments.record_failed(failed)
    await books.payments.record_announcement(success.announced(Announcement.BEGUN))
    assert await as_recorded(books, payment) == failed
    await books.payments.record_announcement(failed.announced())


async def test_a_failure_that_an_old_worker_has_recorded_is_announced(books: Books) -> None:
    """Version 0.1.0 leaves in the row that the payment is being undone."""
    payment = a_payment()
    await books.payments.record_pending(payment)
    failed = payment.failed(DECLINE, NOON, Announcement.DUE).compensating(DECLINE)
    await books.payments.record_failed(failed)

    await books.payments.record_announcement(failed.announced())

    assert await as_recorded(books, payment) == failed.announced()


async def test_what_is_unfinished_is_read_from_a_place_on(books: Books) -> None:
    long_ago = NOON - timedelta(days=500)
    payments = [a_payment(created_at=long_ago + timedelta(seconds=number)) for number in range(3)]
    for each in reversed(payments):
        await books.payments.record_pending(each)
    place = RowPosition(payments[0].created_at, payments[0].id)

    everything, rest = [
        [
            each
            async for page in books.payments.pending_before(long_ago + timedelta(1), after)
            for each in page
        ]
        for after in (None, place)
    ]

    assert (everything, rest) == (payments, payments[1:])
    for each in payments:
        await books.payments.record_failed(each.failed(DECLINE, NOON, Announcement.DUE))
    unpublished = books.payments.unpublished_before(long_ago + timedelta(1), place)
    assert [each.id async for page in unpublished for each in page] == [
        each.id for each in payments[1:]
    ]
    for each in payments:
        await books.payments.record_announcement(each.failed(DECLINE, NOON).announced())


async def test_a_refund_is_set_aside_once(books: Books) -> None:
    payment = await told(books)
    refund = a_refund(payment, "100.00")
    recorded = refund.model_copy(update={"is_unsent": False})

    assert await books.refunds.record_pending(refund) == recorded
    again = refund.model_copy(update={"created_at": AFTER})
    assert await books.refunds.record_pending(again) == recorded

    for amount, key in (("50.01", "more"), ("150.00", "all")):
        with pytest.raises(PaymentError) as refusal:
            await books.refunds.record_pending(a_refund(payment, amount, key))
        assert refusal.value.code is ErrorCode.REFUND_TOO_LARGE
    await books.refunds.record_pending(a_refund(payment, "50.00", "rest"))


async def test_a_failed_refund_frees_its_amount(books: Books) -> None:
    payment = await told(books)
    refund = a_refund(payment, "150.00")
    await books.refunds.record_pending(refund)

    for _ in range(2):
        await books.refunds.record_ended(refund.failed(REFUSAL, NOON))

    with pytest.raises(PaymentError) as refusal:
        await books.refunds.record_ended(refund.succeeded(NOON))
    assert refusal.value.code is ErrorCode.RECORD_REFUSED
    await books.refunds.record_pending(a_refund(payment, "150.00", "next"))


async def test_a_refund_is_unfinished_until_it_is_told(books: Books) -> None:
    refund = a_refund(await told(books))
    await books.refunds.record_pending(refund)
    assert refund.id in await unfinished(books)

    made = refund.succeeded(NOON)
    for _ in range(2):
        await books.refunds.record_ended(made)
    assert refund.id in await unfinished(books)

    await books.refunds.record_announced(made)
    assert refund.id not in await unfinished(books)
    ended: Refund = await books.refunds.record_pending(refund)
    assert ended == made.announced().model_copy(update={"is_unsent": False})


async def test_nothing_is_refunded_of_what_has_not_been_told(books: Books) -> None:
    payment = a_payment()
    await books.payments.record_pending(payment)
    refund = a_refund(payment.succeeded(NOON).announced(), key=str(uuid4()))

    with pytest.raises(PaymentError) as refusal:
        await books.refunds.record_pending(refund)
    assert refusal.value.code is ErrorCode.REFUND_TOO_LARGE


async def unfinished(books: Books) -> set[object]:
    return {each.id async for page in books.refunds.unfinished_before(AFTER) for each in page}
