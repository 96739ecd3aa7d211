"""What the audit reads: payments and the paths that they took, and never a write."""

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncEngine

from db.payments import to_payment
from db.refunds import EVERY_REFUND, to_refund
from db.statements import fetch_all
from db.tables import payment_transitions, payments, refunds
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund

_ORDERS_SINCE = (
    select(payments.c.order_id).where(payments.c.created_at >= bindparam("moment")).distinct()
)
_OF_ORDERS = (
    select(payments)
    .where(payments.c.order_id.in_(bindparam("orders", expanding=True)))
    .order_by(payments.c.created_at)
)
_PATHS_OF_ORDERS = (
    select(payment_transitions.c.payment_id, payment_transitions.c.to_status)
    .join(payments, payments.c.id == payment_transitions.c.payment_id)
    .where(payments.c.order_id.in_(bindparam("orders", expanding=True)))
    .order_by(payment_transitions.c.recorded_at)
)

_REFUNDS_OF_ORDERS = EVERY_REFUND.where(
    payments.c.order_id.in_(bindparam("orders", expanding=True))
).order_by(refunds.c.created_at)

Path = list[PaymentStatus]


class PaymentHistory:
    """Raises only PaymentError(DATABASE_UNAVAILABLE)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def orders_since(self, moment: datetime) -> set[UUID]:
        """The orders that anybody has tried to pay since then."""
        rows = await fetch_all(self._engine, _ORDERS_SINCE, {"moment": moment})
        return {row["order_id"] for row in rows}

    async def payments_of(self, orders: Collection[UUID]) -> Sequence[Payment]:
        rows = await fetch_all(self._engine, _OF_ORDERS, {"orders": list(orders)})
        return [to_payment(row) for row in rows]

    async def refunds_of(self, orders: Collection[UUID]) -> Sequence[Refund]:
        rows = await fetch_all(self._engine, _REFUNDS_OF_ORDERS, {"orders": list(orders)})
        return [to_refund(row) for row in rows]

    async def paths_of(self, orders: Collection[UUID]) -> dict[UUID, Path]:
        """Of each payment the statuses that it has had, in their order."""
        paths: dict[UUID, Path] = {}
        for row in await fetch_all(self._engine, _PATHS_OF_ORDERS, {"orders": list(orders)}):
            path = paths.setdefault(row["payment_id"], [])
            path.append(PaymentStatus(row["to_status"]))
        return paths
