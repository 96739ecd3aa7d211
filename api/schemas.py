"""HTTP bodies of payments and refunds, and their conversion to and from objects of the domain."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from api.payment_token import PaymentToken
from api.request_errors import RequestErrorCode
from domain.errors import ErrorCode, RecordedCode, RecordedReason
from domain.instruction import PaymentMethod, RecordedMethod
from domain.money import CurrencyCode, Money
from domain.payment import Payment, PaymentStatus
from domain.refund import Refund, RefundStatus

NIL = UUID(int=0)
UUID_LENGTH = 36
DEFAULT_CURRENCY = "USD"


def _not_nil(value: UUID) -> UUID:
    if value == NIL:
        raise ValueError("must not be the nil UUID")
    return value


def _canonical_uuid(value: object) -> object:
    """Accept only the 36-character form: `uuid.UUID` also accepts braces, URNs and plain digits."""
    if not isinstance(value, str) or len(value) != UUID_LENGTH:
        raise ValueError("must be a UUID such as 3f2b8c1e-6a0d-4a57-9c55-0f0e5d8b7a10")
    return value


def _method(value: object) -> object:
    """Accept every spelling that callers use: `CreditCard`, `credit-card`, `CREDIT CARD`."""
    if not isinstance(value, str):
        return value
    letters = "".join(character for character in value.lower() if character.isalpha())
    return next((each for each in PaymentMethod if each.replace("_", "") == letters), value)


def _money(value: object, fields: ValidationInfo) -> Money:
    """Parse an amount: the text of a JSON number, or a JSON string of the same form."""
    return Money.parse(_number_text(value), fields.data.get("currency", DEFAULT_CURRENCY))


def _number_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be a plain decimal number such as 150.00")  # noqa: TRY004
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("must be text")  # noqa: TRY004 (pydantic reports ValueErrors)
    return value


def _unless_null(default: object) -> BeforeValidator:
    return BeforeValidator(lambda value: default if value is None else value)


Id = Annotated[UUID, BeforeValidator(_canonical_uuid), AfterValidator(_not_nil)]
JsonNumber = WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "examples": [150.00]})
CurrencyText = WithJsonSchema({"type": "string", "examples": ["USD"]})


class PaymentRequest(BaseModel):
    """The body of a request to pay an order. Other members are ignored."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True)

    order_id: Id
    customer_id: Id
    reservation_id: Id | None = None
    currency: Annotated[CurrencyCode, _unless_null(DEFAULT_CURRENCY)] = DEFAULT_CURRENCY
    amount: Annotated[Money, JsonNumber, BeforeValidator(_money)]
    payment_method: Annotated[
        PaymentMethod, BeforeValidator(_method), _unless_null(PaymentMethod.CREDIT_CARD)
    ] = PaymentMethod.CREDIT_CARD
    payment_method_token: Annotated[
        PaymentToken,
        Field(
            repr=False,
            description="The token that the gateway's script has made for the card. Needed where "
            "payments are charged by a gateway that takes tokens, unless customers can give the "
            "card on that gateway's page; otherwise it is ignored.",
        ),
    ] = None


class RefundRequest(BaseModel):
    """The amount to refund, in the payment's currency. Without an amount, everything is refunded.

    Other members are refused: if `amount` were misspelt and ignored, everything would be refunded.
    """

    model_config = ConfigDict(
        frozen=True,
        json_schema_extra={
            "additionalProperties": False,
            "dependentRequired": {"currency": ["amount"]},
        },
    )

    amount: Annotated[str | None, JsonNumber, BeforeValidator(_number_text)] = None
    currency: Annotated[str | None, CurrencyText, BeforeValidator(_text)] = None

    @model_validator(mode="before")
    @classmethod
    def _refuse_ambiguous(cls, body: object) -> object:
        if isinstance(body, dict):
            if not body.keys() <= cls.model_fields.keys():
                raise ValueError(f"may have only the members {' and '.join(cls.model_fields)}")
            if "currency" in body and "amount" not in body:
                raise ValueError("must have an amount if it has a currency")
        return body

    def to_refund(self, payment: Payment, key: str, requested_at: datetime) -> Refund:
        """The refund that is requested.

        Raises ValueError if the amount or the currency does not fit the payment, and
        PaymentError(PAYMENT_NOT_REFUNDABLE).
        """
        amount = payment.amount
        if self.currency not in {None, amount.currency}:
            raise ValueError(f"must be in the payment's currency, {amount.currency}")
        if self.amount is not None:
            amount = amount.parse_same(self.amount)
        return Refund.pending(payment, amount, key, requested_at)


