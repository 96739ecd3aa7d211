"""Refunding a payment: the caller's key names the refund, so that a repetition is the same one."""

from typing import NamedTuple

from api.dependencies import Parts
from domain.errors import ErrorCode, PaymentError
from domain.refund import Refund


class RefundOutcome(NamedTuple):
    """A refund that has ended, or is pending because waiting for it took too long."""

    refund: Refund
    replayed: bool = False
    is_recorded: bool = True
    """Whether it can be read by now."""


async def refund(asked: Refund, parts: Parts) -> RefundOutcome:
    """Make the refund, or repeat the answer that its key has got before.

    Raises PaymentError if the key came with another amount before (IDEMPOTENCY_KEY_REUSED), or if
    a dependency is down.
    """
    known = await parts.refunds.find(asked.id)
    if known is not None and known.is_final:
        return RefundOutcome(_same(known, asked), replayed=True)
    made = await parts.sagas.refund(known or asked) or await parts.refunds.find(asked.id)
    return RefundOutcome(_same(made or asked, asked), is_recorded=made is not None)


def _same(refund: Refund, asked: Refund) -> Refund:
    if refund.amount != asked.amount:
        raise PaymentError(
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
            "This Idempotency-Key came with another amount before. Use a new key.",
        )
    return refund
