"""The simulated card gateway over HTTP: `python -m devstack.neighbours.gateway`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response

from devstack.neighbours.gateway_ledger import GatewayLedger
from devstack.neighbours.gateway_models import Behaviour, ChargeRequest, RefundRequest
from devstack.neighbours.json_http import ApiError, json_array, model_response, read_body
from devstack.neighbours.service import create_service, serve
from devstack.neighbours.settings import NeighbourSettings

_KEY = re.compile(r"[\w.:~-]{1,255}", re.ASCII)
_CHARGE_STATUS = {"captured": 201, "declined": 402, "voided": 409}
_REPLAYED = {"Idempotent-Replayed": "true"}

router = APIRouter()


@router.post("/charges")
async def charge(request: Request) -> Response:
    key = _idempotency_key(request)
    with _errors_with_key(key):
        body = await read_body(request, ChargeRequest)
        charge, is_replay = await _ledger(request).charge(key, body)
    return model_response(charge, _CHARGE_STATUS[charge.state], _REPLAYED if is_replay else None)


@router.get("/charges/{key}")
async def find_charge(request: Request, key: str) -> Response:
    charge = _ledger(request).find(key)
    if charge is None:
        error = f"no charge has the key {key}: nothing was captured so far"
        raise ApiError(404, error, code="CHARGE_NOT_FOUND", key=key)
    return model_response(charge)


@router.post("/charges/{key}/void")
async def void(request: Request, key: str) -> Response:
    return model_response(_ledger(request).void(key))


@router.post("/refunds")
async def refund(request: Request) -> Response:
    key = _idempotency_key(request)
    with _errors_with_key(key):
        refund, is_replay = _ledger(request).refund(key, await read_body(request, RefundRequest))
    return model_response(refund, 201, _REPLAYED if is_replay else None)


@router.get("/refunds/{key}")
async def find_refund(request: Request, key: str) -> Response:
    refund = _ledger(request).find_refund(key)
    if refund is None:
        error = f"no refund has the key {key}: nothing was refunded so far"
        raise ApiError(404, error, code="REFUND_NOT_FOUND", key=key)
    return model_response(refund)


@router.get("/charges")
async def charges(
    request: Request,
    order_id: Annotated[str | None, Query(alias="orderId")] = None,
    payment_id: Annotated[str | None, Query(alias="paymentId")] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The latest `limit` charges of this order and payment, oldest first."""
    found = [
        charge
        for charge in _ledger(request).charges()
        if order_id in (None, charge.order_id) and payment_id in (None, charge.payment_id)
    ]
    return model_response(found[-limit:] if limit else found)


@router.get("/settings")
async def settings(request: Request) -> Response:
    return model_response(_ledger(request).behaviour)


@router.put("/settings")
async def change_settings(request: Request) -> Response:
    """Change the members in the body; the others keep their values."""
    ledger = _ledger(request)
    body = await read_body(request, Behaviour)
    ledger.set_behaviour(ledger.behaviour.with_changes(body))
    return model_response(ledger.behaviour)


@router.put("/settings/{order_id}")
async def change_order_settings(request: Request, order_id: str) -> Response:
    """Set the behaviour of this order's charges. Members that are left out get their defaults."""
    behaviour = await read_body(request, Behaviour)
    _ledger(request).set_order_behaviour(order_id, behaviour)
    return model_response(behaviour)


@router.get("/ledger")
async def ledger(
    request: Request,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The first `limit` entries with a sequence number above `after`, oldest first."""
    return json_array(_ledger(request).journal.lines_after(after, limit))


def _ledger(request: Request) -> GatewayLedger:
    ledger: GatewayLedger = request.app.state.ledger
    return ledger


@contextmanager
def _errors_with_key(key: str) -> Iterator[None]:
    """Add the key to error bodies: clients trust an error only if it names their key."""
    try:
        yield
    except ApiError as error:
        error.members["key"] = key
        raise


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(key):
        raise ApiError(400, "send an Idempotency-Key of 1 to 255 letters, digits and . _ : ~ -")
    return key


def create_app(settings: NeighbourSettings) -> FastAPI:
    behaviour = Behaviour(
        success_rate=settings.gateway_success_rate, latency_ms=settings.gateway_latency_ms
    )
    ledger = GatewayLedger(settings.journal_path("gateway"), behaviour, settings.gateway_seed)
    app = create_service("gateway", router, ledger.journal)
    app.state.ledger = ledger
    return app


if __name__ == "__main__":
    gateway_settings = NeighbourSettings()
    serve(create_app(gateway_settings), gateway_settings, gateway_settings.gateway_port)
