"""What a caller asks for: the instruction for a payment, complete before anything happens."""

from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256
from typing import Annotated
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from domain.customer_action import CustomerAction
from domain.gateway import ChargeRequest
from domain.gateways import TERMS, GatewayName, GatewayTerms
from domain.money import Money
from domain.names import charge_key
from domain.optional import left_out_if


class PaymentMethod(StrEnum):
    CREDIT_CARD = "credit_card"
    DEBIT_CARD = "debit_card"
    WALLET = "wallet"
    BANK_TRANSFER = "bank_transfer"


RecordedMethod = Annotated[PaymentMethod | str, Field(union_mode="left_to_right")]
"""A recorded method. If only another version of this service knows it, it is read as text."""


RESERVATION_WAIT_SECONDS = 300
"""Long enough for a restart of Inventory, short enough for a caller. Chosen, not measured."""


PAGE_TIME = timedelta(hours=23, minutes=45)
"""How long after the request the gateway's own page closes by itself. Stripe allows 24 hours from
its creation, and no less than 30 minutes (https://docs.stripe.com/api/checkout/sessions/create). A
page is opened within 23 hours (`chargeable_for`)."""


class PaymentInstruction(BaseModel):
    """What the caller asked for. It is complete, with the payment's id, before anything happens."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True)

    payment_id: UUID
    order_id: UUID
    customer_id: UUID
    reservation_id: UUID | None
    amount: Money
    payment_method: RecordedMethod
    requested_at: datetime
    resumed: bool = False
    """Whether an earlier run was lost. It may have charged: this run keeps, refunds or voids that
    charge before it ends."""
    reservation_wait_seconds: int = RESERVATION_WAIT_SECONDS
    """How long Inventory is tried again while it does not respond; then the payment fails."""
    gateway: Annotated[str, left_out_if(GatewayName.SIMULATOR)] = GatewayName.SIMULATOR
    """A name in `domain.gateways.TERMS`."""
    token: Annotated[str | None, left_out_if(None)] = Field(default=None, repr=False)
    """The token that the gateway's script has made for the card. It is recorded only in the input
    of the workflow, so a run that is started without its caller has none."""
    customer_action: Annotated[CustomerAction | None, left_out_if(None)] = None
    """How the payment may wait for its customer. It is recorded only where the token is."""

    @property
    def terms(self) -> GatewayTerms:
        return TERMS[self.gateway]

    @property
    def reservation_wait(self) -> timedelta:
        return timedelta(seconds=self.reservation_wait_seconds)

    @property
    def charge_request(self) -> ChargeRequest:
        return ChargeRequest(
            key=charge_key(self.payment_id),
            payment_id=self.payment_id,
            order_id=self.order_id,
            amount=self.amount,
            payment_method=self.payment_method,
            gateway=self.gateway,
            customer_action=self.customer_action,
            page_until=self.requested_at + PAGE_TIME if self._has_page else None,
        )

    @property
    def _has_page(self) -> bool:
        return self.customer_action is not None and self.customer_action.hosted

    @property
    def can_be_charged(self) -> bool:
        """Whether a new attempt has a card, or will get one on the gateway's own page."""
        return self.token is not None or self._has_page

    @property
    def fingerprint(self) -> str:
        """A hash of what the caller asked for, without the time and the payment's id."""
        asked = self.model_dump_json(exclude=_NOT_ASKED_FOR)
        return sha256(asked.encode()).hexdigest()


_NOT_ASKED_FOR = {
    "payment_id",
    "requested_at",
    "resumed",
    "reservation_wait_seconds",
    "gateway",
    "token",
    "customer_action",
}
"""Members of an instruction that say nothing about what the caller wants to pay. A caller that
repeats a request may send another token of the same card."""
