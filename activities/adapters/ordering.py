"""Reads orders from Ordering over HTTP. The names of JSON members differ between deployments."""

from decimal import Decimal
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, Field, ValidationError

from activities.adapters.json_client import JsonClient
from activities.adapters.response_body import MAX_DIGITS, ResponseBody, is_about, read_uuid
from domain.errors import ErrorCode, PaymentError
from domain.text import Lower, Upper
from domain.verification import PENDING, Order


def _normalized_owner(owner: str) -> str:
    return str(read_uuid(owner) or owner)


Owner = Annotated[Lower, AfterValidator(_normalized_owner)]


class OrderResponse(ResponseBody):
    """The members of an order that we read. The aliases are their names in known deployments."""

    id: str | None = None
    order_id: str | None = Field(default=None, validation_alias="orderId")
    owner: Owner | None = Field(
        default=None, validation_alias=AliasChoices("userId", "customerId", "customerEmail")
    )
    state: Lower | None = Field(default=None, validation_alias=AliasChoices("state", "status"))
    total: Decimal = Field(
        max_digits=MAX_DIGITS, validation_alias=AliasChoices("totalAmount", "total", "price")
    )
    currency: Upper | None = None


class HttpOrdering:
    """Implements `Ordering`. With `accept_without_state`, an order without a state is pending."""

    def __init__(self, client: JsonClient, *, accept_without_state: bool) -> None:
        self._client = client
        self._accept_without_state = accept_without_state

    async def fetch_order(self, order_id: UUID) -> Order:
        status, body = await self._client.request("GET", f"/orders/{order_id}")
        if status == HTTPStatus.NOT_FOUND:
            raise PaymentError(ErrorCode.ORDER_NOT_FOUND, "Order not found.")
        try:
            response = OrderResponse.model_validate(body if status == HTTPStatus.OK else None)
        except ValidationError as error:
            raise self._client.unavailable(f"HTTP {status}, not an order") from error
        if not is_about(order_id, response.id, response.order_id):
            raise self._client.unavailable("the response is about another order")
        return Order(
            id=order_id,
            customer_id=response.owner,
            state=response.state or (PENDING if self._accept_without_state else None),
            total=response.total,
            currency=response.currency,
        )
