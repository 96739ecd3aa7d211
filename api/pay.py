"""The use cases of payments: pay an order, find a payment, cancel a payment."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

from api.errors import STATUSES
from api.identity import Principal
from api.ports import IdempotencyKeys, PaymentCache, Payments, PaymentWorkflows, RunningPayment
from api.row_reads import RowReads
from db.idempotency import KeyClaim
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment, PaymentInstruction


class Outcome(NamedTuple):
    """A payment that has ended, or is pending because waiting for it took too long."""

    payment: Payment
    replayed: bool = False
    is_recorded: bool = True
    """Whether it has a row already. If not, nothing was charged yet."""


@dataclass(frozen=True)
class PayOrder:
    """Pay an order, or repeat an earlier response for the same key or the same order."""

    payments: Payments
    keys: IdempotencyKeys
    workflows: PaymentWorkflows
    cache: PaymentCache
    reads: RowReads = field(default_factory=RowReads)

    async def __call__(self, instruction: PaymentInstruction, key: str | None) -> Outcome:
        """Pay the order under the caller's `Idempotency-Key`, if it has sent one.

        Raises PaymentError: PAYMENT_IN_PROGRESS if a different payment of the order is running,
        IDEMPOTENCY_KEY_REUSED if the key came with a different request before, and the codes of
        the ports while a dependency is down.
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
            with suppress(PaymentError):  # the response is right even if this fails
                await self.keys.reassign(claim, outcome.payment.id)
        return outcome

    async def _repeat(self, instruction: PaymentInstruction, claim: KeyClaim) -> Outcome:
        """The outcome for a key that an earlier request had.

        If the order is paid, this is the payment that paid it. Otherwise it is the recorded
        payment, or the result of a new try.
        """
        paid = await self._success_of(instruction.order_id)
        if paid is not None:
            return Outcome(paid, replayed=paid.id == claim.payment_id)
        earlier = await self.payments.find(claim.payment_id)
        if earlier is not None and _is_replayed(earlier):
            return Outcome(earlier, replayed=True)
        if earlier is None:  # its workflow may have been lost before it had recorded the payment
            again = {"payment_id": claim.payment_id, "resumed": True}
            instruction = instruction.model_copy(update=again)
        elif not earlier.is_final:
            instruction = earlier.to_resume()
        return await self._start(instruction)

    async def _pay(self, instruction: PaymentInstruction) -> Outcome:
        paid = await self._success_of(instruction.order_id)
        return Outcome(paid) if paid is not None else await self._start(instruction)

    async def _success_of(self, order_id: UUID) -> Payment | None:
        """The payment that has paid the order; None while it can still be undone."""
        live = await self.payments.find_live(order_id)
        return live if live is not None and live.is_irrevocable else None

    async def _start(self, instruction: PaymentInstruction) -> Outcome:
        try:
            running = await self.workflows.start_or_join(instruction)
        except PaymentError as error:
            raise await self._refusal_or_closing(error, instruction) from error
        ended = await self._wait_for_end(running, instruction.order_id)
        if ended is not None:
            await self.cache.put(ended)
            return Outcome(ended)
        recorded = await self._recorded(running.payment_id, instruction.order_id)
        if recorded is not None:
            return Outcome(recorded.as_shown_to_callers)
        accepted = instruction.model_copy(update={"payment_id": running.payment_id})
        return Outcome(Payment.pending(accepted), is_recorded=False)

    async def _refusal_or_closing(
        self, refusal: PaymentError, instruction: PaymentInstruction
    ) -> PaymentError:
        """The refusal; or, if the payment in progress has closed the order, the error for that."""
        if refusal.code is not ErrorCode.PAYMENT_IN_PROGRESS:
            return refusal
        with suppress(PaymentError):
            closing = await self.payments.find_closing(instruction.order_id)
            if closing is not None:
                return closing.refusal_for(instruction.customer_id)
        return refusal

    async def _wait_for_end(self, running: RunningPayment, order_id: UUID) -> Payment | None:
        """Wait until the workflow has ended, or until the row has an irrevocable ending.

        Callers do not wait until Kafka has the event. But if the payment has failed without an
        event, they wait for the workflow: it ends soon, and the order cannot be paid before.
        Returns None if the API's waiting time ends first.
        """
        workflow = asyncio.ensure_future(running.wait_for_end())
        try:
            for pause in self.reads.pauses():
                if (await asyncio.wait({workflow}, timeout=pause))[0]:
                    break
                recorded = await self._recorded(running.payment_id, order_id)
                if recorded is not None and recorded.is_irrevocable and recorded.has_event:
                    self.reads.note(are_useful=True)
                    return recorded
            ended = await workflow
            if ended is not None and ended.has_event:
                self.reads.note(are_useful=False)
            return ended
        finally:
            workflow.cancel()

    async def _recorded(self, payment_id: UUID, order_id: UUID) -> Payment | None:
        """The payment that the workflow processes: its own, or the success that holds the order.

        None if there is none, or while the database does not respond.
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

        Raises PaymentError(PAYMENT_NOT_FOUND) also for another customer's payment, so that callers
        cannot learn that it exists.
        """
        return _owned(caller, await self.payments.find(payment_id))

    async def cached(self, payment_id: UUID, caller: Principal) -> Payment:
        """The payment as `__call__` returns it, but read from the cache if it is there.

        The cache has only payments that can no longer change.
        """
        found = await self.cache.get(payment_id) or await self.payments.find(payment_id)
        return _owned(caller, found)


@dataclass(frozen=True)
class CancelPayment:
    """Request to cancel a payment."""

    payments: Payments
    workflows: PaymentWorkflows

    async def __call__(self, payment: Payment) -> None:
        """Request to cancel it. The payment's final status shows whether it was cancelled.

        Raises PaymentError(PAYMENT_ENDED) if the payment can no longer be cancelled.
        """
        _refuse_if_ended(payment)
        try:
            await self.workflows.cancel(payment)
        except PaymentError:
            _refuse_if_ended(await self.payments.find(payment.id))  # it may have ended by now
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
