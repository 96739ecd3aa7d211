"""Ordering over HTTP. Its answers vary between deployments, so they are read tolerantly."""

from decimal import Decimal
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, Field, ValidationError

from activities.adapters.http import Answer, Neighbour, is_about, read_uuid
from domain.errors import ErrorCode, PaymentError
from domain.text import Lower, Upper
from domain.verification import PENDING, Order


def _one_spelling(owner: str) -> str:
    return str(read_uuid(owner) or owner)


Owner = Annotated[Lower, AfterValidator(_one_spelling)]


class OrderAnswer(Answer):
    """The members that some deployment of Ordering uses for what we need."""

    id: str | None = None
    order_id: str | None = Field(default=None, validation_alias="orderId")
    owner: Owner | None = Field(
        default=None, validation_alias=AliasChoices("userId", "customerId", "customerEmail")
    )
    state: Lower | None = Field(default=None, validation_alias=AliasChoices("state", "status"))
    total: Decimal = Field(
        max_digits=30, validation_alias=AliasChoices("totalAmount", "total", "price")
    )
    currency: Upper | None = None


class HttpOrdering:
    """`accept_stateless` lets an order whose answer has no state count as pending."""

    def __init__(self, neighbour: Neighbour, *, accept_stateless: bool) -> None:
        self._neighbour = neighbour
        self._accept_stateless = accept_stateless

    async def fetch_order(self, order_id: UUID) -> Order:
        status, body = await self._neighbour.ask("GET", f"/orders/{order_id}")
        if status == HTTPStatus.NOT_FOUND:
            raise PaymentError(ErrorCode.ORDER_NOT_FOUND, "Order not found.")
        try:
            answer = OrderAnswer.model_validate(body if status == HTTPStatus.OK else None)
        except ValidationError as error:
            raise self._neighbour.unavailable(f"HTTP {status}, not an order") from error
        if not is_about(order_id, answer.id, answer.order_id):
            raise self._neighbour.unavailable("its answer is about another order")
        return Order(
            id=order_id,
            customer_id=answer.owner,
            state=answer.state or (PENDING if self._accept_stateless else None),
            total=answer.total,
            currency=answer.currency,
        )
