"""Ordering over HTTP. Its answers vary between deployments, so they are read tolerantly."""

from decimal import Decimal
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from pydantic import AliasChoices, BeforeValidator, Field, ValidationError

from activities.adapters.http import Answer, Neighbour
from domain.errors import ErrorCode, PaymentError
from domain.verification import PENDING, Order


def _lower(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


Lower = Annotated[str, BeforeValidator(_lower)]


class OrderAnswer(Answer):
    """The members that some deployment of Ordering uses for what we need."""

    owner: Lower | None = Field(
        default=None, validation_alias=AliasChoices("userId", "customerId", "customerEmail")
    )
    state: Lower | None = Field(default=None, validation_alias=AliasChoices("state", "status"))
    total: Decimal = Field(
        max_digits=30, validation_alias=AliasChoices("totalAmount", "total", "price")
    )
    currency: str | None = None


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
        return Order(
            id=order_id,
            customer_id=answer.owner,
            state=answer.state or (PENDING if self._accept_stateless else None),
            total=answer.total,
            currency=answer.currency,
        )
