"""The simulated Inventory over HTTP: `python -m devstack.neighbours.inventory`."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import Field

from devstack.neighbours.journal import Journal
from devstack.neighbours.json_http import ApiError, model_response, read_body
from devstack.neighbours.json_models import JsonModel, UtcTime, UuidText
from devstack.neighbours.service import create_service, serve
from devstack.neighbours.settings import NeighbourSettings
from devstack.neighbours.times import utc_now

_HOLD = timedelta(minutes=15)
"""How long a seat is reserved unless the request says otherwise. Chosen, not measured."""

ReservationStatus = Literal["active", "expired", "confirmed"]


class Reservation(JsonModel):
    """A reserved seat. The same members are in the request and in the response."""

    id: UuidText = Field(default_factory=lambda: str(uuid4()))
    order_id: UuidText | None = None
    customer_id: UuidText | None = None
    status: ReservationStatus = "active"
    expires_at: UtcTime = Field(default_factory=lambda: utc_now() + _HOLD)


class ReservationChange(JsonModel):
    status: ReservationStatus | None = None
    expires_at: UtcTime | None = None


class Reservations:
    """Reservations by id. An active one is shown as expired once its time has passed."""

    def __init__(self, path: Path) -> None:
        self._reservations: dict[str, Reservation] = {}
        self.journal = Journal(path, self._apply)

    def _apply(self, _kind: str, data: dict[str, Any]) -> None:
        reservation = Reservation.model_validate(data)
        self._reservations[reservation.id] = reservation

    def create(self, reservation: Reservation) -> Reservation:
        """Raises ApiError with 409 if the id exists."""
        if reservation.id in self._reservations:
            raise ApiError(409, f"reservation {reservation.id} exists: PATCH it or use a new id")
        self.journal.append("reservation.created", reservation.model_dump())
        return self.find(reservation.id)

    def find(self, reservation_id: str) -> Reservation:
        """The reservation as it is now. Raises ApiError with 404 if there is none."""
        reservation = self._stored(reservation_id)
        if reservation.status == "active" and reservation.expires_at <= utc_now():
            return reservation.model_copy(update={"status": "expired"})
        return reservation

    def change(self, reservation_id: str, change: ReservationChange) -> Reservation:
        """Change the members that are given. Raises ApiError with 404 if there is none."""
        values = {name: value for name, value in change if value is not None}
        reservation = self._stored(reservation_id).model_copy(update=values)
        self.journal.append("reservation.changed", reservation.model_dump())
        return self.find(reservation_id)

    def _stored(self, reservation_id: str) -> Reservation:
        reservation = self._reservations.get(reservation_id)
        if reservation is None:
            raise ApiError(404, f"there is no reservation {reservation_id}: POST /reservations")
        return reservation


router = APIRouter()


@router.post("/reservations")
async def create_reservation(request: Request) -> Response:
    reservation = await read_body(request, Reservation)
    return model_response(_reservations(request).create(reservation), 201)


@router.get("/reservations/{reservation_id}")
async def find_reservation(request: Request, reservation_id: str) -> Response:
    return model_response(_reservations(request).find(reservation_id))


@router.patch("/reservations/{reservation_id}")
async def change_reservation(request: Request, reservation_id: str) -> Response:
    change = await read_body(request, ReservationChange)
    return model_response(_reservations(request).change(reservation_id, change))


def _reservations(request: Request) -> Reservations:
    reservations: Reservations = request.app.state.reservations
    return reservations


def create_app(settings: NeighbourSettings) -> FastAPI:
    reservations = Reservations(settings.journal_path("inventory"))
    app = create_service("inventory", router, reservations.journal)
    app.state.reservations = reservations
    return app


if __name__ == "__main__":
    inventory_settings = NeighbourSettings()
    serve(create_app(inventory_settings), inventory_settings, inventory_settings.inventory_port)
