"""Responses of the gateway, and the adapter with a handler instead of a real gateway."""

from typing import Any

from activities.adapters.gateway import HttpGateway
from domain.errors import ErrorCode
from domain.gateway import RefundRequest
from domain.money import Money
from tests.support.json_neighbour import Handler, neighbour

KEY = "pay_1_charge"

REFUND = RefundRequest(key="pay_1_refund", charge_key=KEY, amount=Money.parse("150.00", "USD"))

AMOUNT = {"amount": "9999999999999.90", "currency": "USD"}
"""The amount, as every response about a charge has it."""


def gateway(handler: Handler, *, accept_simulated: bool = True) -> HttpGateway:
    client = neighbour(handler, ErrorCode.GATEWAY_UNAVAILABLE)
    return HttpGateway(client, accept_simulated=accept_simulated)


def a_charge(**members: Any) -> dict[str, Any]:
    return {"key": KEY, "state": "captured", "isSimulated": True, **AMOUNT, **members}


def a_refusal(code: str, key: str = KEY) -> dict[str, Any]:
    return {"error": "in words", "code": code, "key": key}


ODD_STATUSES = [202, 204, 302, 401, 403, 404, 405, 408, 409, 410, 422, 425, 429, 500, 503]
"""HTTP statuses that do not say how a request ended."""
