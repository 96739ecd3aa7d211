"""The gateways that can charge a payment, and what each of them needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar

from domain.errors import ErrorCode, PaymentError
from domain.money import EXPONENTS, Money


class GatewayName(StrEnum):
    """The names of the gateways. They are recorded, because payments and refunds keep theirs."""

    SIMULATOR = "simulator"
    STRIPE = "stripe"


T = TypeVar("T")


def at_gateway(by_name: Mapping[str, T], name: str) -> T:
    """What this process has for the gateway of a payment.

    A payment keeps its gateway when the setting changes. Raises PaymentError(GATEWAY_UNAVAILABLE)
    if the process has no address or key of that gateway.
    """
    if name not in by_name:
        raise PaymentError(
            ErrorCode.GATEWAY_UNAVAILABLE,
            f"No address is set for the gateway {name} of this payment.",
        )
    return by_name[name]


class AmountTooLargeError(ValueError):
    """The amount is larger than the gateway's maximum."""


@dataclass(frozen=True)
class AmountRules:
    """Which amounts a gateway accepts, and in which unit."""

    exponents: Mapping[str, int] = field(default_factory=dict)
    """By currency, the gateway's number of decimal places, if it is not the one of ISO 4217."""
    steps: Mapping[str, int] = field(default_factory=dict)
    """By currency, a number of the gateway's minor units. Each amount must be a multiple of it."""
    currencies: frozenset[str] | None = None
    """The currencies that the gateway accepts; None if it accepts all."""
    maximum: int | None = None
    """The largest amount, in the gateway's minor unit."""

    def minor_units(self, money: Money) -> int:
        """The amount in the gateway's minor unit. Raises ValueError if the gateway refuses it."""
        if self.currencies is not None and money.currency not in self.currencies:
            raise ValueError(f"must be in a currency that the gateway takes, not {money.currency}")
        exponent = self.exponents.get(money.currency, money.exponent)
        scaled = money.amount.scaleb(exponent)
        if scaled % self.steps.get(money.currency, 1):
            raise ValueError(f"has more decimal places in {money.currency} than the gateway takes")
        if self.maximum is not None and scaled > self.maximum:
            raise AmountTooLargeError("is more than the gateway takes")
        return int(scaled)

    def check(self, money: Money) -> None:
        """Raises ValueError if the gateway does not accept the amount."""
        self.minor_units(money)

    def money(self, minor_units: int, currency: str) -> Money:
        """Convert the gateway's minor units to an amount. Raises ValueError if it is not valid."""
        exponent = self.exponents.get(currency, EXPONENTS.get(currency, 2))
        return Money.read(f"{Decimal(minor_units).scaleb(-exponent):f}", currency)


@dataclass(frozen=True)
class GatewayTerms:
    """What the service must know about a gateway."""

    opens: bool
    """Whether a charge begins with an attempt that moves no money and has the gateway's own id,
    the reference. Such a gateway finds a charge by its reference only, not by our key."""
    chargeable_for: timedelta
    """How long after its request a payment may be charged: shorter than the gateway remembers the
    idempotency key of a charge."""
    request_time: timedelta
    """Time limit of one HTTP request to the gateway."""
    holds_for: timedelta
    """How long a reservation must still hold when a charge begins: as long as one try may take."""
    charge_try: timedelta | None = None
    """Time limit of one try of a step that charges or looks up; None: that of the step's policy."""
    refund_try: timedelta | None = None
    """Time limit of one try of a step that refunds; None: that of the step's policy."""
    amounts: AmountRules = AmountRules()


_STRIPE_CURRENCIES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP
    BYN BZD CAD CDF CHF CLP CNY COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL
    GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY KES KGS KHR KMF KRW KWD
    KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN
    NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD
    SHP SLE SOS SRD STD SZL THB TJS TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST
    XAF XCD XCG XOF XPF YER ZAR ZMW
"""
STRIPE_CURRENCIES = frozenset(_STRIPE_CURRENCIES.split())
"""The currencies that Stripe takes: https://docs.stripe.com/currencies. Accounts in some countries
take fewer. A test compares this list with the separate list of Stripe's double."""

TERMS: Mapping[str, GatewayTerms] = MappingProxyType(
    {
        GatewayName.SIMULATOR: GatewayTerms(
            opens=False,
            chargeable_for=timedelta(hours=23),  # gateways know a key for a day
            request_time=timedelta(seconds=8),  # one try of a charge has time for two requests
            holds_for=timedelta(seconds=20),
        ),
        # https://docs.stripe.com/api/idempotent_requests, https://docs.stripe.com/currencies
        GatewayName.STRIPE: GatewayTerms(
            opens=True,
            chargeable_for=timedelta(hours=23),  # Stripe may forget a key after 24 hours
            request_time=timedelta(seconds=17),  # twice in one try; issuers take some seconds
            holds_for=timedelta(seconds=40),  # shorter than the shortest hold, one minute
            charge_try=timedelta(seconds=40),
            refund_try=timedelta(seconds=80),
            amounts=AmountRules(
                exponents={"ISK": 2, "UGX": 2, "MGA": 0},
                steps={
                    **dict.fromkeys(("ISK", "UGX"), 100),
                    **dict.fromkeys(("BHD", "JOD", "KWD", "OMR", "TND"), 10),
                },
                currencies=STRIPE_CURRENCIES,
                maximum=99_999_999,
            ),
        ),
    }
)
"""The terms of each gateway, by its name."""
