"""What Schemathesis is told of our system: places the orders that are to be paid."""

import os
from typing import Any

import requests
import schemathesis
from schemathesis import GenerationMode

PRICE = {"amount": 150.00, "currency": "USD"}


@schemathesis.hook
def before_call(_: Any, case: Any, __: Any) -> None:
    """Without this, every payment would be of an order that does not exist."""
    if case.operation.label != "POST /payments" or not _is_right(case):
        return
    case.body = {**case.body, **PRICE, "reservationId": None}
    order = {
        "id": case.body["orderId"],
        "customerId": case.body["customerId"],
        "totalAmount": PRICE["amount"],
        "currency": PRICE["currency"],
    }
    requests.post(f"{os.environ['ORDERING_URL']}/orders", json=order, timeout=5)


def _is_right(case: Any) -> bool:
    return bool(case.meta and case.meta.generation.mode is GenerationMode.POSITIVE)
