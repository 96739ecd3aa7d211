"""Healing what no workflow can heal by itself: payments and refunds whose workflow was lost.

A terminated workflow runs no code, and a wiped Temporal remembers none. The rows that they leave
unfinished are handed to a new workflow. No payment is written here.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from temporalio import activity

from activities.ports import Payments, Refunds, Rounds, Sagas
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from domain.refund import Refund

MAX_CONCURRENT_STARTS = 8
"""Few, so that a round leaves Temporal to the callers. Chosen, not measured."""

Unfinished = TypeVar("Unfinished", Payment, Refund)

log = logging.getLogger(__name__)


class ReconciliationActivities:
    def __init__(self, payments: Payments, refunds: Refunds, sagas: Sagas, rounds: Rounds) -> None:
        self._payments = payments
        self._refunds = refunds
        self._sagas = sagas
        self._rounds = rounds

    @activity.defn
    async def resume_payments(self, unfinished_since: datetime) -> int:
        """Hand everything unfinished since then to a workflow, unless one carries it already.

        Returns how many were handed over. Raises PaymentError(SERVICE_UNAVAILABLE) if some could
        not be; all others were.
        """
        outcomes: Counter[bool | None] = Counter()
        async for payments in self._unfinished_payments(unfinished_since):
            outcomes.update(await _resume_all(self._sagas.resume, payments))
        async for refunds in self._refunds.unfinished_since(unfinished_since):
            outcomes.update(await _resume_all(self._sagas.resume_refund, refunds))
        if failed := outcomes[None]:
            raise PaymentError(
                ErrorCode.SERVICE_UNAVAILABLE, f"{failed} workflows could not be started."
            )
        await self._rounds.record_completed()
        return outcomes[True]

    async def _unfinished_payments(self, since: datetime) -> AsyncIterator[Sequence[Payment]]:
        """Pages of payments, pending ones first, and one of each order: it has one workflow."""
        seen: set[UUID] = set()
        for pages in (self._payments.pending_since(since), self._payments.unpublished_since(since)):
            async for page in pages:
                firsts = {each.order_id: each for each in reversed(page)}
                yield [firsts[order_id] for order_id in firsts if order_id not in seen]
                seen.update(firsts)


async def _resume_all(
    resume: Callable[[Unfinished], Awaitable[bool]], unfinished: Sequence[Unfinished]
) -> list[bool | None]:
    """Whether each had lost its workflow and has a new one; None if it could not be started."""
    free = asyncio.Semaphore(MAX_CONCURRENT_STARTS)

    async def attempt(each: Unfinished) -> bool | None:
        async with free:
            activity.heartbeat()
            try:
                is_resumed = await resume(each)
            except Exception:  # one that cannot be started must not keep the others waiting
                log.exception("%s cannot be taken up again", each.id)
                return None
        if is_resumed:
            log.warning("%s had lost its workflow and has a new one", each.id)
        return is_resumed

    return await asyncio.gather(*map(attempt, unfinished))
