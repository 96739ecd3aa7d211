"""What others do to an order, a reservation or an attempt while a payment is under way."""

from typing import TYPE_CHECKING
from uuid import UUID

from domain.verification import ACTIVE, PENDING
from tests.proofs.simulation.faults import Kind
from tests.proofs.simulation.hearing import FREE, SOLD
from tests.support.fakes.opening_gateway import Attempt

if TYPE_CHECKING:
    from tests.support.fakes.world import World

ORDERS = {Kind.ORDER_CANCELLED: "cancelled", Kind.ORDER_PAID: "paid"}
ACTS = {Kind.CONFIRMED: Attempt.customer_confirms, Kind.NOT_AUTHENTICATED: Attempt.customer_refuses}
"""A customer can act on a page only after the page was shown. A bank may ask in its own app before
that."""
RESERVATIONS = {Kind.RESERVATION_EXPIRED: FREE, Kind.RESERVATION_SOLD: SOLD}
SECOND = 2
"""The number of the lookup before which the customer acts. The first lookup may come at once, and a
customer needs some seconds."""


class Changes:
    """Makes the changes in a world. `orders` has the ids of the changed orders."""

    def __init__(self, world: "World") -> None:
        self._world = world
        self.customer: Kind | None = None
        """What the customer does just before the second lookup of the attempt."""
        self._looks = 0
        self.orders: set[UUID] = set()

    def note(self, operation: str) -> None:
        """Let the customer act if this operation is the second lookup."""
        self._looks += operation == "find_charge"
        if self._looks == SECOND:
            self.have(self.customer)

    def have(self, kind: Kind | None) -> None:
        """Have the effect of one of `CHANGES` on every order, reservation and attempt."""
        for reference, attempt in self._world.attempts.items():
            if kind in ACTS and (self._world.is_shown(reference) or reference.startswith("pi_")):
                ACTS[kind](attempt)
        for order in list(self._world.orders.values()):
            if kind in ORDERS and order.state == PENDING:
                self.orders.add(order.id)
                changed = order.model_copy(update={"state": ORDERS[kind]})
                self._world.orders[order.id] = changed
        for held in list(self._world.reservations.values()):
            if kind in RESERVATIONS and held.status == ACTIVE:
                changed_hold = held.model_copy(update={"status": RESERVATIONS[kind]})
                self._world.reservations[held.id] = changed_hold
