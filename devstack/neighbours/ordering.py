"""The simulated Ordering over HTTP and Kafka: `python -m devstack.neighbours.ordering`."""

from functools import partial
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query, Request, Response

from devstack.neighbours.neighbour import (
    NeighbourSettings,
    answer,
    json_list,
    neighbour_app,
    read,
    serve,
)
from devstack.neighbours.order_book import OrderBook, OrderChange, OrderRequest
from devstack.neighbours.payment_events import follow

router = APIRouter()


@router.post("/orders")
async def create_order(request: Request) -> Response:
    order, is_new = _orders(request).create(await read(request, OrderRequest))
    return answer(order, 201 if is_new else 200)


@router.get("/orders/{order_id}")
async def get_order(request: Request, order_id: str) -> Response:
    return answer(_orders(request).find(order_id))


@router.patch("/orders/{order_id}")
async def change_order(request: Request, order_id: str) -> Response:
    return answer(_orders(request).change(order_id, await read(request, OrderChange)))


@router.get("/events")
async def events(
    request: Request, order_id: Annotated[str | None, Query(alias="orderId")] = None
) -> Response:
    """Every consumed event with its outcome: applied, repeated, refused or rejected."""
    return json_list(_orders(request).heard(order_id))


@router.get("/events/refused")
async def refused_events(request: Request) -> Response:
    """Events that contradict their order: it is not there or was no longer pending."""
    return json_list(_orders(request).heard(outcome="refused"))


@router.get("/events/rejected")
async def rejected_events(request: Request) -> Response:
    """Events that break the contract of their topic."""
    return json_list(_orders(request).heard(outcome="rejected"))


def _orders(request: Request) -> OrderBook:
    orders: OrderBook = request.app.state.orders
    return orders


def build(settings: NeighbourSettings) -> FastAPI:
    orders = OrderBook(settings.journal_of("ordering"))
    consuming = partial(follow, settings.kafka_bootstrap_servers, orders.consume)
    app = neighbour_app("ordering", router, orders.journal, consuming)
    app.state.orders = orders
    return app


if __name__ == "__main__":
    neighbour_settings = NeighbourSettings()
    serve(build(neighbour_settings), neighbour_settings, neighbour_settings.ordering_port)
