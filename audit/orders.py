"""Read orders from Ordering."""

from http import HTTPStatus
from uuid import UUID

import httpx

from audit.books import OrderState
from domain import exact_json

MISSING = "missing"
"""Status of an order that Ordering does not have."""


async def read_order(ordering: httpx.AsyncClient, order_id: UUID) -> OrderState:
    """Raises ValueError for an answer that is no order, and httpx.HTTPError."""
    answer = await ordering.get(f"/orders/{order_id}")
    return order_state(answer.status_code, answer.content)


def order_state(status: int, content: bytes) -> OrderState:
    """What an answer of Ordering says. Raises ValueError if it is neither an order nor a 404."""
    if status == HTTPStatus.NOT_FOUND:
        return OrderState(MISSING, None)
    order = exact_json.loads(content) if status == HTTPStatus.OK else None
    if not isinstance(order, dict):
        raise ValueError(f"HTTP {status}")  # noqa: TRY004 (an answer of another kind)
    state = order.get("status") or order.get("state") or "unknown"
    paid_by = order.get("paymentId")
    if not isinstance(state, str) or not isinstance(paid_by, str | None):
        raise ValueError("a member that is not text")  # noqa: TRY004 (JSON of another shape)
    return OrderState(state, UUID(paid_by) if paid_by else None)
