"""The parameters of each endpoint, and Stripe's errors for wrong ones.

These are the parameters that the double implements. Stripe has more. The double refuses all other
parameters in the way that Stripe refuses unknown ones.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
)
from pydantic import ValidationError as PydanticError
from pydantic_core import PydanticCustomError

from devstack.neighbours.stripe.errors import ValidationFailedError

_INTEGER = re.compile(r"-?\d{1,18}", re.ASCII)


def _integer(value: Any) -> Any:
    if isinstance(value, str) and not _INTEGER.fullmatch(value):
        raise ValueError("Invalid integer")
    return value


def _url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise PydanticCustomError("url_invalid", "Not a valid URL")
    return value


def _boolean(value: Any) -> Any:
    if value not in {"true", "false"}:
        raise ValueError("Invalid boolean")
    return value == "true"


Integer = Annotated[int, BeforeValidator(_integer)]
Positive = Annotated[Integer, Field(ge=1)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Text = Annotated[str, StringConstraints(min_length=1, max_length=5000)]
Url = Annotated[Text, AfterValidator(_url)]
Metadata = Annotated[
    dict[
        Annotated[str, StringConstraints(max_length=40)],
        Annotated[str, StringConstraints(max_length=500)],
    ],
    Field(max_length=50),
]


class Params(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Expandable(Params):
    expand: tuple[Literal["latest_charge", "data.latest_charge"], ...] = ()


class IntentCreate(Expandable):
    amount: Positive
    currency: Text
    payment_method_types: tuple[Literal["card"], ...] = Field(min_length=1)
    """Required here: without it, Stripe offers all methods that are enabled in the dashboard."""
    capture_method: Literal["automatic", "manual"] = "automatic"
    metadata: Metadata = {}
    description: Text | None = None


class IntentConfirm(Expandable):
    payment_method: Text | None = None
    confirmation_token: Text | None = None
    error_on_requires_action: Boolean = False
    return_url: Url | None = None
    use_stripe_sdk: Boolean | None = None

    @property
    def leaves_it_to_the_browser(self) -> bool:
        """Whether Stripe.js authenticates the customer: the default with a ConfirmationToken."""
        if self.use_stripe_sdk is None:
            return self.confirmation_token is not None
        return self.use_stripe_sdk


class IntentCapture(Expandable):
    amount_to_capture: Positive | None = None


class IntentCancel(Expandable):
    cancellation_reason: (
        Literal["abandoned", "duplicate", "fraudulent", "requested_by_customer"] | None
    ) = None


class Product(Params):
    name: Text
    description: Text | None = None


class Price(Params):
    currency: Text
    unit_amount: Annotated[Integer, Field(ge=0)]
    product_data: Product


class LineItem(Params):
    price_data: Price
    quantity: Positive


class IntentOfSession(Params):
    capture_method: Literal["automatic", "manual"] = "automatic"
    metadata: Metadata = {}
    description: Text | None = None


class ExpandableSession(Params):
    expand: tuple[Literal["payment_intent", "payment_intent.latest_charge"], ...] = ()


class SessionCreate(ExpandableSession):
    """A purchase on Stripe's own page. The request has the prices. Only cards are accepted."""

    mode: Literal["payment"]
    payment_method_types: tuple[Literal["card"], ...] = Field(min_length=1)
    line_items: tuple[LineItem, ...] = Field(min_length=1, max_length=100)
    success_url: Url
    cancel_url: Url | None = None
    expires_at: Integer | None = None
    payment_intent_data: IntentOfSession = IntentOfSession()
    metadata: Metadata = {}
    client_reference_id: Annotated[str, StringConstraints(max_length=200)] | None = None


class RefundCreate(Params):
    payment_intent: Text | None = None
    charge: Text | None = None
    amount: Positive | None = None
    reason: Literal["duplicate", "fraudulent", "requested_by_customer"] | None = None
    metadata: Metadata = {}


class Times(Params):
    """A range of times in seconds since 1970."""

    gt: Integer | None = None
    gte: Integer | None = None
    lt: Integer | None = None
    lte: Integer | None = None

    def contain(self, time: int) -> bool:
        return (
            (self.gt is None or time > self.gt)
            and (self.gte is None or time >= self.gte)
            and (self.lt is None or time < self.lt)
            and (self.lte is None or time <= self.lte)
        )


class Listing(Expandable):
    """A page of a list, newest first. `starting_after` is the last id of the previous page."""

    limit: Annotated[Integer, Field(ge=1, le=100)] = 10
    starting_after: Text | None = None
    created: Times = Times()


class ListingByCharge(Listing):
    """A list of all refunds or disputes, or of those of one PaymentIntent or one charge."""

    payment_intent: Text | None = None
    charge: Text | None = None


class ChargeListing(Listing):
    payment_intent: Text | None = None


class Search(Expandable):
    query: Text
    limit: Annotated[Integer, Field(ge=1, le=100)] = 10


class MethodCreate(Params):
    """A PaymentMethod of a card, as Stripe.js makes it: `card[token]=tok_visa`."""

    type: Literal["card"]
    card: Mapping[Literal["token"], Text]


class TokenCreate(Params):
    """A ConfirmationToken, as Stripe's test helpers make it."""

    payment_method: Text


ParamsT = TypeVar("ParamsT", bound=Params)


def read_params(values: dict[str, Any], model: type[ParamsT]) -> ParamsT:
    """Validate the parameters. Raises ValidationFailedError for the first wrong one."""
    try:
        return model.model_validate(values)
    except PydanticError as error:
        raise _error(error.errors()[0]) from None


def _error(found: Any) -> ValidationFailedError:
    first, *others = map(str, found["loc"])
    name = first + "".join(f"[{each}]" for each in others)
    match found["type"]:
        case "missing":
            return ValidationFailedError(
                f"Missing required param: {name}.", code="parameter_missing", param=name
            )
        case "extra_forbidden":
            return ValidationFailedError(
                f"Received unknown parameter: {name}", code="parameter_unknown", param=name
            )
        case "url_invalid":
            return ValidationFailedError(found["msg"], code="url_invalid", param=name)
        case "string_too_short":
            return ValidationFailedError(
                f"You passed an empty string for '{name}'.",
                code="parameter_invalid_empty",
                param=name,
            )
        case "greater_than_equal" | "less_than_equal":
            return ValidationFailedError(
                f"This value must be {found['msg']}.", code="parameter_invalid_integer", param=name
            )
        case _:
            return ValidationFailedError(f"Invalid {name}: {found['msg']}", param=name)
