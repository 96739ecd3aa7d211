"""PostgreSQL's part of a payment's timeline: the statuses of the payment and of its refunds."""

from collections.abc import Iterator, Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from db.statements import Row, fetch_all
from db.tables import payment_transitions
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

_TRANSITIONS = select(payment_transitions).where(
    payment_transitions.c.payment_id == bindparam("payment_id")
)


class DatabaseTimeline:
    """Reads the recorded statuses. Raises only PaymentError(DATABASE_UNAVAILABLE)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self, payment: Payment, refunds: Sequence[Refund]) -> list[Entry]:
        rows = await fetch_all(self._engine, _TRANSITIONS, {"payment_id": payment.id})
        transitions = map(_transition, rows)
        of_refunds = (entry for refund in refunds for entry in _entries(refund))
        return [*transitions, *_waits(payment), *of_refunds]


def _transition(row: Row) -> Entry:
    event = f"payment is {row['to_status']}"
    return Entry(row["recorded_at"], Source.POSTGRESQL, event, row["error_code"])


def _waits(payment: Payment) -> Iterator[Entry]:
    if payment.wait is not None:
        until = f"until {payment.wait.until:%Y-%m-%d %H:%M:%S} UTC"
        yield Entry(payment.wait.since, Source.POSTGRESQL, "payment waits for its customer", until)


def _entries(refund: Refund) -> Iterator[Entry]:
    yield Entry(refund.created_at, Source.POSTGRESQL, "refund is pending", str(refund.amount))
    if refund.processed_at is not None:
        detail = refund.error_code or str(refund.amount)
        yield Entry(refund.processed_at, Source.POSTGRESQL, f"refund is {refund.status}", detail)
