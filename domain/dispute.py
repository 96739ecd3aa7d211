"""A charge that the customer's bank has taken back, or may take back."""

from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class Dispute(BaseModel):
    """A dispute that operators must see. Its state is read at the gateway."""

    model_config = ConfigDict(frozen=True)

    gateway: str
    reference: str
    """The gateway's id of the dispute."""
    attempt: str
    """The gateway's id of the disputed attempt, which may be of another program's payment."""


class DisputeState(StrEnum):
    INQUIRY = "inquiry"
    """The bank asks, and has taken no money. A full refund ends it."""
    OPEN = "open"
    """We must respond to it at the gateway, or the bank is considering our response."""
    LOST = "lost"
    """The customer's bank keeps the money."""
    WON = "won"
    """We have the money, or it was never taken."""


class FoundDispute(BaseModel):
    """The state of a dispute, and the payment of ours that it is about."""

    model_config = ConfigDict(frozen=True)

    state: DisputeState
    payment_id: UUID
    order_id: UUID
