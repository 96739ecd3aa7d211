"""Makes the instruction for a new payment: its gateway, and how it may wait for its customer."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from api.schemas import PaymentRequest
from domain.customer_action import CustomerAction
from domain.gateways import TERMS, GatewayName
from domain.instruction import PaymentInstruction

PAYMENT_ID = "{paymentId}"
"""The placeholder for the payment's id in `Checkout.return_url`."""


class RefusedMemberError(ValueError):
    """A member of the request does not fit the gateway."""

    def __init__(self, member: str, message: str) -> None:
        self.member = member
        super().__init__(message)


@dataclass(frozen=True)
class Checkout:
    """The settings for new payments. Each instruction has a copy of what its payment needs."""

    gateway: str = GatewayName.SIMULATOR
    """The name of the gateway that charges new payments."""
    return_url: str | None = None
    """The shop's page for customers who come back. It contains `PAYMENT_ID` once.

    None: no payment waits for its customer."""
    wait_seconds: int = 600
    """How long a payment waits for its customer."""
    hosted: bool = False
    """Whether a payment without a token is made on the gateway's own page."""

    def instruction(self, asked: PaymentRequest, requested_at: datetime) -> PaymentInstruction:
        """The instruction for a new payment, with a new payment id, which never changes.

        Raises RefusedMemberError if the gateway needs a token, or does not take the amount.
        """
        terms = TERMS[self.gateway]
        token = asked.payment_method_token
        if terms.opens and token is None and not self.hosted:
            raise RefusedMemberError("paymentMethodToken", "must be given: cards have tokens here")
        try:
            terms.amounts.check(asked.amount)
        except ValueError as error:
            raise RefusedMemberError("amount", str(error)) from error
        new = PaymentInstruction(
            payment_id=uuid4(),
            order_id=asked.order_id,
            customer_id=asked.customer_id,
            reservation_id=asked.reservation_id,
            amount=asked.amount,
            payment_method=asked.payment_method,
            requested_at=requested_at,
            gateway=self.gateway,
            token=token if terms.opens else None,
        )
        return self.about(new, new.payment_id)

    def about(self, instruction: PaymentInstruction, payment_id: UUID) -> PaymentInstruction:
        """The same instruction with this payment id, which is also in its return URL."""
        action = self._customer_action(payment_id, has_token=instruction.token is not None)
        changes = {"payment_id": payment_id, "customer_action": action}
        return instruction.model_copy(update=changes)

    def _customer_action(self, payment_id: UUID, *, has_token: bool) -> CustomerAction | None:
        if self.return_url is None or not TERMS[self.gateway].opens:
            return None
        return CustomerAction(
            return_url=self.return_url.replace(PAYMENT_ID, str(payment_id)),
            wait_seconds=self.wait_seconds,
            hosted=self.hosted and not has_token,
        )
