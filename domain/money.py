"""Money: integer minor units and an ISO 4217 currency, exact at every boundary."""

import re
from decimal import Decimal
from typing import Annotated, Self

from iso4217 import Currency
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, WithJsonSchema

MAX_MINOR_UNITS = 10**15
"""The largest amount: above any payment, below what BIGINT and JSON readers keep exactly."""

EXPONENTS: dict[str, int] = {
    currency.code: currency.exponent for currency in Currency if currency.exponent is not None
}
"""Decimal places of every ISO 4217 currency that has them (metals and test codes have none)."""

_PLAIN_DECIMAL = re.compile(r"[0-9]{1,16}(?:\.[0-9]{1,4})?", re.ASCII)


def _known_currency(code: str) -> str:
    if code not in EXPONENTS:
        raise ValueError("must be an ISO 4217 currency code such as USD")
    return code


CurrencyCode = Annotated[
    str,
    AfterValidator(_known_currency),
    WithJsonSchema({"type": "string", "pattern": "^[A-Z]{3}$", "examples": ["USD"]}),
]


class Money(BaseModel):
    """A positive amount: `minor_units` of `currency` (cents for USD, yen for JPY)."""

    model_config = ConfigDict(frozen=True)

    minor_units: int = Field(gt=0, le=MAX_MINOR_UNITS, strict=True)
    currency: CurrencyCode

    @classmethod
    def parse(cls, amount: str, currency: str) -> Self:
        """Read a plain decimal such as `150.00`.

        Raises ValueError for signs, exponents, spaces, zero, more decimal places than the
        currency has, or an amount above the largest.
        """
        exponent = EXPONENTS[_known_currency(currency)]
        if not _PLAIN_DECIMAL.fullmatch(amount):
            raise ValueError("must be a plain decimal number such as 150.00")
        units = Decimal(amount).scaleb(exponent)
        if units != units.to_integral_value():
            raise ValueError(f"{currency} has {exponent} decimal places")
        if not 0 < units <= MAX_MINOR_UNITS:
            raise ValueError("must be greater than zero and not above the largest amount")
        return cls(minor_units=int(units), currency=currency)

    @property
    def amount(self) -> Decimal:
        """The amount in major units, with all decimal places of the currency: `150.00`."""
        return Decimal(self.minor_units).scaleb(-EXPONENTS[self.currency])

    def __str__(self) -> str:
        return f"{self.amount:f} {self.currency}"
