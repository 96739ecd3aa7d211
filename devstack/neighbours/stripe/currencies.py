"""Which currencies and amounts Stripe takes: https://docs.stripe.com/currencies."""

from decimal import Decimal

from devstack.neighbours.stripe.errors import ValidationFailedError


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


SUPPORTED = _codes(
    """
    aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp
    byn bzd cad cdf chf clp cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel
    gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk jmd jod jpy kes kgs khr kmf krw kwd
    kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn nad ngn
    nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd
    shp sle sos srd std szl thb tjs tnd top try ttd twd tzs uah ugx usd uyu uzs vnd vuv wst
    xaf xcd xcg xof xpf yer zar zmw
    """
)
_ZERO_DECIMAL = _codes("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf")
_THREE_DECIMAL = _codes("bhd jod kwd omr tnd")
"""The last digit of their amounts must be 0, as an older version of the page says. The newest
version does not mention it."""
_WHOLE_UNITS = _codes("isk ugx")
"""Currencies without decimals in ISO 4217 that Stripe writes with two, which must be 00."""
_MINIMA = {
    **dict.fromkeys(("usd", "eur", "aud", "brl", "cad", "chf", "inr", "nzd", "sgd"), 50),
    "aed": 200,
    "bgn": 100,
    "czk": 1500,
    "dkk": 250,
    "gbp": 30,
    "hkd": 400,
    "huf": 17500,
    "jpy": 50,
    "mxn": 1000,
    "myr": 200,
    "nok": 300,
    "pln": 200,
    "ron": 200,
    "sek": 300,
    "thb": 1000,
}
"""The smallest amounts. Stripe converts to the settlement currency before it compares; the double
does not convert. Where the page names no minimum, the double has none."""
MAXIMUM = 99_999_999
"""Eight digits, as Stripe's reference of PaymentIntents says. Some currencies may have more."""


def exponent(currency: str) -> int:
    """The decimal places of an amount at Stripe. They may differ from those of ISO 4217."""
    return 0 if currency in _ZERO_DECIMAL else 3 if currency in _THREE_DECIMAL else 2


def in_major_units(amount: int, currency: str) -> Decimal:
    return Decimal(amount).scaleb(-exponent(currency))


def check_currency(currency: str) -> None:
    """Raise ValidationFailedError unless this is a supported currency in lower case."""
    if currency not in SUPPORTED:
        message = f"Invalid currency: {currency}. Stripe currently supports other currencies."
        raise ValidationFailedError(message, param="currency")


def check_amount(amount: int, currency: str) -> None:
    """Raise ValidationFailedError unless this amount can be charged."""
    if amount > MAXIMUM:
        most = f"{in_major_units(MAXIMUM, currency)} {currency}"
        _refuse(f"Amount must be no more than {most}", "amount_too_large")
    if amount < (least := _MINIMA.get(currency, 1)):
        _refuse(
            f"Amount must be at least {in_major_units(least, currency)} {currency}",
            "amount_too_small",
        )
    check_decimals(amount, currency)


def check_decimals(amount: int, currency: str) -> None:
    """Raise ValidationFailedError if the currency allows no such fraction."""
    if currency in _WHOLE_UNITS and amount % 100:
        _refuse(f"Amounts in {currency} must be whole units: divisible by 100", "amount_invalid")
    if currency in _THREE_DECIMAL and amount % 10:
        _refuse(f"Amounts in {currency} must be divisible by 10", "amount_invalid")


def _refuse(message: str, code: str) -> None:
    raise ValidationFailedError(message, code=code, param="amount")
