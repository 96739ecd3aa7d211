"""Stores of payments and refunds, and payments that they hold in the status that a test needs."""

from typing import NamedTuple

from activities.ports import Payments, Refunds
from db.payments import PaymentStore
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from tests.support.builders import DECLINED, NOON, a_payment
from workflows.timeline import ReadRuns

REFUSAL = PaymentError(ErrorCode.REFUND_REFUSED, "Refused.")


class Stores(NamedTuple):
    """The records of payments, of refunds and of their runs, faked or in PostgreSQL."""

    payments: Payments
    refunds: Refunds
    runs: ReadRuns


def ended(payment: Payment, ending: str) -> Payment:
    """The payment as it ends: `succeeded`, or declined."""
    return payment.succeeded(NOON) if ending == "succeeded" else payment.failed(DECLINED, NOON)


async def recorded(store: PaymentStore, status: str) -> Payment:
    """A payment that the store has brought to this status, or does not have if it is `absent`."""
    payment = a_payment()
    if status != "absent":
        await store.record_pending(payment)
    if status == "succeeded":
        await store.record_succeeded(ended(payment, status))
    if status == "failed":
        await store.record_failed(ended(payment, status))
    return payment


async def undo_or_fail(stores: Stores, payment: Payment, *, is_undone: bool) -> None:
    """Record the payment, and then that it is being undone, or else that it has failed."""
    await stores.payments.record_pending(payment)
    if is_undone:
        await stores.payments.record_compensation(payment.compensating(DECLINED))
    else:
        await stores.payments.record_failed(payment.failed(DECLINED, NOON))


async def as_recorded(stores: Stores, payment: Payment) -> Payment:
    """The payment's row."""
    found = await stores.payments.find(payment.id)
    assert found is not None
    return found


async def a_published_success(stores: Stores) -> Payment:
    """A payment whose success is recorded and published, as refunds need it."""
    payment = a_payment()
    await stores.payments.record_pending(payment)
    succeeded = payment.succeeded(NOON)
    await stores.payments.record_succeeded(succeeded)
    await stores.payments.record_announcement(succeeded.announced())
    return succeeded.announced()
