"""The use cases of payments: pay an order, find a payment, cancel a payment."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

from api.errors import STATUSES
from api.identity import Principal
from api.ports import IdempotencyKeys, PaymentCache, Payments, PaymentWorkflows, RunningPayment
from db.idempotency import KeyClaim
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentInstruction

FIRST_READ_SECONDS = 1.0
"""Longer than most payments take, so that the row is rarely read. If Kafka is down, the row says by
then that publishing has begun, so that callers get a response within three seconds. With 2 s, 32
callers got 76 % of the usual rate while Kafka was away: each of them waited for most of it."""
READ_PAUSE_SECONDS = 1.0
"""Between two reads of a payment that takes long. Chosen, not measured."""


class Outcome(NamedTuple):
    """A payment that has ended, or is pending because waiting for it took too long."""

    payment: Payment
    replayed: bool = False
    is_recorded: bool = True
    """Whether it can be read by now; if not, nothing has happened yet that costs money."""


@dataclass(frozen=True)
class PayOrder:
    """Pay an order, or repeat the response that its key or its order has got before."""

    payments: Payments
    keys: IdempotencyKeys
    workflows: PaymentWorkflows
    cache: PaymentCache

    async def __call__(self, instruction: PaymentInstruction, key: str | None) -> Outcome:
        """Pay the order under the caller's `Idempotency-Key`, if it has sent one.

        Raises PaymentError if a different payment of the order runs (PAYMENT_IN_PROGRESS), if the
        key came with another request before (IDEMPOTENCY_KEY_REUSED), or if a dependency is down.
        """
        if key is None:
            return await self._pay(instruction)
        claim = await self.keys.claim(_claim(instruction, key))
        if claim.fingerprint != instruction.fingerprint:
            raise PaymentError(
                ErrorCode.IDEMPOTENCY_KEY_REUSED,
                "This Idempotency-Key came with another request before. Use a new key.",
            )
        if claim.payment_id == instruction.payment_id:
            outcome = await self._pay(instruction)
        else:
            outcome = await self._repeat(instruction, claim)
        if outcome.payment.id != claim.payment_id:
            with suppress(PaymentError):  # the response is right, whatever the key stands for
                await self.keys.reassign(claim, outcome.payment.id)
        return outcome

    async def _repeat(self, instruction: PaymentInstruction, claim: KeyClaim) -> Outcome:
        """Respond to a key that came before: with the order's success, else as before."""
        paid = await self._success_of(instruction.order_id)
        if paid is not None:
            return Outcome(paid, replayed=paid.id == claim.payment_id)
        earlier = await self.payments.find(claim.payment_id)
        if earlier is not None and _is_replayed(earlier):
            return Outcome(earlier, replayed=True)
        if earlier is None:  # its workflow may have been lost
            again = {"payment_id": claim.payment_id, "resumed": True}
            instruction = instruction.model_copy(update=again)
        elif not earlier.is_final:
            instruction = earlier.to_resume()
        return await self._start(instruction)

    async def _pay(self, instruction: PaymentInstruction) -> Outcome:
        paid = await self._success_of(instruction.order_id)
        return Outcome(paid) if paid is not None else await self._start(instruction)

    async def _success_of(self, order_id: UUID) -> Payment | None:
        """The success that has paid the order, once it can no longer be undone."""
        live = await self.payments.find_live(order_id)
        return live if live is not None and live.is_irrevocable else None

    async def _start(self, instruction: PaymentInstruction) -> Outcome:
        try:
            running = await self.workflows.start_or_join(instruction)
        except PaymentError as error:
            raise await self._explained(error, instruction) from error
        ended = await self._ended(running, instruction.order_id)
        if ended is not None:
            await self.cache.put(ended)
            return Outcome(ended)
        recorded = await self._recorded(running.payment_id, instruction.order_id)
        if recorded is not None:
            return Outcome(recorded.as_answered)
        accepted = instruction.model_copy(update={"payment_id": running.payment_id})
        return Outcome(Payment.pending(accepted), is_recorded=False)

    async def _explained(
        self, refusal: PaymentError, instruction: PaymentInstruction
    ) -> PaymentError:
        """The refusal; or, if the payment in progress has failed, that it closes the order."""
        if refusal.code is not ErrorCode.PAYMENT_IN_PROGRESS:
            return refusal
        with suppress(PaymentError):
            closing = await self.payments.find_closing(instruction.order_id)
            if closing is not None:
                return closing.refusal_for(instruction.customer_id)
        return refusal

    async def _ended(self, running: RunningPayment, order_id: UUID) -> Payment | None:
        """The payment once its workflow has ended, or once its record says that it cannot change.

        The event may still be on its way then: callers do not wait for Kafka. A failure without an
        event is waited for: its workflow ends at once, and the order can be paid only after that.
        None if neither is so within the time that the API waits.
        """
        workflow = asyncio.ensure_future(running.ended())
        try:
            pause = FIRST_READ_SECONDS
            while not (await asyncio.wait({workflow}, timeout=pause))[0]:
                recorded = await self._recorded(running.payment_id, order_id)
                if recorded is not None and recorded.is_irrevocable and recorded.has_event:
                    return recorded
                pause = READ_PAUSE_SECONDS
            return await workflow
        finally:
            workflow.cancel()

    async def _recorded(self, payment_id: UUID, order_id: UUID) -> Payment | None:
        """The payment that the workflow processes: its own, or the success that holds the order.

        Also None while the database does not respond.
        """
        with suppress(PaymentError):
            own = await self.payments.find(payment_id)
            live = None if own else await self.payments.find_live(order_id)
            return live if live is not None and live.is_final else own
        return None


