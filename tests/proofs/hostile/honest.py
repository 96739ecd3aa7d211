"""The fake world over HTTP: a correct gateway, Ordering and Inventory."""

import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any
from uuid import UUID

import httpx

from domain.errors import ErrorCode, PaymentError
from domain.gateway import ChargeRequest, ChargeState, RefundRequest, RefundState
from domain.money import Money
from tests.proofs.hostile.mutations import NeighbourResponse
from tests.support.fakes.gateway import FakeGateway
from tests.support.fakes.inventory import FakeInventory
from tests.support.fakes.ordering import FakeOrdering
from tests.support.fakes.world import World

STATUSES = {ChargeState.CAPTURED: 201, ChargeState.DECLINED: 402, ChargeState.VOIDED: 409}
REFUSALS = {ErrorCode.REFUND_REFUSED: "REFUND_TOO_LARGE", ErrorCode.PROCESSOR_ERROR: "KEY_REUSED"}


class Gateway(FakeGateway):
    """The fake gateway, which also returns the amounts of its charges."""

    def charge_body(self, key: str) -> dict[str, Any] | None:
        charge = self._world.charges.get(key)
        if charge is None:
            return None
        refunded = [each.amount.amount for each in self._world.refunds if each.charge_key == key]
        captured = (each.amount for each in self._world.captures if each.key == key)
        amount = next(captured, None)
        amounts = {"amount": str(amount.amount), "currency": amount.currency} if amount else {}
        return {
            "key": key,
            "state": charge.state,
            "isSimulated": charge.is_simulated,
            "transactionId": charge.transaction_id,
            "code": charge.error_code,
            "message": charge.message,
            "response": charge.simulated_response,
            **amounts,
            **({"refundedAmount": str(sum(refunded, Decimal(0)))} if refunded else {}),
        }


async def respond(world: World, request: httpx.Request) -> NeighbourResponse:
    """Carry out the request in the world, and return the response."""
    _, kind, *rest = request.url.path.split("/")
    answers: dict[tuple[str, str], Callable[[], Awaitable[NeighbourResponse]]] = {
        ("GET", "orders"): lambda: _order(world, UUID(rest[0])),
        ("GET", "reservations"): lambda: _reservation(world, UUID(rest[0])),
        ("POST", "charges"): lambda: _charge(world, request, rest),
        ("GET", "charges"): lambda: _find_charge(world, rest[0]),
        ("POST", "refunds"): lambda: _refund(world, request),
        ("GET", "refunds"): lambda: _find_refund(world, rest[0]),
    }
    return await answers[request.method, kind]()


async def _order(world: World, order_id: UUID) -> NeighbourResponse:
    try:
        order = await FakeOrdering(world).fetch_order(order_id)
    except PaymentError:
        return NeighbourResponse(404, {"error": "no such order"})
    body = {"id": str(order.id), "userId": order.customer_id, "status": order.state}
    return NeighbourResponse(
        200, body | {"totalAmount": str(order.total), "currency": order.currency}
    )


async def _reservation(world: World, reservation_id: UUID) -> NeighbourResponse:
    try:
        held = await FakeInventory(world).fetch_reservation(reservation_id)
    except PaymentError:
        return NeighbourResponse(404, {"error": "no such reservation"})
    body = {"id": held.id, "orderId": held.order_id, "customerId": held.customer_id}
    members = {name: str(value) for name, value in body.items() if value}
    ends = held.expires_at.isoformat() if held.expires_at else None
    return NeighbourResponse(200, members | {"status": held.status, "expiresAt": ends})


async def _charge(world: World, request: httpx.Request, rest: list[str]) -> NeighbourResponse:
    gateway = Gateway(world)
    if rest:
        key = rest[0]
        await world.perform("void_charge", lambda: gateway._void(key, None))
        return NeighbourResponse(200, gateway.charge_body(key))
    key, asked = request.headers["idempotency-key"], json.loads(request.content, parse_float=str)
    wanted = ChargeRequest(
        key=key,
        payment_id=asked["paymentId"],
        order_id=asked["orderId"],
        amount=Money.parse(asked["amount"], asked["currency"]),
        payment_method=asked["paymentMethod"],
    )
    try:
        charge = await gateway.charge(wanted)
    except PaymentError as refusal:
        return _refusal(422, REFUSALS[refusal.code], key)
    body = {**(gateway.charge_body(key) or {}), "state": charge.state, "refundedAmount": None}
    return NeighbourResponse(STATUSES[charge.state], body)


async def _find_charge(world: World, key: str) -> NeighbourResponse:
    body = await world.perform("find_charge", lambda: Gateway(world).charge_body(key))
    return NeighbourResponse(200, body) if body else _refusal(404, "CHARGE_NOT_FOUND", key)


async def _refund(world: World, request: httpx.Request) -> NeighbourResponse:
    key, asked = request.headers["idempotency-key"], json.loads(request.content, parse_float=str)
    amount = Money.parse(asked["amount"], asked["currency"])
    wanted = RefundRequest(key=key, charge_key=asked["chargeKey"], amount=amount)
    try:
        refund = await FakeGateway(world).refund(wanted)
    except PaymentError as refusal:
        return _refusal(422, REFUSALS[refusal.code], key)
    return NeighbourResponse(201, _refund_body(wanted, refund.state))


async def _find_refund(world: World, key: str) -> NeighbourResponse:
    found = {each.key: each for each in world.refunds}.get(key)
    await world.perform("find_refund", lambda: None)
    if found is None:
        return _refusal(404, "REFUND_NOT_FOUND", key)
    return NeighbourResponse(200, _refund_body(found, RefundState.SUCCEEDED))


def _refund_body(request: RefundRequest, state: RefundState) -> dict[str, Any]:
    amount = {"amount": str(request.amount.amount), "currency": request.amount.currency}
    return {"key": request.key, "chargeKey": request.charge_key, "state": state, **amount}


def _refusal(status: int, code: str, key: str) -> NeighbourResponse:
    return NeighbourResponse(status, {"error": "in words", "code": code, "key": key})
