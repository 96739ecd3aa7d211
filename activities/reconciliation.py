"""Resumes payments and refunds that have lost their workflow.

A workflow is lost when it is terminated, or when Temporal loses its data. The row of the payment or
refund then stays unfinished, because no code runs for it. So a new workflow is started, which
continues from the row. This module does not write to the row.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, ValidationError
from temporalio import activity
from temporalio.exceptions import ApplicationError

from activities.ports import Payments, Refunds, Rounds, WorkflowStarter
from domain.errors import ErrorCode
from domain.payment import Payment
from domain.reconciliation import RowPosition
from domain.refund import Refund

MAX_CONCURRENT_STARTS = 8
"""A small number, so that new payments start without delay. Measured with 8 on two busy cores:
Temporal's development server answered 200 starts per second if the workflows were already running,
and 70 if it had to start them."""

log = logging.getLogger(__name__)


class Progress(BaseModel):
    """The progress of a round. Each heartbeat carries it, so that the next try continues there."""

    model_config = ConfigDict(frozen=True)

    step: int = 0
    """Index in `_steps`."""
    after: RowPosition | None = None
    """The last row that the step has processed."""
    resumed: int = 0
    failed: int = 0

    @classmethod
    def of_previous_try(cls) -> Self:
        """The progress of the previous try; the beginning of a round if there was none."""
        try:
            return cls.model_validate(activity.info().heartbeat_details[0])
        except (IndexError, ValidationError):  # no heartbeat, or one of another version
            return cls()

    def after_page(self, last: Payment | Refund, outcomes: Counter[bool | None]) -> Self:
        """The progress after a page of rows that ends with `last`."""
        return self.model_copy(
            update={
                "after": RowPosition(last.created_at, last.id),
                "resumed": self.resumed + outcomes[True],
                "failed": self.failed + outcomes[None],
            }
        )

    def after_step(self) -> Self:
        """The progress at the start of the next step."""
        return self.model_copy(update={"step": self.step + 1, "after": None})


class _Step(NamedTuple):
    """One query for unfinished rows, page by page, and how each of its rows is resumed."""

    pages: Callable[[datetime, RowPosition | None], AsyncIterator[Sequence[Any]]]
    resume: Callable[[Any], Awaitable[bool]]


class ReconciliationActivities:
    """One round of the reconciliation."""

    def __init__(
        self, payments: Payments, refunds: Refunds, workflows: WorkflowStarter, rounds: Rounds
    ) -> None:
        self._payments = payments
        self._refunds = refunds
        self._workflows = workflows
        self._rounds = rounds

    @activity.defn
    async def resume_payments(self, unfinished_before: datetime) -> int:
        """Start a workflow for each unfinished payment and refund that has none.

        Those created at `unfinished_before` or later are left out. Payments with an unpublished
        event come last: they usually only wait for Kafka. Returns how many workflows were started.
        If one cannot be started, the others are still started; at the end it raises
        ApplicationError(SERVICE_UNAVAILABLE), which is not retried.
        """
        progress = Progress.of_previous_try()
        for step in self._steps()[progress.step :]:
            async for page in step.pages(unfinished_before, progress.after):
                outcomes = await _resume_all(step.resume, page, progress)
                progress = progress.after_page(page[-1], outcomes) if page else progress
                activity.heartbeat(progress)
            progress = progress.after_step()
        if progress.failed:
            raise ApplicationError(
                f"{progress.failed} workflows could not be started.",
                type=ErrorCode.SERVICE_UNAVAILABLE,
                non_retryable=True,
            )
        await self._rounds.record_completed()
        return progress.resumed

    def _steps(self) -> Sequence[_Step]:
        seen: set[UUID] = set()

        async def resume_once(payment: Payment) -> bool:
            """Resume one payment of each order: the payments of an order share one workflow id."""
            if payment.order_id in seen:
                return False
            seen.add(payment.order_id)
            return await self._workflows.resume(payment)

        return (
            _Step(self._payments.pending_before, resume_once),
            _Step(self._refunds.unfinished_before, self._workflows.resume_refund),
            _Step(self._payments.unpublished_before, resume_once),
        )


async def _resume_all(
    resume: Callable[[Any], Awaitable[bool]],
    unfinished: Sequence[Payment | Refund],
    progress: Progress,
) -> Counter[bool | None]:
    """Count the outcomes: True for a start, False if a workflow is running, None for a failure."""
    limit = asyncio.Semaphore(MAX_CONCURRENT_STARTS)

    async def attempt(each: Payment | Refund) -> bool | None:
        async with limit:
            activity.heartbeat(progress)
            try:
                is_resumed = await resume(each)
            except Exception:  # the others must still be resumed
                log.exception("%s cannot be resumed", each.id)
                return None
        if is_resumed:
            log.warning("%s had lost its workflow and was resumed", each.id)
        return is_resumed

    return Counter(await asyncio.gather(*map(attempt, unfinished)))
