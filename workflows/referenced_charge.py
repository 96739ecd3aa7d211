"""The charge of one payment at a gateway that finds it by its own id only, the reference.

Open an attempt, which moves no money; record its reference; authorize; capture. Nothing that can
move money is sent before the reference is recorded. So a payment without a recorded reference has
captured nothing, and any other is looked up by its reference.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial

from domain.errors import ErrorCode, PaymentError
from domain.gateway import ENDED, NOT_MADE, Charge, ChargeState, verify_charge
from domain.instruction import PaymentInstruction
from domain.payment import Payment
from workflows.cancellation import raise_if_cancelled, unless_cancelled
from workflows.charging import PaymentCharge
from workflows.compensation import until_done
from workflows.customer_wait import CustomerWait
from workflows.gateway_changes import GatewayChanges
from workflows.operator_view import OperatorView
from workflows.order_check import OrderCheck
from workflows.payment_steps import PaymentSteps


def charge_of(
    instruction: PaymentInstruction,
    steps: PaymentSteps,
    view: OperatorView,
    changes: GatewayChanges,
) -> PaymentCharge:
    """The kind of charge that the payment's gateway needs."""
    if not instruction.terms.opens:
        return PaymentCharge(instruction, steps, view.needs_attention)
    wait = CustomerWait(instruction, steps, view, changes)
    return ReferencedCharge(instruction, steps, view.needs_attention, wait)


class ReferencedCharge(PaymentCharge):
    def __init__(
        self,
        instruction: PaymentInstruction,
        steps: PaymentSteps,
        on_failure: Callable[[PaymentError], None],
        wait: CustomerWait,
    ) -> None:
        super().__init__(instruction, steps, on_failure)
        self._wait = wait
        self._reference: str | None = None
        """The gateway's id of the attempt that is recorded."""
        self._attempt: Charge | None = None
        """The latest response about the attempt with this reference."""
        self._opened: str | None = None
        """The reference of an attempt that this run has opened. It may not be recorded."""
        self._is_unsent = False
        """Whether it is certain that no run has sent anything that can move money."""

    @property
    def may_be_captured(self) -> bool:
        """Whether the attempt is, or may be, captured; also true if it must only be voided.

        The step that voids an attempt refunds it if it is captured. A late try of that step could
        refund what the next run has captured. So the compensation is recorded first in both cases.
        """
        if self.response is not None and self.response.state in ENDED:
            return self.response.state is ChargeState.CAPTURED
        has_attempt = (self._reference or self._opened) is not None
        return has_attempt or not self._is_unsent

    @property
    def was_slow(self) -> bool:
        return self._took_long

    def noted_on(self, payment: Payment) -> Payment:
        return payment.referring(self._reference).waiting(self._wait.recorded)

    async def look_up(self) -> Charge | None:
        """Look up the recorded attempt. None if there is none, or if it is not captured yet.

        In the second case `make` goes on with it.
        """
        await self._read_reference()
        if self._reference is None:
            self._is_unsent = True
            return None
        find = partial(self._steps.find_charge, self._reference)
        self._attempt = await until_done(find, on_failure=self._on_failure)
        if self._attempt is not None and self._attempt.state not in NOT_MADE:
            self.response = self._attempt
        return self.response

    async def make(self, check: OrderCheck) -> Charge:
        """Charge once. Nothing that an earlier run has done is repeated.

        Raises PaymentError if the order or the reservation has changed, or if it was cancelled,
        before the money is captured.
        """
        if self._attempt is None or self._attempt.state is ChargeState.OPEN:
            reference = await self._open(check)
            check.raise_if_expired()
            raise_if_cancelled()
            self._attempt = await self._authorize(reference, check)
        if self._attempt.state is ChargeState.WAITING:
            self._attempt = await self._wait.until_acted(self._reference or "", check)
            self._took_long = True
        elif self._attempt.state is ChargeState.AUTHORIZED:
            self._wait.raise_if_over()
        if self._attempt.state is ChargeState.AUTHORIZED:
            await self._verify_again_if_slow(check)
            reference = self._reference or ""
            capture = partial(self._steps.capture, reference, within=check.charge_budget)
            self._attempt = await self._send(capture, reference)
        self.response = self._attempt
        return self.response

    async def refund(self) -> None:
        """Void the attempt until it has ended. If it was captured, refund it."""
        if not self.may_be_captured:
            return
        if self._reference is None and not self._is_unsent:
            await self._read_reference()
        if reference := self._reference or self._opened:
            refund = partial(self._steps.refund, reference)
            self.response = await until_done(refund, on_failure=self._on_failure)

    async def _read_reference(self) -> None:
        recorded = await until_done(self._steps.find_payment, on_failure=self._on_failure)
        self._reference = recorded.gateway_reference if recorded is not None else None
        self._wait.recorded = recorded.wait if recorded is not None else None

    async def _open(self, check: OrderCheck) -> str:
        """The recorded reference of the payment's attempt. Opens an attempt if there is none.

        Raises PaymentError(PROCESSOR_TIMEOUT) if the payment is too old or has no token, and
        PaymentError if no attempt was opened, or if another run undoes or has ended the payment.
        """
        self._is_unsent = self._reference is None
        self._refuse_if_too_old()
        if not self._instruction.can_be_charged:
            raise PaymentError(
                ErrorCode.PROCESSOR_TIMEOUT,
                "The payment was interrupted, and the card's token is gone. Nothing was charged.",
            )
        if self._reference is None:
            self._opened = await self._open_anew(check)
            recorded = await self._steps.record_reference(self._opened)
            self._reference = recorded.gateway_reference
            recorded.raise_unless_pending()
        return self._reference or ""

    async def _authorize(self, reference: str, check: OrderCheck) -> Charge:
        """Send the card's token. Without one, the customer gives the card on the gateway's page."""
        if self._instruction.token is None:
            return Charge(
                key=self._instruction.charge_request.key,
                state=ChargeState.WAITING,
                reference=reference,
            )
        authorize = partial(self._steps.authorize, reference, within=check.charge_budget)
        return await self._send(authorize, reference)

    async def _open_anew(self, check: OrderCheck) -> str:
        try:
            return await self._steps.open_charge(within=check.charge_budget)
        except PaymentError as error:
            unopened = Charge(key=self._instruction.charge_request.key, state=ChargeState.VOIDED)
            verify_charge(unopened.explained_by(error))
            raise

    async def _verify_again_if_slow(self, check: OrderCheck) -> None:
        """Before the capture: raises PaymentError if the order may not be paid any more."""
        if self._took_long or check.is_old:
            fail = unless_cancelled(self._on_failure)
            await check.verify_again(fail, holds_for=timedelta(0))
            self._took_long = False
        check.raise_if_expired()
        raise_if_cancelled()

    async def _send(self, step: Callable[[], Awaitable[Charge]], reference: str) -> Charge:
        """Send what can move money. If the outcome is unknown, void the attempt unless captured."""
        self._is_unsent = False
        try:
            charge = await step()
        except PaymentError as error:
            self._took_long = True
            resolve = partial(self._steps.resolve_charge, reference)
            resolved = await until_done(resolve, on_failure=self._on_failure)
            return resolved.explained_by(error)
        self._took_long |= charge.tries > 1
        return charge
