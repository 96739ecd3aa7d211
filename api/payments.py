"""Paying an order: what has been answered before comes first, then the saga."""

import asyncio
from contextlib import suppress
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

from api.dependencies import Parts
from api.errors import STATUSES
from api.identity import Principal
from api.sagas import Saga
from db.idempotency import KeyClaim
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentInstruction

FIRST_LOOK_SECONDS = 1.0
"""Longer than most payments take, so that the row is rarely read. If Kafka is down, the row says by
then that publishing has begun, so that callers get a response within three seconds. With 2 s, 32
callers got 76 % of the usual rate while Kafka was away: each of them waited for most of it."""
LOOK_SECONDS = 1.0
"""Between two reads of a payment that takes long. Chosen, not measured."""


class Outcome(NamedTuple):
    """A payment that has ended, or is pending because waiting for it took too long."""

    payment: Payment
    replayed: bool = False
    is_recorded: bool = True
    """Whether it can be read by now; if not, nothing has happened yet that costs money."""


async def pay(instruction: PaymentInstruction, key: str | None, parts: Parts) -> Outcome:
    """Pay the order, or repeat the answer that its caller's key or its order has got before.

    Raises PaymentError if a different payment of the order runs (PAYMENT_IN_PROGRESS), if the key
    came with another request before (IDEMPOTENCY_KEY_REUSED), or if a dependency is down.
    """
    if key is None:
        return await _pay(instruction, parts)
    claim = await parts.keys.claim(_claim(instruction, key))
    if claim.fingerprint != instruction.fingerprint:
        raise PaymentError(
            ErrorCode.IDEMPOTENCY_KEY_REUSED,
            "This Idempotency-Key came with another request before. Use a new key.",
        )
    if claim.payment_id == instruction.payment_id:
        outcome = await _pay(instruction, parts)
    else:
        outcome = await _repeat(instruction, claim, parts)
    if outcome.payment.id != claim.payment_id:
        with suppress(PaymentError):  # the payment has its answer, whatever its key stands for
            await parts.keys.reassign(claim, outcome.payment.id)
    return outcome


async def _repeat(instruction: PaymentInstruction, claim: KeyClaim, parts: Parts) -> Outcome:
    """Answer a key that came before: the order's success if it is paid, else as it was answered."""
    paid = await _success_of(instruction.order_id, parts)
    if paid is not None:
        return Outcome(paid, replayed=paid.id == claim.payment_id)
    earlier = await parts.payments.find(claim.payment_id)
    if earlier is not None and _is_lasting(earlier):
        return Outcome(earlier, replayed=True)
    if earlier is None:
        instruction = _taken_up(instruction, claim.payment_id)
    elif not earlier.is_final:
        instruction = earlier.to_resume()
    return await _start(instruction, parts)


async def cancel(payment: Payment, parts: Parts) -> None:
    """Request that the payment turns back. Whether it does, its ending tells.

    Raises PaymentError: PAYMENT_ENDED if it cannot any more.
    """
    _refuse_if_ended(payment)
    try:
        await parts.sagas.cancel(payment)
    except PaymentError:
        _refuse_if_ended(await parts.payments.find(payment.id))  # meanwhile
        raise


def _refuse_if_ended(payment: Payment | None) -> None:
    if payment is None:
        return
    if payment.is_final:
        raise PaymentError(
            ErrorCode.PAYMENT_ENDED, "The payment has ended. It can no longer be cancelled."
        )
    if payment.compensation is not None:
        raise PaymentError(
            ErrorCode.PAYMENT_ENDED, "The payment is being undone. There is nothing to cancel."
        )


def owned(caller: Principal, payment: Payment | None) -> Payment:
    """Somebody else's payment is none, so that nobody learns of it."""
    if payment is None or not caller.acts_for(payment.customer_id):
        raise PaymentError(ErrorCode.PAYMENT_NOT_FOUND, "There is no such payment.")
    return payment


def _taken_up(instruction: PaymentInstruction, payment_id: UUID) -> PaymentInstruction:
    """The same payment; unless it is new, an earlier workflow of it may have been lost."""
    resumed = payment_id != instruction.payment_id
    return instruction.model_copy(update={"payment_id": payment_id, "resumed": resumed})


def _claim(instruction: PaymentInstruction, key: str) -> KeyClaim:
    caller = f"customer:{instruction.customer_id}"
    return KeyClaim(caller, key, instruction.fingerprint, instruction.payment_id)


def _is_lasting(payment: Payment) -> bool:
    """Whether the payment's answer is repeated: not where trying again may end otherwise."""
    if payment.error_code is None:
        return payment.is_settled
    if payment.error_code is ErrorCode.PAYMENT_IN_PROGRESS:
        return False
    if payment.closes_its_order:
        return True
    code = ErrorCode.read(payment.error_code, ErrorCode.PROCESSOR_ERROR)
    return STATUSES[code] < HTTPStatus.INTERNAL_SERVER_ERROR


async def _success_of(order_id: UUID, parts: Parts) -> Payment | None:
    """The success that has paid the order, once it can no longer be undone."""
    live = await parts.payments.find_live(order_id)
    return live if live is not None and live.is_settled else None


async def _pay(instruction: PaymentInstruction, parts: Parts) -> Outcome:
    paid = await _success_of(instruction.order_id, parts)
    return Outcome(paid) if paid is not None else await _start(instruction, parts)


async def _start(instruction: PaymentInstruction, parts: Parts) -> Outcome:
    try:
        saga = await parts.sagas.start_or_join(instruction)
    except PaymentError as error:
        raise await _explained(error, instruction, parts) from error
    ended = await _ending(saga, instruction.order_id, parts)
    if ended is not None:
        await parts.cache.put(ended)
        return Outcome(ended)
    recorded = await _recorded(saga, instruction.order_id, parts)
    if recorded is not None:
        return Outcome(recorded.as_answered)
    accepted = instruction.model_copy(update={"payment_id": saga.payment_id})
    return Outcome(Payment.pending(accepted), is_recorded=False)


async def _explained(
    refusal: PaymentError, instruction: PaymentInstruction, parts: Parts
) -> PaymentError:
    """The refusal; where the payment in progress has failed and is being published, its meaning."""
    if refusal.code is not ErrorCode.PAYMENT_IN_PROGRESS:
        return refusal
    with suppress(PaymentError):
        closing = await parts.payments.find_closing(instruction.order_id)
        if closing is not None:
            return closing.refusal_for(instruction.customer_id)
    return refusal


async def _ending(saga: Saga, order_id: UUID, parts: Parts) -> Payment | None:
    """The payment once its workflow has ended, or once its record says that its ending stands.

    The event may still be on its way then: callers do not wait for Kafka. A failure without an
    event is waited for: its workflow ends at once, and the order can be paid only after that.
    None if neither is so within the time that the API waits.
    """
    workflow = asyncio.create_task(parts.sagas.ending(saga))
    try:
        pause = FIRST_LOOK_SECONDS
        while not (await asyncio.wait({workflow}, timeout=pause))[0]:
            recorded = await _recorded(saga, order_id, parts)
            if recorded is not None and recorded.is_settled and recorded.has_event:
                return recorded
            pause = LOOK_SECONDS
        return await workflow
    finally:
        workflow.cancel()


async def _recorded(saga: Saga, order_id: UUID, parts: Parts) -> Payment | None:
    """The payment that the workflow processes: its own, or the success that holds the order.

    Also None while the database does not respond.
    """
    with suppress(PaymentError):
        own = await parts.payments.find(saga.payment_id)
        live = None if own else await parts.payments.find_live(order_id)
        return live if live is not None and live.is_final else own
    return None
