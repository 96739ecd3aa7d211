"""Reads the states of orders from Ordering over HTTP, for the audit."""

from http import HTTPStatus
from uuid import UUID

import httpx

from activities.audit_ports import MISSING, OrderState
from domain import exact_json


class HttpOrderStates:
    """Implements `OrderStates`. Raises httpx.HTTPError, or ValueError like `read_order_state`."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def find(self, order_id: UUID) -> OrderState:
        response = await self._http.get(f"/orders/{order_id}")
        return read_order_state(response.status_code, response.content)


def read_order_state(status: int, content: bytes) -> OrderState:
    """Read a response of Ordering. Raises ValueError if it is neither an order nor a 404."""
    if status == HTTPStatus.NOT_FOUND:
        return OrderState(MISSING, None)
    order = exact_json.loads(content) if status == HTTPStatus.OK else None
    if not isinstance(order, dict):
        raise ValueError(f"HTTP {status}")  # noqa: TRY004 (a response of another kind)
    state = order.get("status") or order.get("state") or "unknown"
    paid_by = order.get("paymentId")
    if not isinstance(state, str) or not isinstance(paid_by, str | None):
        raise ValueError("The status or the payment id is not text.")  # noqa: TRY004 (JSON of another shape)
    return OrderState(state, UUID(paid_by) if paid_by else None)
