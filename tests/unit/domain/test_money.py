"""Money is exact: what is read is what is written, and unclear amounts are refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.money import EXPONENTS, MAX_MINOR_UNITS, MAX_RECORDED_UNITS, WITHDRAWN, Money

WITHOUT_PLACES = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
CURRENCIES = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD
CAD CDF CHE CHF CHW CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR
KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN
MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD
SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX
USD USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
"""Every currency with decimal places in the edition of ISO 4217 of this version."""
PLACES = {0: WITHOUT_PLACES, 3: "BHD IQD JOD KWD LYD OMR TND", 4: "CLF UYW"}


@pytest.mark.parametrize("places", PLACES)
def test_currencies_have_the_places_of_iso_4217(places: int) -> None:
    assert {code for code in EXPONENTS if EXPONENTS[code] == places} == set(PLACES[places].split())


def test_every_other_currency_has_two_places() -> None:
    assert set(EXPONENTS.values()) == {2, *PLACES}
    assert {"USD", "EUR", "GBP", "MXN"} <= EXPONENTS.keys()


def test_a_currency_that_is_withdrawn_is_still_read_by_running_payments() -> None:
    """Their payloads have no decimal places. Never remove a currency here: add it to WITHDRAWN."""
    assert set(CURRENCIES.split()) <= EXPONENTS.keys() | WITHDRAWN.keys()
    assert not EXPONENTS.keys() & WITHDRAWN.keys()
    for currency, exponent in WITHDRAWN.items():
        assert Money(minor_units=1, currency=currency).exponent == exponent


@pytest.mark.parametrize(
    ("currency", "exponent", "written"),
    [("BGN", 2, "15.00"), ("ZZQ", 3, "1.500"), ("ZZQ", 0, "1500"), ("USD", 0, "1500")],
)
def test_recorded_money_keeps_its_own_decimal_places(
    currency: str, exponent: int, written: str
) -> None:
    money = Money(minor_units=1500, currency=currency, exponent=exponent)

    assert str(money) == f"{written} {currency}"
    assert Money.model_validate_json(money.model_dump_json()) == money
    assert money.parse_same(written) == money


@pytest.mark.parametrize(
    ("text", "currency", "minor_units", "exponent"),
    [("15.00", "BGN", 1500, 2), ("15", "BGN", 1500, 2), ("15.000", "ZZQ", 15_000, 3)],
)
def test_books_of_others_may_name_any_currency(
    text: str, currency: str, minor_units: int, exponent: int
) -> None:
    recorded = Money(minor_units=minor_units, currency=currency, exponent=exponent)

    assert Money.read(text, currency) == recorded
    with pytest.raises(ValueError, match="ISO 4217"):
        Money.parse(text, currency)


@pytest.mark.parametrize("exponent", [-1, 5, None, "2", 2.0, True])
def test_decimal_places_are_as_many_as_can_be_recorded(exponent: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"minor_units": 1, "currency": "ZZQ", "exponent": exponent})


@pytest.mark.parametrize(
    ("text", "currency", "minor_units", "written"),
    [
        ("150.00", "USD", 15_000, "150.00 USD"),
        ("150", "USD", 15_000, "150.00 USD"),
        ("0.01", "USD", 1, "0.01 USD"),
        ("007.5", "USD", 750, "7.50 USD"),
        ("1.0000", "USD", 100, "1.00 USD"),
        ("150", "JPY", 150, "150 JPY"),
        ("150.0", "JPY", 150, "150 JPY"),
        ("0.001", "KWD", 1, "0.001 KWD"),
        ("1.2345", "CLF", 12_345, "1.2345 CLF"),
        ("10000000000000.00", "USD", MAX_MINOR_UNITS, "10000000000000.00 USD"),
        ("1000000000000000", "JPY", MAX_MINOR_UNITS, "1000000000000000 JPY"),
    ],
)
def test_plain_decimals_are_read_and_written_exactly(
    text: str, currency: str, minor_units: int, written: str
) -> None:
    money = Money.parse(text, currency)

    assert money == Money(minor_units=minor_units, currency=currency)
    assert str(money) == written


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(1, MAX_MINOR_UNITS))
def test_every_amount_survives_the_round_trip(currency: str, minor_units: int) -> None:
    money = Money(minor_units=minor_units, currency=currency)
    whole, _, fraction = f"{money.amount:f}".partition(".")

    assert Money.parse(f"{money.amount:f}", currency) == money
    assert whole.isdecimal()
    assert len(fraction) == EXPONENTS[currency]


@pytest.mark.parametrize(
    "text",
    [
        *("0", "0.00", "-1", "-0.01", "+1", "NaN", "Infinity", "-Infinity", "1e2", "1E+3", "1e400"),
        *("", " ", " 12 ", "12\n", "\t12", "1_000", "1,000", "1 000", "١٢", "\uff11", "²", "½"),
        *(".5", "5.", ".", "1.2.3", "0x10", "1.00 USD", "$1", "None", "true", "12\0"),
        *("0.001", "0.005", "10000000000000.01", "99999999999999999", "9" * 5_000, "1" + "0" * 20),
    ],
    ids=lambda text: ascii(text)[:12],
)
def test_anything_else_is_no_amount_in_dollars(text: str) -> None:
    with pytest.raises(ValueError, match=r"must be|USD has 2 decimal places"):
        Money.parse(text, "USD")


@pytest.mark.parametrize(
    ("text", "currency"), [("1.5", "JPY"), ("1.234", "USD"), ("1.2345", "KWD"), ("1.00001", "CLF")]
)
def test_more_places_than_the_currency_has_are_refused(text: str, currency: str) -> None:
    with pytest.raises(ValueError, match="decimal"):
        Money.parse(text, currency)


@pytest.mark.parametrize("minor_units", [0, -1, MAX_RECORDED_UNITS + 1, True, 1.0, "1", None])
def test_minor_units_are_a_positive_bounded_integer(minor_units: object) -> None:
    with pytest.raises(ValidationError):
        Money.model_validate({"minor_units": minor_units, "currency": "USD"})


@pytest.mark.parametrize(
    "currency",
    ["usd", "US", "USDD", "", "ABC", "XAU", "XXX", "XTS", "XDR", "\u0131sk", "USD\n", "US\u0000"],
    ids=ascii,
)
def test_unknown_currencies_are_refused(currency: str) -> None:
    with pytest.raises(ValueError, match="ISO 4217"):
        Money.parse("1", currency)
    with pytest.raises(ValidationError):
        Money(minor_units=1, currency=currency)
