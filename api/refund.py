"""The use case of refunds. A repeated request with the same key is the same refund."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from api.ports import Refunds, RefundWorkflows
from domain.errors import ErrorCode, PaymentError
from domain.refund import Refund

PAUSE = 1.0
"""Seconds between two reads of the row of a running refund. Chosen, not measured."""


class RefundOutcome(NamedTuple):
    """A refund that has ended, or is pending because waiting for it took too long."""

    refund: Refund
    replayed: bool = False
    is_recorded: bool = True
    """Whether it has a row already."""


@dataclass(frozen=True)
class MakeRefund:
    """Make a refund, or repeat an earlier response for the same key."""

    refunds: Refunds
    workflows: RefundWorkflows

    async def __call__(self, requested: Refund) -> RefundOutcome:
        """Make the refund.

        Raises PaymentError if the key came with another amount before (IDEMPOTENCY_KEY_REUSED),
        or if a dependency is down.
        """
        known = await self.refunds.find(requested.id)
        if known is not None and known.is_final:
            return RefundOutcome(_of_same_amount(known, requested), replayed=True)
        made = await self._make(known or requested)
        made = made or await self.refunds.find(requested.id)
        return RefundOutcome(
            _of_same_amount(made or requested, requested), is_recorded=made is not None
        )

    async def _make(self, refund: Refund) -> Refund | None:
        """Make the refund, and wait for its end.

        At a gateway that opens, a refund may be pending for days: then it is returned as soon as it
        is recorded as pending there. Returns None if waiting takes too long.
        """
        making = asyncio.ensure_future(self.workflows.refund(refund))
        try:
            while refund.terms.opens and not (await asyncio.wait({making}, timeout=PAUSE))[0]:
                with suppress(PaymentError):
                    recorded = await self.refunds.find(refund.id)
                    if recorded is not None and recorded.is_pending_at_gateway:
                        return recorded
            return await making
        finally:
            making.cancel()


def _of_same_amount(refund: Refund, requested: Refund) -> Refund:
    if refund.amount != requested.amount:
        raise PaymentError(
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
            "This Idempotency-Key came with another amount before. Use a new key.",
        )
    return refund
