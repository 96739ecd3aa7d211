"""Base class and field types of the neighbours' JSON bodies, and texts for validation errors."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
)
from pydantic.alias_generators import to_camel

from devstack.neighbours.times import iso_utc
from domain.money import Money


def _money_amount(amount: object, info: ValidationInfo) -> Decimal:
    return Money.read(str(amount), info.data.get("currency", "")).amount


Amount = Annotated[Decimal, BeforeValidator(_money_amount)]
"""A positive amount, with the decimal places of the currency: 150.5 USD is read as 150.50.

The model must declare its field `currency` before the amount.
"""

UuidText = Annotated[str, AfterValidator(lambda text: str(UUID(text)))]
UtcTime = Annotated[AwareDatetime, PlainSerializer(iso_utc)]
ShortText = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class JsonModel(BaseModel):
    """A JSON object with camelCase members. Unknown members are a validation error."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        validate_by_name=True,
        serialize_by_alias=True,
        extra="forbid",
        frozen=True,
    )

    def with_changes(self, changes: Self) -> Self:
        """A copy with the members that are set in `changes`; the others keep their values."""
        update = {name: getattr(changes, name) for name in changes.model_fields_set}
        return self.model_copy(update=update)

    def matches(self, record: BaseModel) -> bool:
        """True if every value of this request is also in the record."""
        return all(getattr(record, field) == value for field, value in self)


def describe_errors(errors: Sequence[Any]) -> str:
    """Pydantic's errors in one line: `amount: must be …; orderId: …`."""
    return "; ".join(f"{_location(error)}: {_message(error)}" for error in errors)


def _location(error: Any) -> str:
    return ".".join(map(str, error["loc"])) or "body"


def _message(error: Any) -> str:
    message: str = error["msg"]
    return message.removeprefix("Value error, ")
