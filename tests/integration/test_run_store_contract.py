"""The faked records of workflow runs do what those in PostgreSQL do."""

import pytest

from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from domain.timeline import MAX_RUNS
from tests.support.builders import DECLINED, NOON, a_payment, a_refund
from tests.support.recorded import Stores, a_published_success, as_recorded


async def runs_of(stores: Stores, payment: Payment) -> list[str]:
    return [*(await stores.runs(payment.id)).get(payment.id, ())]


async def test_each_run_of_a_payment_is_recorded_once_and_the_newest_first(
    stores: Stores,
) -> None:
    payment = a_payment()
    for run in ("first", "first", "second", "first", "third"):
        await stores.payments.record_pending(payment, run)

    assert await runs_of(stores, payment) == ["third", "second", "first"]


async def test_a_run_that_comes_later_leaves_the_payment_as_it_is(stores: Stores) -> None:
    payment = await a_published_success(stores)

    claim = await stores.payments.record_pending(payment, "later")

    assert claim.payment == await as_recorded(stores, payment) == payment
    assert await runs_of(stores, payment) == ["later"]


async def test_a_row_without_runs_gets_its_first_one(stores: Stores) -> None:
    """The version before records no runs."""
    payment = a_payment()
    await stores.payments.record_pending(payment)
    assert await runs_of(stores, payment) == []

    await stores.payments.record_pending(payment, "resumed")

    assert await runs_of(stores, payment) == ["resumed"]


async def test_the_newest_runs_are_kept(stores: Stores) -> None:
    payment = a_payment()
    runs = [f"run {number}" for number in range(MAX_RUNS + 2)]
    for run in runs:
        await stores.payments.record_pending(payment, run)

    assert await runs_of(stores, payment) == runs[: -MAX_RUNS - 1 : -1]


async def test_a_run_whose_claim_is_refused_is_recorded_too(stores: Stores) -> None:
    """It goes on with the failure that is recorded already."""
    payment = a_payment()
    await stores.payments.record_pending(payment, "first")
    await stores.payments.record_failed(payment.failed(DECLINED, NOON), "first")
    await stores.payments.record_pending(a_payment(order_id=payment.order_id), "another")

    with pytest.raises(PaymentError) as refusal:
        await stores.payments.record_pending(payment, "second")

    assert refusal.value.code is ErrorCode.PAYMENT_IN_PROGRESS
    assert await runs_of(stores, payment) == ["second", "first"]


@pytest.mark.parametrize("is_published", [True, False])
async def test_a_run_that_must_publish_another_payment_is_a_run_of_both(
    stores: Stores, *, is_published: bool
) -> None:
    lost, paid = await a_failure_and_a_success(stores)
    if is_published:
        await stores.payments.record_announcement(paid.announced())

    claim = await stores.payments.record_pending(lost, "second")

    assert claim.id == paid.id
    assert await runs_of(stores, lost) == ["second", "first"]
    assert await runs_of(stores, paid) == (["own"] if is_published else ["second", "own"])


async def a_failure_and_a_success(stores: Stores) -> tuple[Payment, Payment]:
    """Two payments of an order, after their runs `first` and `own`. None is published."""
    lost = a_payment()
    paid = a_payment(order_id=lost.order_id)
    await stores.payments.record_pending(lost, "first")
    await stores.payments.record_failed(lost.failed(DECLINED, NOON), "first")
    await stores.payments.record_pending(paid, "own")
    success = paid.succeeded(NOON)
    await stores.payments.record_succeeded(success)
    assert (await as_recorded(stores, paid)).announcement is Announcement.DUE
    return lost, success


async def test_a_failure_without_a_claim_has_the_run_that_recorded_it(stores: Stores) -> None:
    claimed, unclaimed = a_payment(), a_payment()
    await stores.payments.record_pending(claimed, "first")

    for payment in (claimed, unclaimed):
        await stores.payments.record_failed(payment.failed(DECLINED, NOON), "later")

    assert await runs_of(stores, claimed) == ["first"]
    assert await runs_of(stores, unclaimed) == ["later"]


async def test_what_has_no_row_has_no_runs(stores: Stores) -> None:
    holder = a_payment()
    rival = a_payment(order_id=holder.order_id)
    await stores.payments.record_pending(holder, "first")

    with pytest.raises(PaymentError):
        await stores.payments.record_pending(rival, "refused")

    assert await runs_of(stores, rival) == []
    assert await runs_of(stores, holder) == ["first"]


async def test_the_runs_of_each_refund_are_recorded(stores: Stores) -> None:
    payment = await a_published_success(stores)
    resumed, other = (a_refund(payment, "10.00", key) for key in ("resumed", "other"))
    for run in ("first", "second", "first"):
        recorded = await stores.refunds.record_pending(resumed, run)
        assert recorded == resumed.model_copy(update={"is_unsent": False})
    await stores.refunds.record_pending(other)

    found = await stores.runs(payment.id)

    assert {subject: [*runs] for subject, runs in found.items()} == {
        payment.id: [],
        resumed.id: ["second", "first"],
        other.id: [],
    }
