"""The payment store on the real PostgreSQL: methods are repeated, raced and out of order."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from db.audit import AuditQueries
from db.idempotency import IdempotencyKeys, KeyClaim
from db.payments import PaymentStore
from db.refunds import RefundStore
from db.search import PaymentSearch, Search
from domain import exact_json
from domain.claim import Claim
from domain.errors import ErrorCode, FailureReason, PaymentError
from domain.events import PaymentEvent
from domain.money import MAX_RECORDED_UNITS, Money
from domain.payment import Announcement, Payment, PaymentStatus
from tests.support.builders import NOON, a_payment, a_refund
from tests.support.recorded import ended, recorded
from tests.support.system import System


async def test_a_key_is_read_back_unchanged(engine: AsyncEngine) -> None:
    keys, claim = IdempotencyKeys(engine), KeyClaim("tests", str(uuid4()), "fingerprint", uuid4())
    await keys.claim(claim)

    again = await keys.claim(claim._replace(payment_id=uuid4()))

    assert again == claim
    assert exact_json.dumps(again.payment_id) == exact_json.dumps(claim.payment_id)


async def test_a_payment_is_read_back_unchanged(store: PaymentStore) -> None:
    payment = a_payment(
        reservation_id=uuid4(),
        amount=Money.parse("12.345", "BHD"),
        is_simulated=True,
        simulated_response="Failed - CARD_DECLINED: The card was declined.",
        transaction_id="txn_0123456789abcdef",
    )
    failed = ended(payment, "failed")
    assert failed.failure_reason is FailureReason.CARD_DECLINED

    await store.record_failed(failed)

    assert await store.find(payment.id) == failed


async def test_what_another_version_recorded_hides_nothing(
    engine: AsyncEngine, store: PaymentStore, system: System
) -> None:
    paid, failed = await recorded(store, "succeeded"), await recorded(store, "failed")
    await store.record_announcement(ended(paid, "succeeded").announced())
    await RefundStore(engine).record_pending(a_refund(paid.succeeded(NOON).announced()))
    await system.database.execute(
        """UPDATE bc_payment.payments SET currency = 'ZZQ', currency_exponent = 3,
            payment_method = 'bnpl', amount_minor = $2 WHERE id = $1""",
        *(paid.id, MAX_RECORDED_UNITS),
    )
    await system.database.execute(
        """UPDATE bc_payment.payments SET error_code = 'FRAUD_SUSPECTED', failure_reason = 'fraud'
            WHERE id = $1""",
        failed.id,
    )

    orders = (paid.order_id, failed.order_id)
    read = {
        each.id: each
        for order_id in orders
        for each in await PaymentSearch(engine).page(Search(order_id=order_id), 50)
    }
    history = await AuditQueries(engine).payments_of(orders)
    found = {each.id: each for each in history if isinstance(each, Payment)}
    assert found == {each: read[each] for each in (paid.id, failed.id)}
    assert str(read[paid.id].amount) == "9223372036854775.807 ZZQ"
    assert read[paid.id].payment_method == "bnpl"
    assert PaymentEvent.of(read[failed.id]).value["errorCode"] == "FRAUD_SUSPECTED"
    [refund] = await RefundStore(engine).of_payment(paid.id)
    assert str(refund.amount) == "5.000 ZZQ"


async def test_unknown_payment_is_none(store: PaymentStore) -> None:
    assert await store.find(uuid4()) is None
    assert await store.find_live(uuid4()) is None


async def test_claim_is_recognised_when_repeated(store: PaymentStore) -> None:
    payment = a_payment()

    answers = [await store.record_pending(payment) for _ in range(2)]

    assert [each.payment for each in answers] == [payment, payment]
    assert [each.is_new for each in answers] == [True, False]
    assert await store.find_live(payment.order_id) == payment


@pytest.mark.parametrize("status", ["succeeded", "failed"])
async def test_late_claim_finds_its_own_ending(store: PaymentStore, status: str) -> None:
    payment = await recorded(store, status)

    assert (await store.record_pending(payment)).payment == ended(payment, status)


async def test_only_one_of_many_claims_an_order(store: PaymentStore) -> None:
    rivals = [a_payment().model_copy(update={"order_id": ORDER}) for ORDER in [uuid4()] * 10]

    outcomes = await asyncio.gather(*map(store.record_pending, rivals), return_exceptions=True)

    winners = [outcome for outcome in outcomes if isinstance(outcome, Claim)]
    codes = {outcome.code for outcome in outcomes if isinstance(outcome, PaymentError)}
    assert len(winners) == 1
    assert codes == {ErrorCode.PAYMENT_IN_PROGRESS}
    assert await store.find_live(rivals[0].order_id) == winners[0].payment


async def test_claim_of_a_paid_order_finds_the_success(store: PaymentStore) -> None:
    paid = await recorded(store, "succeeded")

    late = await store.record_pending(a_payment(order_id=paid.order_id))

    assert late.payment == ended(paid, "succeeded")


async def test_an_order_with_an_unpublished_failure_can_be_claimed(store: PaymentStore) -> None:
    failed = await recorded(store, "failed")
    next_one = a_payment(order_id=failed.order_id)

    assert (await store.record_pending(next_one)).payment == next_one


async def test_success_is_recorded_once(store: PaymentStore, system: System) -> None:
    payment = await recorded(store, "pending")
    for _ in range(2):
        await store.record_succeeded(ended(payment, "succeeded"))

    assert await store.find(payment.id) == ended(payment, "succeeded")
    assert await system.transitions(payment.id) == ["pending", "succeeded"]


@pytest.mark.parametrize("status", ["absent", "failed"])
async def test_success_of_what_is_not_pending_is_refused(store: PaymentStore, status: str) -> None:
    payment = await recorded(store, status)

    with pytest.raises(PaymentError) as refusal:
        await store.record_succeeded(ended(payment, "succeeded"))

    assert refusal.value.code is ErrorCode.RECORD_REFUSED


@pytest.mark.parametrize(
    ("status", "history"),
    [
        ("absent", ["failed"]),
        ("pending", ["pending", "failed"]),
        ("succeeded", ["pending", "succeeded", "failed"]),
        ("failed", ["pending", "failed"]),
    ],
)
async def test_failure_is_recorded_from_every_state(
    store: PaymentStore, system: System, status: str, history: list[str]
) -> None:
    payment = await recorded(store, status)
    for _ in range(2):
        await store.record_failed(ended(payment, "failed"))

    assert await store.find(payment.id) == ended(payment, "failed")
    assert await system.transitions(payment.id) == history
    assert await store.find_live(payment.order_id) is None


async def test_first_failure_is_the_one_that_stays(store: PaymentStore) -> None:
    payment = await recorded(store, "failed")
    other = PaymentError(ErrorCode.INSUFFICIENT_FUNDS, "Another reason.")

    await store.record_failed(payment.failed(other, NOON))

    assert await store.find(payment.id) == ended(payment, "failed")


async def test_a_success_that_may_be_published_stands(store: PaymentStore, system: System) -> None:
    payment = await recorded(store, "succeeded")
    begun = ended(payment, "succeeded").announced(Announcement.BEGUN)
    await store.record_announcement(begun)

    with pytest.raises(PaymentError) as refusal:
        await store.record_failed(ended(payment, "failed"))

    assert refusal.value.code is ErrorCode.RECORD_REFUSED
    assert await store.find(payment.id) == begun
    with pytest.raises(asyncpg.CheckViolationError):
        await system.database.execute(
            """UPDATE bc_payment.payments SET status = 'failed', error_code = 'CARD_DECLINED'
                WHERE id = $1""",
            payment.id,
        )


@pytest.mark.parametrize("ending", ["stands", "is undone"])
async def test_success_that_an_earlier_version_records_is_accepted(
    store: PaymentStore, system: System, ending: str
) -> None:
    payment = await recorded(store, "pending")
    await system.database.execute(
        """UPDATE bc_payment.payments SET status = 'succeeded', processed_at = created_at
            WHERE id = $1""",
        payment.id,
    )

    found = await store.find(payment.id)
    assert found is not None
    assert found.as_shown_to_callers.status is PaymentStatus.SUCCEEDED
    if ending == "is undone":
        await store.record_failed(ended(payment, "failed"))
        assert await store.find(payment.id) == ended(payment, "failed")
    else:
        await store.record_announcement(found.announced())
        assert await store.find(payment.id) == found.announced()


async def test_announcement_does_not_go_back(store: PaymentStore) -> None:
    payment = ended(await recorded(store, "succeeded"), "succeeded")
    for announcement in (Announcement.MADE, Announcement.BEGUN):
        await store.record_announcement(payment.announced(announcement))

    assert await store.find(payment.id) == payment.announced()


async def test_a_recorded_announcement_is_not_written_again(
    store: PaymentStore, system: System
) -> None:
    payment = ended(await recorded(store, "succeeded"), "succeeded")
    begun = payment.announced(Announcement.BEGUN)
    version = "SELECT xmin::text, announced_at FROM bc_payment.payments WHERE id = $1"

    await store.record_announcement(begun)
    first = await system.database.fetchrow(version, payment.id)
    await store.record_announcement(begun)

    assert await system.database.fetchrow(version, payment.id) == first
    assert await store.find(payment.id) == begun


async def everything(pages: AsyncIterator[Sequence[Payment]]) -> list[Payment]:
    return [payment async for page in pages for payment in page]


async def test_unfinished_payments_are_found_by_their_age(store: PaymentStore) -> None:
    pending = await recorded(store, "pending")
    unpublished = ended(await recorded(store, "succeeded"), "succeeded")
    published = ended(await recorded(store, "succeeded"), "succeeded").announced()
    await store.record_announcement(published)
    failed = ended(await recorded(store, "failed"), "failed")

    before, after = NOON - timedelta(seconds=1), NOON + timedelta(seconds=1)

    assert pending not in await everything(store.pending_before(before))
    assert pending in (found := await everything(store.pending_before(after)))
    assert not {unpublished.id, published.id, failed.id} & {payment.id for payment in found}
    assert unpublished in (found := await everything(store.unpublished_before(after)))
    assert not {pending.id, published.id, failed.id} & {payment.id for payment in found}
