"""Healing what no workflow can heal by itself: payments and refunds whose workflow was lost.

A terminated workflow runs no code, and a wiped Temporal remembers none. The rows that they leave
unfinished are handed to a new workflow. No payment is written here.
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
from domain.reconciliation import Place
from domain.refund import Refund

MAX_CONCURRENT_STARTS = 8
"""A small number, so that payments of callers start without delay. Temporal's development server on
two busy cores did 200 starts per second if the workflows were running, and 70 if not."""

log = logging.getLogger(__name__)


class Progress(BaseModel):
    """How far a round has come. Each heartbeat has it, so that the next try continues there."""

    model_config = ConfigDict(frozen=True)

    step: int = 0
    after: Place | None = None
    """The last row that the step has processed."""
    resumed: int = 0
    failed: int = 0

    @classmethod
    def of_the_last_try(cls) -> Self:
        """The progress of the try before; the beginning of the round if there was none."""
        try:
            return cls.model_validate(activity.info().heartbeat_details[0])
        except (IndexError, ValidationError):  # none, or written by another version
            return cls()

    def beyond(self, last: Payment | Refund, outcomes: Counter[bool | None]) -> Self:
        return self.model_copy(
            update={
                "after": Place(last.created_at, last.id),
                "resumed": self.resumed + outcomes[True],
                "failed": self.failed + outcomes[None],
            }
        )

    def beyond_step(self) -> Self:
        return self.model_copy(update={"step": self.step + 1, "after": None})


class _Step(NamedTuple):
    pages: Callable[[datetime, Place | None], AsyncIterator[Sequence[Any]]]
    resume: Callable[[Any], Awaitable[bool]]


class ReconciliationActivities:
    def __init__(
        self, payments: Payments, refunds: Refunds, workflows: WorkflowStarter, rounds: Rounds
    ) -> None:
        self._payments = payments
        self._refunds = refunds
        self._workflows = workflows
        self._rounds = rounds

    @activity.defn
    async def resume_payments(self, unfinished_since: datetime) -> int:
        """Hand everything unfinished since then to a workflow, unless one carries it already.

        Pending payments and refunds come first: most events that are not out wait for Kafka.
        Returns how many were handed over. Raises ApplicationError(SERVICE_UNAVAILABLE), which ends
        the round, if some could not be; all others were.
        """
        progress = Progress.of_the_last_try()
        for step in self._steps()[progress.step :]:
            async for page in step.pages(unfinished_since, progress.after):
                outcomes = await _resume_all(step.resume, page, progress)
                progress = progress.beyond(page[-1], outcomes) if page else progress
                activity.heartbeat(progress)
            progress = progress.beyond_step()
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
            """Resume only the first payment of each order: its payments share one workflow id."""
            if payment.order_id in seen:
                return False
            seen.add(payment.order_id)
            return await self._workflows.resume(payment)

        return (
            _Step(self._payments.pending_since, resume_once),
            _Step(self._refunds.unfinished_since, self._workflows.resume_refund),
            _Step(self._payments.unpublished_since, resume_once),
        )


async def _resume_all(
    resume: Callable[[Any], Awaitable[bool]],
    unfinished: Sequence[Payment | Refund],
    progress: Progress,
) -> Counter[bool | None]:
    """Count the outcomes: True if a workflow was started, False if one runs, None if neither."""
    free = asyncio.Semaphore(MAX_CONCURRENT_STARTS)

    async def attempt(each: Payment | Refund) -> bool | None:
        async with free:
            activity.heartbeat(progress)
            try:
                is_resumed = await resume(each)
            except Exception:  # one that cannot be started must not keep the others waiting
                log.exception("%s cannot be taken up again", each.id)
                return None
        if is_resumed:
            log.warning("%s had lost its workflow and has a new one", each.id)
        return is_resumed

    return Counter(await asyncio.gather(*map(attempt, unfinished)))
