"""Reads an event of Stripe: which object it is about, and nothing of that object's state.

https://docs.stripe.com/api/events/object, https://docs.stripe.com/api/events/types.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool
from pydantic_core import from_json

OBJECTS: Mapping[str, str] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "payment_intent.amount_capturable_updated",
                "payment_intent.canceled",
                "payment_intent.payment_failed",
                "payment_intent.processing",
                "payment_intent.requires_action",
                "payment_intent.succeeded",
            ),
            "payment_intent",
        ),
        **dict.fromkeys(
            ("checkout.session.completed", "checkout.session.expired"), "checkout.session"
        ),
        **dict.fromkeys(("refund.failed", "refund.updated"), "refund"),
        **dict.fromkeys(
            (
                "charge.dispute.closed",
                "charge.dispute.created",
                "charge.dispute.funds_reinstated",
                "charge.dispute.funds_withdrawn",
                "charge.dispute.updated",
            ),
            "dispute",
        ),
    }
)
"""The event types that are handled, with the type of their object. All others are ignored."""
MEANS_MONEY = frozenset(
    {
        "payment_intent.amount_capturable_updated",
        "payment_intent.processing",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "refund.failed",
        "refund.updated",
    }
)
"""The types after which Stripe may hold or have taken money that we have not recorded."""

_Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,255}$")]


class UnreadableEventError(Exception):
    """The body is not an event. The message contains nothing of the body."""


class _Members(BaseModel):
    """Ignores members that it does not declare."""

    model_config = ConfigDict(frozen=True, strict=True, hide_input_in_errors=True)


class Subject(_Members):
    """The object that an event is about."""

    id: _Id
    object: str
    payment_intent: _Id | None = None
    metadata: dict[str, str] | None = None

    @property
    def attempt(self) -> str:
        """The id of the PaymentIntent if the object has one, otherwise the id of the object."""
        return self.payment_intent or self.id


class Event(_Members):
    id: _Id
    type: Annotated[str, Field(min_length=1, max_length=255)]
    livemode: StrictBool
    account: str | None = None
    """The id of the connected account of the event. Events of our own account have none."""
    subject: Subject | None = None
    """The object of the event; None if events of this type are ignored."""

    @property
    def kind(self) -> str | None:
        """The type of the object; None if events of this type are ignored."""
        return OBJECTS.get(self.type)

    @property
    def may_mean_money(self) -> bool:
        return self.type in MEANS_MONEY


def read_event(body: bytes) -> Event:
    """Read the event. Raises UnreadableEventError."""
    try:
        parsed = from_json(body)
        event = Event.model_validate({**_dict(parsed), "subject": None})
        if event.kind is None:
            return event
        subject = Subject.model_validate(_dict(_dict(parsed["data"])["object"]))
    except (ValueError, KeyError) as error:
        raise UnreadableEventError(f"it cannot be read ({type(error).__name__})") from None
    if subject.object != event.kind:
        raise UnreadableEventError("it is about an object of another type")
    return event.model_copy(update={"subject": subject})


def _dict(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 (the caller expects one kind of error)
    return value
