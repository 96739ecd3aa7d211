"""Inventory over HTTP, and its stand-in for deployments that have no such address."""

from http import HTTPStatus
from typing import Annotated, Self
from uuid import UUID

from pydantic import (
    BeforeValidator,
    Field,
    ValidationError,
    model_validator,
)

from activities.adapters.http import Answer, Neighbour, Time, is_about, read_uuid
from domain.errors import ErrorCode, PaymentError
from domain.text import Lower
from domain.verification import ACTIVE, Reservation


def _uuid(text: object) -> object:
    return read_uuid(text) or text


Id = Annotated[UUID, BeforeValidator(_uuid)]


class ReservationAnswer(Answer):
    id: str | None = None
    reservation_id: str | None = Field(default=None, validation_alias="reservationId")
    status: Lower
    order_id: Id | None = Field(default=None, validation_alias="orderId")
    customer: str | None = Field(default=None, validation_alias="customerId")
    expires_at: Time = Field(default=None, validation_alias="expiresAt")

    @model_validator(mode="after")
    def _says_whose_it_is(self) -> Self:
        """A customer who is named in another way cannot be compared: then the order must be."""
        if self.customer and not self.customer_id and not self.order_id:
            raise ValueError("names neither its order nor its customer by an id")
        return self

    @property
    def customer_id(self) -> UUID | None:
        return read_uuid(self.customer)


class HttpInventory:
    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        status, body = await self._neighbour.ask("GET", f"/reservations/{reservation_id}")
        if status == HTTPStatus.NOT_FOUND:
            raise PaymentError(
                ErrorCode.RESERVATION_NOT_ACTIVE,
                "Reservation validation failed: there is no such reservation.",
            )
        try:
            answer = ReservationAnswer.model_validate(body if status == HTTPStatus.OK else None)
        except ValidationError as error:
            raise self._neighbour.unavailable(f"HTTP {status}, not a reservation") from error
        if not is_about(reservation_id, answer.id, answer.reservation_id):
            raise self._neighbour.unavailable("its answer is about another reservation")
        return Reservation(
            id=reservation_id,
            status=answer.status,
            order_id=answer.order_id,
            customer_id=answer.customer_id,
            expires_at=answer.expires_at,
        )


class UncheckedInventory:
    """Takes every reservation as active and as nobody's: it is paid for, but never released."""

    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        return Reservation(id=reservation_id, status=ACTIVE)
