"""Hooks for Schemathesis: each payment gets an order that can be paid."""

import os
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import requests
import schemathesis
from schemathesis import GenerationMode

PLACED = ("orderId", "customerId", "reservationId")
"""Members that come from an order in Ordering, so Schemathesis must not invent them."""
NUMBERS = count()


@schemathesis.hook
def before_load_schema(_: Any, schema: dict[str, Any]) -> None:
    """In the stateful phase, remove the members of `PLACED` from the body of a payment.

    No operation returns them, so Schemathesis would not begin a sequence with a payment.
    """
    if os.environ["SCHEMATHESIS_PHASES"] == "stateful":
        payment = schema["components"]["schemas"]["PaymentRequest"]
        for name in PLACED:
            del payment["properties"][name]
        payment["required"] = [name for name in payment["required"] if name not in PLACED]


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    """Places the order first. Otherwise no payment would be of an existing order."""
    if case.operation.label == "POST /payments" and _is_right(case):
        customer = os.environ["CUSTOMER_ID"]
        order = str(uuid5(NAMESPACE_URL, f"{customer} {next(NUMBERS)}"))
        price = {"amount": 150.00, "currency": "USD", "reservationId": None}
        case.body = {**case.body, **price, "orderId": order, "customerId": customer}
        _place_order(case.body)


def _is_right(case: Any) -> bool:
    return bool(case.meta and case.meta.generation.mode is GenerationMode.POSITIVE)


def _place_order(payment: dict[str, Any]) -> None:
    order = {
        "id": payment["orderId"],
        "customerId": payment["customerId"],
        "totalAmount": payment["amount"],
        "currency": payment["currency"],
    }
    requests.post(f"{os.environ['ORDERING_URL']}/orders", json=order, timeout=5)
