"""A fake of Inventory: it has the reservations of the world."""

from uuid import UUID

from activities.ports import Inventory
from domain.errors import ErrorCode, PaymentError
from domain.verification import Reservation
from tests.support.fakes.world import World


class FakeInventory(Inventory):
    def __init__(self, world: World) -> None:
        self._world = world

    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        return await self._world.perform("fetch_reservation", lambda: self._find(reservation_id))

    def _find(self, reservation_id: UUID) -> Reservation:
        if reservation_id not in self._world.reservations:
            raise PaymentError(ErrorCode.RESERVATION_NOT_ACTIVE, "There is no such reservation.")
        return self._world.reservations[reservation_id]
