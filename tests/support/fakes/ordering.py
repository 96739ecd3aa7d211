"""A fake of Ordering: it has the orders of the world."""

from uuid import UUID

from activities.ports import Ordering
from domain.errors import ErrorCode, PaymentError
from domain.verification import Order
from tests.support.fakes.world import World


class FakeOrdering(Ordering):
    def __init__(self, world: World) -> None:
        self._world = world

    async def fetch_order(self, order_id: UUID) -> Order:
        return await self._world.perform("fetch_order", lambda: self._find(order_id))

    def _find(self, order_id: UUID) -> Order:
        if order_id not in self._world.orders:
            raise PaymentError(ErrorCode.ORDER_NOT_FOUND, "Order not found.")
        return self._world.orders[order_id]
