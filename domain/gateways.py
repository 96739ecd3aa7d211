"""The gateways that a payment can be charged at, and what each of them needs."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from domain.money import EXPONENTS, Money


class GatewayName(StrEnum):
    """A payment and its refunds keep the gateway they began with. The values are recorded."""

    SIMULATOR = "simulator"
    STRIPE = "stripe"


class AmountTooLargeError(ValueError):
    """The gateway takes no amount as large as this."""


@dataclass(frozen=True)
class AmountRules:
    """Which amounts a gateway takes, and in which unit."""

    exponents: Mapping[str, int] = field(default_factory=dict)
    """Decimal places at the gateway, where they differ from ours (ISO 4217)."""
    steps: Mapping[str, int] = field(default_factory=dict)
    """Currencies whose amounts must be a multiple of this, in the gateway's minor unit."""
    currencies: frozenset[str] | None = None
    """Those that the gateway takes; None if it takes all."""
    maximum: int | None = None
    """The largest amount, in the gateway's minor unit."""

    def minor_units(self, money: Money) -> int:
        """The amount in the gateway's minor unit. Raises ValueError if it does not take it."""
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
        """Raises ValueError if the gateway does not take the amount."""
        self.minor_units(money)

    def money(self, minor_units: int, currency: str) -> Money:
        """The amount of so many of the gateway's minor units. Raises ValueError if it is none."""
        exponent = self.exponents.get(currency, EXPONENTS.get(currency, 2))
        return Money.read(f"{Decimal(minor_units).scaleb(-exponent):f}", currency)


@dataclass(frozen=True)
class GatewayTerms:
    """What the service must know of a gateway to charge at it."""

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
    """The same for a step that refunds."""
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
            holds_for=timedelta(seconds=40),  # so that a seat that is held for a minute can be paid
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
"""By name. A gateway that is not here cannot be charged at."""
