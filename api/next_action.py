"""What the customer of a waiting payment must do. It is read from the gateway for each response.

Everybody who has the address can act for the customer. So it is not recorded, and it is only in
responses to the payment's owner.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from api.schemas import PaymentBody, PaymentEnvelope
from domain.errors import PaymentError
from domain.gateways import at_gateway
from domain.optional import left_out_if
from domain.payment import Payment, PaymentStatus

TIMEOUT_SECONDS = 3.0
"""Time limit for reading the next action at the gateway. If the gateway takes longer, the API
responds without a next action. Chosen, not measured."""

ReadNextAction = Callable[[Payment], Awaitable[str | None]]
"""Reads the address to which the customer must go; None if the gateway does not wait any more.

Raises PaymentError(GATEWAY_UNAVAILABLE) if that is not known.
"""

log = logging.getLogger(__name__)


class NextAction(BaseModel):
    """What the customer must do before the payment goes on."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    type: Literal["redirect"] = "redirect"
    url: str = Field(
        repr=False,
        description="Where the customer's browser must go. It comes back by itself. Whoever has "
        "this address can act for the customer: do not store it.",
        json_schema_extra={"format": "uri"},
    )
    expires_at: datetime = Field(description="When the payment fails if nothing has been done.")


class WaitingEnvelope(PaymentEnvelope):
    """A response about a payment that may wait for its customer."""

    next_action: Annotated[
        NextAction | None,
        left_out_if(None),
        Field(description="Absent unless the payment waits for its customer."),
    ] = None

    @classmethod
    def of(
        cls, payment: Payment, message: str | None, action: NextAction | None = None
    ) -> dict[str, Any]:
        """The envelope for exact_json, without `nextAction` if there is none."""
        return cls(
            success=payment.status is PaymentStatus.SUCCEEDED,
            error_message=message,
            payment=PaymentBody.of(payment),
            next_action=action,
        ).model_dump(by_alias=True)


class Turn(NamedTuple):
    """Whether a payment waits for its customer, and what the customer must do."""

    is_customers: bool
    """False if the row or the gateway says that the payment does not wait; otherwise True."""
    action: NextAction | None = None
    """None if the payment does not wait, or if the gateway does not respond."""


class NextActions:
    """Reads the next action of a payment at the payment's gateway. Raises no PaymentError.

    Call it only for the payment's owner.
    """

    def __init__(self, readers: Mapping[str, ReadNextAction]) -> None:
        self._readers = readers

    async def __call__(self, payment: Payment) -> Turn:
        wait = payment.wait
        is_going_on = payment.status is PaymentStatus.PENDING and payment.compensation is None
        if wait is None or not is_going_on or datetime.now(UTC) >= wait.until:
            return Turn(is_customers=False)
        try:
            url = await self._read(payment)
        except (PaymentError, TimeoutError) as error:
            why = error.message if isinstance(error, PaymentError) else "it takes too long"
            log.warning("the next action of payment %s cannot be read: %s", payment.id, why)
            return Turn(is_customers=True)
        if url is None:
            return Turn(is_customers=False)
        return Turn(is_customers=True, action=NextAction(url=url, expires_at=wait.until))

    async def _read(self, payment: Payment) -> str | None:
        read = at_gateway(self._readers, payment.gateway)
        async with asyncio.timeout(TIMEOUT_SECONDS):
            return await read(payment)
