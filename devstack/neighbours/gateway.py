"""The simulated card gateway over HTTP: `python -m devstack.neighbours.gateway`."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response

from devstack.neighbours.gateway_books import Behaviour, ChargeRequest, GatewayBooks, RefundRequest
from devstack.neighbours.neighbour import (
    NeighbourSettings,
    Refusal,
    answer,
    json_list,
    neighbour_app,
    read,
    serve,
)

_KEY = re.compile(r"[\w.:~-]{1,255}", re.ASCII)
_CHARGE_STATUS = {"captured": 201, "declined": 402, "voided": 409}
_REPLAYED = {"Idempotent-Replayed": "true"}

router = APIRouter()


@router.post("/charges")
async def charge(request: Request) -> Response:
    key = _idempotency_key(request)
    with _refusals_naming(key):
        charge, replayed = await _books(request).charge(key, await read(request, ChargeRequest))
    return answer(charge, _CHARGE_STATUS[charge.state], _REPLAYED if replayed else None)


@router.get("/charges/{key}")
async def look_up(request: Request, key: str) -> Response:
    charge = _books(request).find(key)
    if charge is None:
        error = f"no charge has the key {key}: nothing was captured so far"
        raise Refusal(404, error, code="CHARGE_NOT_FOUND", key=key)
    return answer(charge)


@router.post("/charges/{key}/void")
async def void(request: Request, key: str) -> Response:
    return answer(_books(request).void(key))


@router.post("/refunds")
async def refund(request: Request) -> Response:
    key = _idempotency_key(request)
    with _refusals_naming(key):
        refund, replayed = _books(request).refund(key, await read(request, RefundRequest))
    return answer(refund, 201, _REPLAYED if replayed else None)


@router.get("/refunds/{key}")
async def look_up_refund(request: Request, key: str) -> Response:
    refund = _books(request).find_refund(key)
    if refund is None:
        error = f"no refund has the key {key}: nothing was given back so far"
        raise Refusal(404, error, code="REFUND_NOT_FOUND", key=key)
    return answer(refund)


@router.get("/charges")
async def charges(
    request: Request,
    order_id: Annotated[str | None, Query(alias="orderId")] = None,
    payment_id: Annotated[str | None, Query(alias="paymentId")] = None,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The newest `limit` charges that match, newest last."""
    found = [
        charge
        for charge in _books(request).charges()
        if order_id in (None, charge.order_id) and payment_id in (None, charge.payment_id)
    ]
    return answer(found[-limit:] if limit else found)


@router.get("/settings")
async def settings(request: Request) -> Response:
    return answer(_books(request).behaviour)


@router.put("/settings")
async def change_settings(request: Request) -> Response:
    """Members that are left out stay as they are."""
    books = _books(request)
    wanted = (await read(request, Behaviour)).model_dump(by_alias=False, exclude_unset=True)
    books.behave(books.behaviour.model_copy(update=wanted))
    return answer(books.behaviour)


@router.put("/settings/{order_id}")
async def change_settings_of_order(request: Request, order_id: str) -> Response:
    """How this order's charges go, whatever the others' do."""
    behaviour = await read(request, Behaviour)
    _books(request).behave_towards(order_id, behaviour)
    return answer(behaviour)


@router.get("/ledger")
async def ledger(
    request: Request,
    after: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The first `limit` effects with a sequence number above `after`, oldest first."""
    return json_list(_books(request).journal.lines_after(after, limit))


def _books(request: Request) -> GatewayBooks:
    books: GatewayBooks = request.app.state.books
    return books


@contextmanager
def _refusals_naming(key: str) -> Iterator[None]:
    """Callers believe a refusal only if it names their key."""
    try:
        yield
    except Refusal as refusal:
        refusal.members["key"] = key
        raise


def _idempotency_key(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if not _KEY.fullmatch(key):
        raise Refusal(400, "send an Idempotency-Key of 1 to 255 letters, digits and . _ : ~ -")
    return key


def build(settings: NeighbourSettings) -> FastAPI:
    behaviour = Behaviour(
        success_rate=settings.gateway_success_rate, latency_ms=settings.gateway_latency_ms
    )
    books = GatewayBooks(settings.journal_of("gateway"), behaviour, settings.gateway_seed)
    app = neighbour_app("gateway", router, books.journal)
    app.state.books = books
    return app


if __name__ == "__main__":
    neighbour_settings = NeighbourSettings()
    serve(build(neighbour_settings), neighbour_settings, neighbour_settings.gateway_port)
