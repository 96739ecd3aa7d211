"""Fakes that stop a round of the reconciliation half-way."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from domain.reconciliation import RowPosition
from tests.support.fakes.payments import FakePayments
from tests.support.fakes.workflow_starter import FakeWorkflowStarter
from tests.support.fakes.world import World


class FailingPayments(FakePayments):
    """PostgreSQL becomes unavailable after two pages of the unpublished payments were read."""

    is_failing = True

    async def unpublished_before(
        self, moment: datetime, after: RowPosition | None = None
    ) -> AsyncIterator[Sequence[Payment]]:
        pages = 0
        async for page in super().unpublished_before(moment, after):
            if self.is_failing and pages == 2:
                raise PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "It does not answer.")
            pages += 1
            yield page


class RunningWorkflows(FakeWorkflowStarter):
    """All workflows are running already, except `refused`, which Temporal refuses to start."""

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.refused: Payment | None = None

    async def resume(self, payment: Payment) -> bool:
        if payment == self.refused:
            raise PaymentError(ErrorCode.SERVICE_UNAVAILABLE, "Temporal refuses to start it.")
        await super().resume(payment)
        return False
