"""Ordering and Inventory as consumers of events: at once, late, or in another order."""

from typing import TYPE_CHECKING
from uuid import UUID

from domain.events import PaymentEvent
from domain.names import TOPIC_SUCCEEDED
from domain.payment import PaymentStatus
from domain.verification import ACTIVE, PENDING
from tests.proofs.simulation.faults import Hearing

if TYPE_CHECKING:
    from tests.support.fakes.world import World

SOLD = "confirmed"
FREE = "expired"


class Consumers:
    """What they have not heard yet, and who has paid each order by what they have heard."""

    def __init__(self, world: "World", hearing: Hearing) -> None:
        self._world = world
        self._hearing = hearing
        self._unheard: list[PaymentEvent] = []
        self.paid_by: dict[UUID, UUID] = {}
        self.keep_orders_open = False
        """Whether an order stays pending when its payment has failed."""

    def tell(self, event: PaymentEvent) -> None:
        self._unheard.append(event)
        if self._hearing is Hearing.AT_ONCE:
            self.hear_all()

    def a_request_has_ended(self) -> None:
        if self._hearing is Hearing.LATE:
            self.hear_all()

    def hear_all(self) -> None:
        """Ordering and Inventory catch up."""
        unheard, self._unheard = self._unheard, []
        for event in reversed(unheard) if self._hearing is Hearing.REVERSED else unheard:
            self._settle_order(event)
            self._settle_reservation(event)

    def _settle_order(self, event: PaymentEvent) -> None:
        order = self._world.orders[event.payment.order_id]
        if order.state != PENDING:
            return
        if event.topic == TOPIC_SUCCEEDED:
            self.paid_by[order.id] = event.subject
            self._world.orders[order.id] = order.model_copy(update={"state": "paid"})
        elif not self.keep_orders_open:
            self._world.orders[order.id] = order.model_copy(update={"state": "cancelled"})

    def _settle_reservation(self, event: PaymentEvent) -> None:
        held = self._world.reservations.get(event.reservation_id) if event.reservation_id else None
        if held is None or held.status != ACTIVE:
            return
        is_sold = event.payment.status is PaymentStatus.SUCCEEDED
        status = SOLD if is_sold else FREE
        self._world.reservations[held.id] = held.model_copy(update={"status": status})
