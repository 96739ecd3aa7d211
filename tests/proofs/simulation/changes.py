"""What happens to an order or a reservation while a payment is under way, and is not our doing."""

from typing import TYPE_CHECKING
from uuid import UUID

from domain.verification import ACTIVE, PENDING
from tests.proofs.simulation.faults import Kind
from tests.proofs.simulation.hearing import FREE, SOLD

if TYPE_CHECKING:
    from tests.support.fakes.world import World

ORDERS = {Kind.ORDER_CANCELLED: "cancelled", Kind.ORDER_PAID: "paid"}
RESERVATIONS = {Kind.RESERVATION_EXPIRED: FREE, Kind.RESERVATION_SOLD: SOLD}


class Changes:
    """`orders` are those that were changed."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.orders: set[UUID] = set()

    def have(self, kind: Kind | None) -> None:
        """Have the effect of one of `CHANGES` on every order and reservation of the world."""
        for order in list(self._world.orders.values()):
            if kind in ORDERS and order.state == PENDING:
                self.orders.add(order.id)
                changed = order.model_copy(update={"state": ORDERS[kind]})
                self._world.orders[order.id] = changed
        for held in list(self._world.reservations.values()):
            if kind in RESERVATIONS and held.status == ACTIVE:
                changed_hold = held.model_copy(update={"status": RESERVATIONS[kind]})
                self._world.reservations[held.id] = changed_hold
