"""Converts payments to rows of the table, and back."""

from typing import Any

from db.statements import Row
from domain.compensation import Compensation
from domain.customer_action import Wait
from domain.money import Money
from domain.payment import Payment


def to_row(payment: Payment) -> dict[str, Any]:
    row = dict(payment)
    amount, compensation, wait = (row.pop(each) for each in ("amount", "compensation", "wait"))
    row["waits_since"] = wait.since if wait else None
    row["waits_until"] = wait.until if wait else None
    row["compensation_code"] = compensation.code if compensation else None
    row["compensation_message"] = compensation.message if compensation else None
    row["amount_minor"] = amount.minor_units
    row["currency"] = amount.currency
    row["currency_exponent"] = amount.exponent
    return row


def to_payment(row: Row) -> Payment:
    compensation = (
        Compensation(code=row["compensation_code"], message=row["compensation_message"])
        if row["compensation_code"]
        else None
    )
    wait = Wait(since=row["waits_since"], until=row["waits_until"]) if row["waits_since"] else None
    converted = {"amount": to_money(row), "compensation": compensation, "wait": wait}
    return Payment.model_validate({**row, **converted})


def to_money(row: Row) -> Money:
    """The amount as it was recorded, even if the currency is unknown today."""
    return Money(
        minor_units=row["amount_minor"],
        currency=row["currency"],
        exponent=row["currency_exponent"],
    )
