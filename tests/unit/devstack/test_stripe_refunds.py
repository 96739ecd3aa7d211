"""The Stripe-shaped gateway refunds as Stripe does: refunds may be pending, and fail late."""

from typing import Any

import pytest

from tests.unit.devstack.stripe_double import Double, error_of, refused

REFUSED = (400, "invalid_request_error")


async def test_refunds_never_exceed_the_captured_amount(double: Double) -> None:
    intent = await double.paid()

    first = await double.refund(intent.id, 5_001, metadata={"key": "r1"})
    assert (first.status, first.amount, first.payment_intent) == ("succeeded", 5_001, intent.id)
    assert (await error_of(double.refund(intent.id, 10_000)))[:2] == REFUSED
    rest = await double.refund(intent.id, metadata={"key": "r2"})
    assert rest.amount == 9_999
    error = await error_of(double.refund(intent.id, 1))
    assert error == (*REFUSED, "charge_already_refunded", None)
    assert await double.ledger() == [
        ("charge.captured", "pay_p_charge", "150.00"),
        ("refund.succeeded", "r1", "50.01"),
        ("refund.succeeded", "r2", "99.99"),
    ]


async def test_a_payment_that_is_not_captured_is_not_refunded(double: Double) -> None:
    opened, authorized, canceled = [await double.create() for _ in range(3)]
    await double.confirm(authorized.id)
    await double.cancel(canceled.id)

    for each in (opened, authorized, canceled):
        assert (await error_of(double.refund(each.id, 100)))[:2] == REFUSED
    missing = (*REFUSED, "resource_missing", "payment_intent")
    assert await error_of(double.refund("pi_0", 100)) == missing


async def test_a_disputed_payment_is_not_refunded(double: Double) -> None:
    intent = await double.paid()
    await double.post(f"/intents/{intent.id}/dispute")

    assert await error_of(double.refund(intent.id)) == (*REFUSED, "charge_disputed", None)


@pytest.mark.parametrize(("end", "left"), [("succeeded", 10_000), ("failed", 15_000)])
async def test_a_pending_refund_takes_from_the_rest_until_it_fails(
    double: Double, end: str, left: int
) -> None:
    await double.put("/settings", refund="pending")
    intent = await double.paid()

    pending = await double.refund(intent.id, 5_000)

    assert (pending.status, pending.pending_reason) == ("pending", "processing")
    assert len(await double.ledger()) == 1
    assert (await refused(double.refund(intent.id, 10_001))).http_status == 400
    await double.put(f"/refunds/{pending.id}", status=end)
    ended = await double.client.v1.refunds.retrieve_async(pending.id)
    assert ended.status == end
    assert await remainder(double, intent.id) == left


async def test_a_refund_may_fail_after_it_has_succeeded(double: Double) -> None:
    intent = await double.paid()
    refund = await double.refund(intent.id, 5_000, metadata={"key": "r"})

    await double.put(f"/refunds/{refund.id}", status="failed")

    failed = await double.client.v1.refunds.retrieve_async(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "unknown")
    assert [each[0] for each in await double.ledger()] == [
        "charge.captured",
        "refund.succeeded",
        "refund.failed",
    ]
    assert await remainder(double, intent.id) == 15_000


async def test_a_refund_that_fails_at_once_moves_nothing(double: Double) -> None:
    await double.put("/settings", refund="failed")
    intent = await double.paid()

    assert (await double.refund(intent.id, 5_000)).status == "failed"
    assert await remainder(double, intent.id) == 15_000
    assert len(await double.ledger()) == 1


@pytest.mark.parametrize("first", ["pending", "succeeded"])
async def test_a_refund_ends_by_itself_when_its_time_has_come(double: Double, first: str) -> None:
    await double.put("/settings", refund=first, refundEnds="failed", refundEndsAfterMs=600_000)
    intent = await double.paid()
    refund = await double.refund(intent.id)
    assert (await double.client.v1.refunds.retrieve_async(refund.id)).status == first

    await double.put("/settings", refundEndsAfterMs=0)

    assert (await double.client.v1.refunds.retrieve_async(refund.id)).status == "failed"


async def test_all_refunds_are_listed_in_pages_and_the_newest_ten_on_the_charge(
    double: Double,
) -> None:
    intent, other = await double.paid(), await double.paid()
    made = [(await double.refund(intent.id, 100)).id for _ in range(12)]
    await double.refund(other.id, 100)

    listed = await double.client.v1.refunds.list_async({"payment_intent": intent.id, "limit": 5})

    assert [each.id for each in listed.data] == made[:-6:-1]
    assert listed.has_more
    assert [each.id async for each in listed.auto_paging_iter()] == made[::-1]
    charge: Any = await double.client.v1.charges.retrieve_async(str(intent.latest_charge))
    assert (len(charge.refunds.data), charge.refunds.has_more) == (10, True)


async def remainder(double: Double, intent: str) -> int:
    """The amount that can still be refunded."""
    found: Any = await double.intents.retrieve_async(intent, {"expand": ["latest_charge"]})
    remainder: int = found.latest_charge.amount_captured - found.latest_charge.amount_refunded
    return remainder