class PaymentBody(BaseModel):
    """A payment. Times are in UTC; `amount` has all decimal places of its currency."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    id: UUID
    order_id: UUID
    customer_id: UUID
    reservation_id: UUID | None
    amount: Annotated[Decimal, JsonNumber]
    currency: str
    payment_method: RecordedMethod
    status: PaymentStatus
    error_code: RecordedCode | None
    error_message: str | None
    failure_reason: RecordedReason | None
    created_at: datetime
    processed_at: datetime | None
    is_simulated: bool
    simulated_response: str | None

    @classmethod
    def of(cls, payment: Payment) -> Self:
        money = {"amount": payment.amount.amount, "currency": payment.amount.currency}
        return cls.model_validate({**payment.model_dump(), **money})


class PaymentEnvelope(BaseModel):
    """The members of every response about a payment, successful or not."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    success: bool
    error_message: str | None = Field(description="Null if the payment succeeded.")
    payment: PaymentBody | None

    @classmethod
    def of(cls, payment: Payment, message: str | None) -> dict[str, Any]:
        """The envelope for exact_json; `success` says whether the payment succeeded."""
        return cls(
            success=payment.status is PaymentStatus.SUCCEEDED,
            error_message=message,
            payment=PaymentBody.of(payment),
        ).model_dump(by_alias=True)


class RefundBody(BaseModel):
    """A refund. Times are in UTC; `amount` has all decimal places of its currency."""

    model_config = ConfigDict(alias_generator=to_camel, validate_by_name=True)

    id: UUID
    payment_id: UUID
    amount: Annotated[Decimal, JsonNumber]
    currency: str
    status: RefundStatus
    error_code: RecordedCode | None
    error_message: str | None
    created_at: datetime
    processed_at: datetime | None

    @classmethod
    def of(cls, refund: Refund) -> Self:
        money = {"amount": refund.amount.amount, "currency": refund.amount.currency}
        return cls.model_validate({**refund.model_dump(), **money})


class RefundEnvelope(PaymentEnvelope):
    """A response about a refund; `success` says whether the refund has succeeded."""

    refund: RefundBody

    @classmethod
    def about(cls, refund: Refund, payment: Payment, message: str | None) -> dict[str, Any]:
        return cls(
            success=refund.status is RefundStatus.SUCCEEDED,
            error_message=message,
            payment=PaymentBody.of(payment),
            refund=RefundBody.of(refund),
        ).model_dump(by_alias=True)


class RefundList(PaymentEnvelope):
    """All refunds of a payment, the oldest first."""

    refunds: list[RefundBody]

    @classmethod
    def of_payment(cls, payment: Payment, refunds: Sequence[Refund]) -> dict[str, Any]:
        return cls(
            success=True,
            error_message=None,
            payment=PaymentBody.of(payment),
            refunds=[RefundBody.of(each) for each in refunds],
        ).model_dump(by_alias=True)


class FieldError(BaseModel):
    """What is wrong with one member of the request. The value of the member is never repeated."""

    field: str
    message: str


class PaymentProblem(PaymentEnvelope):
    """An error: the members of RFC 9457, and those of every response about a payment."""

    type: str = Field(examples=["urn:payment-service:problem:card-declined"])
    title: str = Field(examples=["Unprocessable Entity"])
    status: int = Field(examples=[422])
    detail: str = Field(examples=["The card was declined."])
    instance: str = Field(
        description="The address of the payment that failed, or the id of the request."
    )
    code: ErrorCode | RequestErrorCode
    errors: list[FieldError] = Field(
        default=[], description="One for each wrong member of the request; absent if there is none."
    )
