"""Money: integer minor units and an ISO 4217 currency, exact at every boundary."""

import re
from decimal import Decimal
from typing import Annotated, Any, Self

from iso4217 import Currency
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    WithJsonSchema,
    model_serializer,
)

MAX_MINOR_UNITS = 10**15
"""The largest new amount. It is above any payment, and BIGINT and JSON parsers keep it exactly."""

MAX_RECORDED_UNITS = 2**63 - 1
"""The largest amount that a BIGINT column can hold."""

EXPONENTS: dict[str, int] = {
    currency.code: currency.exponent for currency in Currency if currency.exponent is not None
}
"""Decimal places of every ISO 4217 currency that has them (metals and test codes have none)."""

WITHDRAWN = {"ANG": 2, "BGN": 2, "CUC": 2, "HRK": 2, "SLL": 2, "ZWL": 2}
"""Decimal places of currencies that ISO 4217 has withdrawn. New payments cannot use them, but old
ones may still be running. If an update of the package `iso4217` removes a currency, add it here."""

MAX_EXPONENT = 4
"""The most decimal places that a currency of ISO 4217 has."""
_UNKNOWN = -1
"""Stands for the decimal places of a currency that ISO 4217 never had."""

_CODE = re.compile(r"[A-Z]{3}", re.ASCII)
_PLAIN_DECIMAL = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,4})?", re.ASCII)


def _known_currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError("must be an ISO 4217 currency code such as USD")
    return code


def _exponent_of(currency: object) -> int:
    """Decimal places of a currency that ISO 4217 has or had, otherwise -1."""
    return EXPONENTS.get(str(currency), WITHDRAWN.get(str(currency), _UNKNOWN))


def _is_exponent(exponent: int) -> int:
    if not 0 <= exponent <= MAX_EXPONENT:
        raise ValueError("must be given for a currency that ISO 4217 does not have")
    return exponent


_CODE_SCHEMA = WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]})

CurrencyCode = Annotated[str, AfterValidator(_known_currency), _CODE_SCHEMA]
"""The currency of a new payment."""

RecordedCurrency = Annotated[str, Field(pattern=_CODE), _CODE_SCHEMA]
"""The currency of a recorded payment. ISO 4217 may have withdrawn it, or not have added it yet."""


class Money(BaseModel):
    """A positive amount: `minor_units` of `currency` (cents for USD, yen for JPY)."""

    model_config = ConfigDict(frozen=True)

    minor_units: int = Field(gt=0, le=MAX_RECORDED_UNITS, strict=True)
    currency: RecordedCurrency
    exponent: Annotated[int, AfterValidator(_is_exponent)] = Field(
        default_factory=lambda members: _exponent_of(members["currency"]),
        validate_default=True,
        strict=True,
    )
    """Decimal places. A recorded amount keeps its own, even if ISO 4217 has changed since."""

    @classmethod
    def parse(cls, amount: str, currency: str) -> Self:
        """Read a plain decimal such as `150.00`, in a currency that ISO 4217 has today.

        Raises ValueError for signs, exponents, spaces, zero, more decimal places than the
        currency has, or an amount above the largest.
        """
        return cls._parse(amount, currency, EXPONENTS[_known_currency(currency)])

    @classmethod
    def read(cls, amount: str, currency: str) -> Self:
        """As `parse`, for an amount that another system has recorded: in any currency.

        A currency that ISO 4217 never had gets as many decimal places as `amount` has.
        """
        exponent = _exponent_of(currency)
        if exponent == _UNKNOWN:
            exponent = len(amount.partition(".")[2])
        return cls._parse(amount, currency, exponent)

    def parse_same(self, amount: str) -> Self:
        """As `parse`, in this amount's own currency, even if ISO 4217 has withdrawn it."""
        return self._parse(amount, self.currency, self.exponent)

    @classmethod
    def _parse(cls, amount: str, currency: str, exponent: int) -> Self:
        if not _PLAIN_DECIMAL.fullmatch(amount):
            raise ValueError("must be a plain decimal number such as 150.00")
        units = Decimal(amount).scaleb(exponent)
        if units != units.to_integral_value():
            raise ValueError(f"{currency} has {exponent} decimal places")
        if not 0 < units <= MAX_MINOR_UNITS:
            raise ValueError("must be greater than zero and not above the largest amount")
        return cls(minor_units=int(units), currency=currency, exponent=exponent)

    @model_serializer(mode="wrap")
    def _serialize(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave the exponent out if the currency implies it, so that older versions can read it."""
        members: dict[str, Any] = serialize(self)
        if self.exponent == _exponent_of(self.currency):
            members.pop("exponent", None)
        return members

    @property
    def amount(self) -> Decimal:
        """The amount in major units, with all decimal places of the currency: `150.00`."""
        return Decimal(self.minor_units).scaleb(-self.exponent)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"
