"""The simulated Inventory over HTTP: `python -m devstack.neighbours.inventory`."""

from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import Field

from devstack.neighbours.journal import Journal, utc_now
from devstack.neighbours.neighbour import (
    NeighbourSettings,
    Refusal,
    UtcTime,
    UuidText,
    Wire,
    answer,
    neighbour_app,
    read,
    serve,
)

_HOLD = timedelta(minutes=15)

ReservationStatus = Literal["active", "expired", "confirmed"]


class Reservation(Wire):
    """A hold on a seat, as it is asked for and as it is answered."""

    id: UuidText = Field(default_factory=lambda: str(uuid4()))
    order_id: UuidText | None = None
    customer_id: UuidText | None = None
    status: ReservationStatus = "active"
    expires_at: UtcTime = Field(default_factory=lambda: utc_now() + _HOLD)


class ReservationChange(Wire):
    status: ReservationStatus | None = None
    expires_at: UtcTime | None = None


class Reservations:
    """Reservations by id; an active one lapses by itself when its time has come."""

    def __init__(self, path: Path) -> None:
        self._reservations: dict[str, Reservation] = {}
        self.journal = Journal(path, self._apply)

    def _apply(self, _kind: str, data: dict[str, Any]) -> None:
        reservation = Reservation.model_validate(data)
        self._reservations[reservation.id] = reservation

    def create(self, reservation: Reservation) -> Reservation:
        """Raises Refusal with 409 if the id is taken."""
        if reservation.id in self._reservations:
            raise Refusal(409, f"reservation {reservation.id} exists: PATCH it or use a new id")
        self.journal.append("reservation.created", reservation.model_dump())
        return self.find(reservation.id)

    def find(self, reservation_id: str) -> Reservation:
        """The reservation as of now. Raises Refusal with 404."""
        reservation = self._held(reservation_id)
        if reservation.status == "active" and reservation.expires_at <= utc_now():
            return reservation.model_copy(update={"status": "expired"})
        return reservation

    def change(self, reservation_id: str, change: ReservationChange) -> Reservation:
        """Members that are left out stay as they are. Raises Refusal with 404."""
        wanted = {name: value for name, value in change if value is not None}
        reservation = self._held(reservation_id).model_copy(update=wanted)
        self.journal.append("reservation.changed", reservation.model_dump())
        return self.find(reservation_id)

    def _held(self, reservation_id: str) -> Reservation:
        reservation = self._reservations.get(reservation_id)
        if reservation is None:
            raise Refusal(404, f"there is no reservation {reservation_id}: POST /reservations")
        return reservation


router = APIRouter()


@router.post("/reservations")
async def create_reservation(request: Request) -> Response:
    return answer(_reservations(request).create(await read(request, Reservation)), 201)


@router.get("/reservations/{reservation_id}")
async def get_reservation(request: Request, reservation_id: str) -> Response:
    return answer(_reservations(request).find(reservation_id))


@router.patch("/reservations/{reservation_id}")
async def change_reservation(request: Request, reservation_id: str) -> Response:
    change = await read(request, ReservationChange)
    return answer(_reservations(request).change(reservation_id, change))


def _reservations(request: Request) -> Reservations:
    reservations: Reservations = request.app.state.reservations
    return reservations


def build(settings: NeighbourSettings) -> FastAPI:
    reservations = Reservations(settings.journal_of("inventory"))
    app = neighbour_app("inventory", router, reservations.journal)
    app.state.reservations = reservations
    return app


if __name__ == "__main__":
    neighbour_settings = NeighbourSettings()
    serve(build(neighbour_settings), neighbour_settings, neighbour_settings.inventory_port)
