"""Endpoints that show events and their delivery to tests and operators. Stripe has none of them."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from devstack.neighbours.json_http import ApiError, json_response
from devstack.neighbours.stripe.customers import catch_up
from devstack.neighbours.stripe.deliveries import Deliveries
from devstack.neighbours.stripe.protocol import protocol_of
from domain import exact_json

router = APIRouter()


@router.get("/events")
async def events(
    request: Request, order_id: Annotated[str | None, Query(alias="orderId")] = None
) -> Response:
    """The latest events, of this order if one is named, oldest first."""
    account = protocol_of(request).account
    catch_up(account)
    shown = [
        {
            "id": each.id,
            "type": each.type,
            "objectId": each.object_id,
            "orderId": each.order_id,
            "isSent": each.id not in account.outbox.unsent,
        }
        for each in account.outbox.recent
        if order_id in (None, each.order_id)
    ]
    return _json(shown)


@router.post("/events/{identifier}/send")
async def send_event(request: Request, identifier: str) -> Response:
    """Send the event once more, as from the dashboard.

    The response is `{"status": …}`: the HTTP status of the endpoint, or null without a response.
    """
    event = protocol_of(request).account.outbox.find(identifier)
    if event is None:
        raise ApiError(404, f"there is no event {identifier} any more")
    return _json({"status": await _deliveries(request).send(event)})


@router.get("/deliveries")
async def deliveries(request: Request) -> Response:
    """How many requests were sent and accepted since the start, and how many events are unsent."""
    found = _deliveries(request)
    unsent = len(protocol_of(request).account.outbox.unsent)
    return _json({"sent": found.sent, "accepted": found.accepted, "unsent": unsent})


def _deliveries(request: Request) -> Deliveries:
    deliveries: Deliveries = request.app.state.deliveries
    return deliveries


def _json(content: Any) -> Response:
    return json_response(exact_json.dumps(content))
