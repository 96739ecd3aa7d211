"""The two steps before a charge: read the order from Ordering, the reservation from Inventory."""

from uuid import UUID

from temporalio import activity

from activities.ports import Inventory, Ordering
from domain.verification import Order, Reservation


class VerificationActivities:
    """Every step may raise the errors of its port, `Ordering` or `Inventory`."""

    def __init__(self, ordering: Ordering, inventory: Inventory) -> None:
        self._ordering = ordering
        self._inventory = inventory

    @activity.defn
    async def fetch_order(self, order_id: UUID) -> Order:
        return await self._ordering.fetch_order(order_id)

    @activity.defn
    async def fetch_reservation(self, reservation_id: UUID) -> Reservation:
        return await self._inventory.fetch_reservation(reservation_id)
