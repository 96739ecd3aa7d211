"""The step that waits for the customer: for 3-D Secure, or for the payment on a hosted page."""

from contextlib import suppress
from datetime import datetime, timedelta

from temporalio import workflow

from domain.customer_action import Wait
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeState
from domain.instruction import PaymentInstruction
from workflows.cancellation import raise_if_cancelled
from workflows.gateway_changes import GatewayChanges
from workflows.operator_view import OperatorView
from workflows.order_check import OrderCheck
from workflows.pauses import LOOKS
from workflows.payment_steps import PaymentSteps
from workflows.policies import LOOK_TIME

CAPTURE_TIME = timedelta(seconds=15)
"""The time between the end of the wait and the end of the reservation: enough to verify the order
again and to capture. Chosen, not measured."""
LAST_LOOK_TIME = timedelta(seconds=10)
"""Time limit of the look at the end of the wait. A customer who has acted by then is in time.
Chosen, not measured."""
STEP = "customer"


class CustomerWait:
    """The wait of one payment.

    It looks at the attempt after each event of the gateway, and also without events, at growing
    intervals. At its end the payment fails, also if the gateway does not respond: the attempt is
    then voided until that is certain, so what the customer does later costs nothing.
    """

    def __init__(
        self,
        instruction: PaymentInstruction,
        steps: PaymentSteps,
        view: OperatorView,
        changes: GatewayChanges,
    ) -> None:
        self._instruction = instruction
        self._steps = steps
        self._view = view
        self._changes = changes
        self.recorded: Wait | None = None
        """The recorded wait. Later runs do not change its end, which customers have seen."""

    async def until_acted(self, reference: str, check: OrderCheck) -> Charge:
        """Wait until the customer has acted. Returns the attempt.

        The wait is recorded first, so that the API can show the next action. Raises PaymentError:
        PROCESSOR_TIMEOUT if the customer has not acted in time, PAYMENT_CANCELLED, and the errors
        of `record_wait`.
        """
        with self._view.step(STEP):
            until = await self._record(check)
            self._view.waits(STEP, f"has time until {until:%Y-%m-%d %H:%M:%S} UTC")
            charge = await self._look_until(until, reference)
        if charge.state is ChargeState.VOIDED:
            raise _too_late()
        return charge

    async def _record(self, check: OrderCheck) -> datetime:
        """Record the wait, unless an earlier run did. Returns when it ends."""
        action = self._instruction.customer_action
        if self.recorded is None and action is not None:
            now = workflow.now()
            until = check.before_expiry(now + timedelta(seconds=action.wait_seconds), CAPTURE_TIME)
            recorded = await self._steps.record_wait(Wait(since=now, until=until))
            recorded.raise_unless_pending()
            self.recorded = recorded.wait
        return self.recorded.until if self.recorded else workflow.now()

    def raise_if_over(self) -> None:
        """Raises PaymentError(PROCESSOR_TIMEOUT) if the wait of an earlier run is over.

        The customer may have acted after its end.
        """
        if self.recorded is not None and workflow.now() > self.recorded.until + LAST_LOOK_TIME:
            raise _too_late()

    async def _look_until(self, until: datetime, reference: str) -> Charge:
        """Look until the attempt does not wait any more, for the last time at `until`."""
        pause = LOOKS.first
        while (left := until - workflow.now()) > timedelta(0):
            await self._changes.wait(min(pause, left), "look at the attempt by ourselves")
            raise_if_cancelled()
            charge = await self._look(reference, until - workflow.now())
            if charge is not None and charge.state is not ChargeState.WAITING:
                return charge
            pause = min(2 * pause, LOOKS.longest)
        raise _too_late()

    async def _look(self, reference: str, left: timedelta) -> Charge | None:
        """The attempt as it is now; None if the gateway does not respond, or does not know it."""
        within = min(LOOK_TIME, max(left, timedelta(0)) + LAST_LOOK_TIME)
        with suppress(PaymentError):
            return await self._steps.look_at_charge(reference, within=within)
        return None


def _too_late() -> PaymentError:
    return PaymentError(
        ErrorCode.PROCESSOR_TIMEOUT,
        "The customer did not confirm the payment in time. Nothing was charged.",
    )
