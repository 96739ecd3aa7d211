"""Which amounts a gateway takes, and in which unit."""

import pytest

from devstack.neighbours.stripe.currencies import SUPPORTED
from domain.gateways import STRIPE_CURRENCIES, TERMS, AmountRules, GatewayName
from domain.money import Money

STRIPE = TERMS[GatewayName.STRIPE].amounts


@pytest.mark.parametrize(
    ("amount", "currency", "sent"),
    [
        ("150.00", "USD", 15000),
        ("150", "JPY", 150),
        ("150", "ISK", 15000),
        ("150", "UGX", 15000),
        ("150.00", "MGA", 150),
        ("1.500", "BHD", 1500),
        ("999999.99", "USD", 99_999_999),
    ],
)
def test_amounts_are_sent_in_the_unit_of_the_gateway(amount: str, currency: str, sent: int) -> None:
    assert STRIPE.minor_units(Money.parse(amount, currency)) == sent


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        *[("150.10", "MGA"), ("1.501", "BHD"), ("1000000.00", "USD")],
        *[("1.000", "IQD"), ("5.00", "GHS")],
    ],
)
def test_an_amount_that_the_gateway_does_not_take_is_refused(amount: str, currency: str) -> None:
    with pytest.raises(ValueError, match="gateway takes"):
        STRIPE.minor_units(Money.parse(amount, currency))


def test_the_simulator_takes_every_amount_as_it_is() -> None:
    money = Money.parse("1.501", "BHD")

    assert TERMS[GatewayName.SIMULATOR].amounts == AmountRules()
    assert AmountRules().minor_units(money) == money.minor_units


def test_every_gateway_has_terms() -> None:
    assert set(TERMS) == set(GatewayName)


def test_every_currency_of_the_double_of_stripe_is_taken_and_no_other() -> None:
    assert frozenset(each.upper() for each in SUPPORTED) == STRIPE_CURRENCIES
