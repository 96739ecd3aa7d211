"""An attempt at a gateway that may hold money, although its payment has ended without it."""

from uuid import UUID

from pydantic import BaseModel, ConfigDict


class StrayAttempt(BaseModel):
    """An attempt that must be looked up, and undone if the gateway holds or has taken money."""

    model_config = ConfigDict(frozen=True)

    payment_id: UUID
    order_id: UUID
    gateway: str
    reference: str
    """The gateway's id of the attempt: the id of a PaymentIntent or a Checkout Session."""
