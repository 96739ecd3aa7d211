"""Inventory over HTTP, and its stand-in for deployments that have no such address."""

from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, AliasChoices, Field, ValidationError

from activities.adapters.http import Answer, Neighbour
from activities.adapters.ordering import Lower
from domain.errors import ErrorCode, PaymentError
from domain.verification import ACTIVE, Reservation


def _in_utc(time: datetime) -> datetime:
    """A time that names no zone is UTC, as all times of the wire contract are."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class ReservationAnswer(Answer):
    id: UUID | None = Field(default=None, validation_alias=AliasChoices("id", "reservationId"))
    status: Lower
    order_id: UUID | None = Field(default=None, validation_alias="orderId")
    customer_id: UUID | None = Field(default=None, validation_alias="customerId")
    expires_at: Annotated[datetime, AfterValidator(_in_utc)] | None = Field(
        default=None, validation_alias="expiresAt"
    )


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
        if answer.id not in {None, reservation_id}:
            raise self._neighbour.unavailable("its answer is about another reservation")
        return Reservation(id=reservation_id, **answer.model_dump(exclude={"id"}))


class UncheckedInventory:
    """Takes every reservation as active and as nobody's: it is paid for, but never released."""

    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        return Reservation(id=reservation_id, status=ACTIVE)
