"""The workflow runs of payments and refunds: the stores record them, the timeline reads them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, ColumnElement, Table, Text, bindparam, func, select, update
from sqlalchemy.ext.asyncio import AsyncEngine

from db.statements import fetch_all
from db.tables import payments, refunds
from domain.timeline import MAX_RUNS

_run_id = bindparam("run_id", type_=Text)


def _lacks_run(table: Table) -> ColumnElement[bool]:
    return func.array_position(table.c.run_ids, _run_id).is_(None)


def _with_run(table: Table) -> ColumnElement[Any]:
    """The recorded runs and this one, which comes first."""
    return func.array_prepend(_run_id, table.c.run_ids, type_=ARRAY(Text))[1:MAX_RUNS]


ADD_RUN_OF_PAYMENT = (
    update(payments)
    .where(payments.c.id == bindparam("payment_id"), _lacks_run(payments))
    .values(run_ids=_with_run(payments))
)
ADD_RUN_OF_REFUND = (
    update(refunds)
    .where(refunds.c.id == bindparam("refund_id"), _lacks_run(refunds))
    .values(run_ids=_with_run(refunds))
)
_RUNS = (
    select(payments.c.id, payments.c.run_ids)
    .where(payments.c.id == bindparam("payment_id"))
    .union_all(
        select(refunds.c.id, refunds.c.run_ids).where(
            refunds.c.payment_id == bindparam("payment_id")
        )
    )
)


def first_run(run_id: str | None) -> dict[str, Any]:
    """The column `run_ids` of a new row. `run_id` is None if no workflow run records the row."""
    return {"run_ids": [run_id] if run_id else None}


class RecordedRuns:
    """Reads the recorded runs. Raises only PaymentError(DATABASE_UNAVAILABLE)."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    async def __call__(self, payment_id: UUID) -> Mapping[UUID, Sequence[str]]:
        """The run ids of the payment and of its refunds, by the id of each, the newest first."""
        rows = await fetch_all(self._engine, _RUNS, {"payment_id": payment_id})
        return {row["id"]: row["run_ids"] or [] for row in rows}
