"""What Schemathesis is told of our system: every payment is of an order that can be paid."""

import os
from itertools import count
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import requests
import schemathesis
from schemathesis import GenerationMode

NUMBERS = count()


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    """Without this, every payment would be of an order that does not exist."""
    if case.operation.label == "POST /payments" and _is_right(case):
        price = {"amount": 150.00, "currency": "USD", "reservationId": None}
        case.body = {**case.body, **price, "orderId": str(uuid5(NAMESPACE_URL, str(next(NUMBERS))))}
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
