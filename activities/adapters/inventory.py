"""Reads reservations from Inventory over HTTP, and a replacement for deployments without it."""

from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from activities.adapters.json_client import JsonClient
from activities.adapters.response_body import ResponseBody, Time, is_about, read_uuid
from domain.errors import ErrorCode, PaymentError
from domain.text import Lower
from domain.verification import ACTIVE, Reservation


def _uuid(text: object) -> object:
    return read_uuid(text) or text


Id = Annotated[UUID, BeforeValidator(_uuid)]


class ReservationResponse(ResponseBody):
    id: str | None = None
    reservation_id: str | None = Field(default=None, validation_alias="reservationId")
    status: Lower
    order_id: Id | None = Field(default=None, validation_alias="orderId")
    customer: str | None = Field(default=None, validation_alias="customerId")
    expires_at: Time = Field(default=None, validation_alias="expiresAt")

    @model_validator(mode="after")
    def _require_a_comparable_owner(self) -> Self:
        """Raise ValueError if only the customer is named, and its id is not a UUID."""
        if self.customer and not self.customer_id and not self.order_id:
            raise ValueError("names neither its order nor its customer by an id")
        return self

    @property
    def customer_id(self) -> UUID | None:
        return read_uuid(self.customer)


class HttpInventory:
    """Implements `Inventory`."""

    def __init__(self, client: JsonClient) -> None:
        self._client = client

    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        status, body = await self._client.request("GET", f"/reservations/{reservation_id}")
        if status == HTTPStatus.NOT_FOUND:
            raise PaymentError(
                ErrorCode.RESERVATION_NOT_ACTIVE,
                "Reservation validation failed: there is no such reservation.",
            )
        try:
            response = ReservationResponse.model_validate(body if status == HTTPStatus.OK else None)
        except ValidationError as error:
            raise self._client.unavailable(f"HTTP {status}, not a reservation") from error
        if not is_about(reservation_id, response.id, response.reservation_id):
            raise self._client.unavailable("the response is about another reservation")
        return Reservation(
            id=reservation_id,
            status=response.status,
            order_id=response.order_id,
            customer_id=response.customer_id,
            expires_at=response.expires_at,
        )


class UncheckedInventory:
    """Implements `Inventory` for `RESERVATION_CHECK=off`: every reservation counts as active.

    Nobody has said to which order it belongs, so the event of a failed payment never names it.
    """

    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        return Reservation(id=reservation_id, status=ACTIVE)
