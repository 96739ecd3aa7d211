"""What a customer must do at the gateway before the payment can be captured."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict


class CustomerAction(BaseModel):
    """How a payment may wait for its customer. A payment without this never waits."""

    model_config = ConfigDict(frozen=True)

    return_url: str
    """The URL to which the gateway sends the customer's browser afterwards."""
    wait_seconds: int
    """How long the payment waits. After that, it fails, and nothing is charged."""
    hosted: bool = False
    """Whether the customer gives the card on the gateway's own page, and may try several."""


class Wait(BaseModel):
    """The time in which a payment waits for its customer, or has waited."""

    model_config = ConfigDict(frozen=True)

    since: datetime
    until: datetime