@dataclass(frozen=True)
class FindPayment:
    """Find a payment for a caller."""

    payments: Payments
    cache: PaymentCache

    async def __call__(self, payment_id: UUID, caller: Principal) -> Payment:
        """The payment as it is recorded.

        Raises PaymentError(PAYMENT_NOT_FOUND) also for a payment of somebody else, so that nobody
        learns of it.
        """
        return _owned(caller, await self.payments.find(payment_id))

    async def cached(self, payment_id: UUID, caller: Principal) -> Payment:
        """The payment from the cache, which has only payments that can no longer change."""
        found = await self.cache.get(payment_id) or await self.payments.find(payment_id)
        return _owned(caller, found)


@dataclass(frozen=True)
class CancelPayment:
    """Request that a payment is undone."""

    payments: Payments
    workflows: PaymentWorkflows

    async def __call__(self, payment: Payment) -> None:
        """Request it. The payment's final status shows whether it took effect.

        Raises PaymentError(PAYMENT_ENDED) if the payment can no longer be cancelled.
        """
        _refuse_if_ended(payment)
        try:
            await self.workflows.cancel(payment)
        except PaymentError:
            _refuse_if_ended(await self.payments.find(payment.id))  # meanwhile
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


def _owned(caller: Principal, payment: Payment | None) -> Payment:
    if payment is None or not caller.acts_for(payment.customer_id):
        raise PaymentError(ErrorCode.PAYMENT_NOT_FOUND, "There is no such payment.")
    return payment


def _claim(instruction: PaymentInstruction, key: str) -> KeyClaim:
    caller = f"customer:{instruction.customer_id}"
    return KeyClaim(caller, key, instruction.fingerprint, instruction.payment_id)


def _is_replayed(payment: Payment) -> bool:
    """Whether the recorded response is repeated: yes, unless a new try may end differently."""
    if payment.error_code is None:
        return payment.is_irrevocable
    if payment.error_code is ErrorCode.PAYMENT_IN_PROGRESS:
        return False
    if payment.closes_its_order:
        return True
    code = ErrorCode.read(payment.error_code, ErrorCode.PROCESSOR_ERROR)
    return STATUSES[code] < HTTPStatus.INTERNAL_SERVER_ERROR
