"""The simulated Ordering over HTTP and Kafka: `python -m devstack.neighbours.ordering`."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response

from devstack.neighbours.json_http import json_array, model_response, read_body
from devstack.neighbours.orders import OrderChange, OrderRequest, OrderStore
from devstack.neighbours.payment_events import consume_events
from devstack.neighbours.service import create_service, serve
from devstack.neighbours.settings import NeighbourSettings

router = APIRouter()


@router.post("/orders")
async def create_order(request: Request) -> Response:
    order, is_new = _orders(request).create(await read_body(request, OrderRequest))
    return model_response(order, 201 if is_new else 200)


@router.get("/orders/{order_id}")
async def find_order(request: Request, order_id: str) -> Response:
    return model_response(_orders(request).find(order_id))


@router.patch("/orders/{order_id}")
async def change_order(request: Request, order_id: str) -> Response:
    change = await read_body(request, OrderChange)
    return model_response(_orders(request).change(order_id, change))


@router.get("/events")
async def events(
    request: Request, order_id: Annotated[str | None, Query(alias="orderId")] = None
) -> Response:
    """Every consumed event with its outcome: applied, repeated, refused or rejected."""
    return json_array(_orders(request).events(order_id))


@router.get("/events/refused")
async def refused_events(request: Request) -> Response:
    """Valid events that do not fit the order: it does not exist, or its status forbids them."""
    return json_array(_orders(request).events(outcome="refused"))


@router.get("/events/rejected")
async def rejected_events(request: Request) -> Response:
    """Events that do not follow the schema of their topic."""
    return json_array(_orders(request).events(outcome="rejected"))


def _orders(request: Request) -> OrderStore:
    orders: OrderStore = request.app.state.orders
    return orders


def create_app(settings: NeighbourSettings) -> FastAPI:
    orders = OrderStore(settings.journal_path("ordering"))
    consumer = partial(consume_events, settings.kafka_bootstrap_servers, orders.consume)
    app = create_service("ordering", router, orders.journal, consumer)
    app.state.orders = orders
    return app


if __name__ == "__main__":
    ordering_settings = NeighbourSettings()
    serve(create_app(ordering_settings), ordering_settings, ordering_settings.ordering_port)
