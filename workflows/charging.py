"""The charge of one payment in one workflow run: make it, look it up, refund it."""

from collections.abc import Callable

from temporalio import workflow

from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeState
from domain.instruction import PaymentInstruction
from domain.payment import Payment
from workflows.compensation import until_done
from workflows.order_check import OrderCheck
from workflows.payment_steps import PaymentSteps


class PaymentCharge:
    """The charge of one payment.

    `on_failure` is called after each look-up, void or refund without a response.
    """

    def __init__(
        self,
        instruction: PaymentInstruction,
        steps: PaymentSteps,
        on_failure: Callable[[PaymentError], None],
    ) -> None:
        self._instruction = instruction
        self._steps = steps
        self._on_failure = on_failure
        self._took_long = False
        """Whether what was verified before the charge may have changed: the outcome was unknown at
        first, or there was more than one try, or the payment has waited for its customer."""
        self.response: Charge | None = None
        """The latest response of the gateway; None if there is none, or if it knows no charge."""

    @property
    def may_be_captured(self) -> bool:
        """Whether the charge is, or may be, captured and not refunded."""
        return self.response is None or self.response.state is ChargeState.CAPTURED

    @property
    def is_refunded(self) -> bool:
        return self.response is not None and self.response.state is ChargeState.REFUNDED

    @property
    def was_slow(self) -> bool:
        """Whether the charge took more than one try, or its outcome was unknown at first."""
        return self._took_long or (self.response is not None and self.response.tries > 1)

    async def look_up(self) -> Charge | None:
        """Look up the charge at the gateway; None if the gateway does not know it."""
        self.response = await until_done(self._steps.find_charge, on_failure=self._on_failure)
        return self.response

    async def make(self, check: OrderCheck) -> Charge:
        """Charge once. If the outcome is unknown, void the charge unless it was captured."""
        try:
            self._refuse_if_too_old()
            self.response = await self._steps.charge(within=check.charge_budget)
        except PaymentError as error:
            self._took_long = True
            resolved = await until_done(self._steps.resolve_charge, on_failure=self._on_failure)
            self.response = resolved.explained_by(error)
        return self.response

    async def refund(self) -> None:
        """Refund the charge if it may be captured."""
        if self.may_be_captured:
            self.response = await until_done(self._steps.refund, on_failure=self._on_failure)

    def noted_on(self, payment: Payment) -> Payment:
        """The payment, with what the row says of its attempt at the gateway."""
        return payment

    def _refuse_if_too_old(self) -> None:
        """Raises PaymentError(PROCESSOR_TIMEOUT) if the gateway may have forgotten the key.

        Only a payment whose workflow was lost, or that waited long for a worker, is that old.
        """
        asked = self._instruction
        is_old = workflow.now() - asked.requested_at > asked.terms.chargeable_for
        if is_old and workflow.patched("charge-keys-are-forgotten"):
            error = PaymentError(
                ErrorCode.PROCESSOR_TIMEOUT,
                "The payment was requested too long ago to be charged. Nothing was charged.",
            )
            self._on_failure(error)
            raise error
