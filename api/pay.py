"""The use cases of payments: pay an order, find a payment, cancel a payment."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID

from api.checkout import Checkout
from api.errors import STATUSES
from api.identity import Principal
from api.next_action import NextAction, NextActions, Turn
from api.ports import IdempotencyKeys, PaymentCache, Payments, PaymentWorkflows, RunningPayment
from api.row_reads import CustomerReads, RowReads
from db.idempotency import KeyClaim
from domain.errors import ErrorCode, PaymentError
from domain.instruction import PaymentInstruction
from domain.payment import Payment


class Outcome(NamedTuple):
    """A payment that has ended, or that is pending.

    It is pending if waiting for its end took too long, or if it waits for its customer.
    """

    payment: Payment
    replayed: bool = False
    is_recorded: bool = True
    """Whether it has a row already. If not, nothing was charged yet."""
    next_action: NextAction | None = None
    """What the customer must do, if the payment waits for its customer."""


@dataclass(frozen=True)
class PayOrder:
    """Pay an order, or repeat an earlier response for the same key or the same order."""

    payments: Payments
    keys: IdempotencyKeys
    workflows: PaymentWorkflows
    cache: PaymentCache
    next_actions: NextActions
    checkout: Checkout = field(default_factory=Checkout)
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

    async def holder_of(self, order_id: UUID, customer_id: UUID) -> Outcome | None:
        """The payment that holds the order; None if there is none.

        It has a next action only if it is a payment of this customer.
        """
        live = await self.payments.find_live(order_id)
        if live is None:
            return None
        turn = await self._turn(live, customer_id)
        return Outcome(live.as_shown_to_callers, next_action=turn.action)

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
            asked = self.checkout.about(instruction, claim.payment_id)
            instruction = asked.model_copy(update={"resumed": True})
        elif not earlier.is_final:
            instruction = earlier.to_resume(self.checkout.about(instruction, claim.payment_id))
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
        reached = await self._wait_for_end(running, instruction)
        if reached is not None:
            if reached.payment.is_final:
                await self.cache.put(reached.payment)
            return reached
        recorded = await self._recorded(running.payment_id, instruction.order_id)
        if recorded is not None:
            turn = await self._turn(recorded, instruction.customer_id)
            return Outcome(recorded.as_shown_to_callers, next_action=turn.action)
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

    async def _wait_for_end(
        self, running: RunningPayment, instruction: PaymentInstruction
    ) -> Outcome | None:
        """Wait until the workflow has ended, or until the row is enough for a response.

        Callers do not wait until Kafka has the event: an irrevocable ending is enough. But if the
        payment has failed without an event, they wait for the workflow: it ends soon, and the order
        cannot be paid before. If the payment waits for its customer, callers get the response at
        once. Returns None if the API's waiting time ends first.
        """
        workflow = asyncio.ensure_future(running.wait_for_end())
        reads = self.reads if instruction.customer_action is None else CustomerReads()
        has_asked = False
        try:
            for pause in reads.pauses():
                if (await asyncio.wait({workflow}, timeout=pause))[0]:
                    break
                recorded = await self._recorded(running.payment_id, instruction.order_id)
                if recorded is not None and recorded.is_irrevocable and recorded.has_event:
                    reads.note(are_useful=True)
                    return Outcome(recorded)
                if recorded is not None and recorded.wait is not None and not has_asked:
                    turn = await self._turn(recorded, instruction.customer_id)
                    if turn.is_customers:
                        return Outcome(recorded, next_action=turn.action)
                    has_asked = True  # the gateway goes on without the customer
            ended = await workflow
            if ended is not None and ended.has_event:
                reads.note(are_useful=False)
            return Outcome(ended) if ended is not None else None
        finally:
            workflow.cancel()

    async def _turn(self, payment: Payment, customer_id: UUID) -> Turn:
        """Whether the payment waits for its customer. No other customer gets its next action."""
        if payment.customer_id != customer_id:
            return Turn(is_customers=False)
        return await self.next_actions(payment)

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
    next_actions: NextActions

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

    async def next_action(self, payment: Payment) -> NextAction | None:
        """What the customer must do, if the payment waits for its customer.

        Call it only for a payment that the caller may read.
        """
        return (await self.next_actions(payment)).action


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
