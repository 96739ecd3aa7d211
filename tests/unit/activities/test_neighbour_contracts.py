"""The fakes of Ordering and Inventory respond as the adapters with the simulators behind them."""

from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest

from activities.adapters.inventory import HttpInventory
from activities.adapters.ordering import HttpOrdering
from activities.ports import Inventory, Ordering
from devstack.neighbours import inventory, ordering
from devstack.neighbours.times import utc_now
from domain import exact_json
from domain.errors import ErrorCode
from domain.money import Money
from domain.verification import Order, Reservation
from tests.support.builders import a_reservation, an_instruction, an_order
from tests.support.fakes.inventory import FakeInventory
from tests.support.fakes.ordering import FakeOrdering
from tests.support.fakes.world import World
from tests.support.json_neighbour import Serve, code_of


class Neighbours:
    """Both ports. A test first adds the orders and reservations that they read."""

    ordering: Ordering
    inventory: Inventory

    async def add_order(self, order: Order) -> None:
        raise NotImplementedError

    async def add_reservation(self, reservation: Reservation) -> None:
        raise NotImplementedError


class FakeNeighbours(Neighbours):
    def __init__(self) -> None:
        self._world = World()
        self.ordering = FakeOrdering(self._world)
        self.inventory = FakeInventory(self._world)

    async def add_order(self, order: Order) -> None:
        self._world.orders[order.id] = order

    async def add_reservation(self, reservation: Reservation) -> None:
        self._world.reservations[reservation.id] = reservation


class SimulatedNeighbours(Neighbours):
    def __init__(self, serve: Serve) -> None:
        self._orders, at_ordering = serve(ordering, ErrorCode.ORDERING_UNAVAILABLE)
        self._seats, at_inventory = serve(inventory, ErrorCode.INVENTORY_UNAVAILABLE)
        self.ordering = HttpOrdering(at_ordering, accept_without_state=False)
        self.inventory = HttpInventory(at_inventory)

    async def add_order(self, order: Order) -> None:
        body = {
            "id": order.id,
            "customerId": order.customer_id,
            "currency": order.currency,
            "totalAmount": order.total,
        }
        await self._post(self._orders, "/orders", body)
        await self._orders.patch(f"/orders/{order.id}", json={"status": order.state})

    async def add_reservation(self, reservation: Reservation) -> None:
        body = {
            "id": reservation.id,
            "orderId": reservation.order_id,
            "customerId": reservation.customer_id,
            "status": reservation.status,
            "expiresAt": reservation.expires_at,
        }
        await self._post(self._seats, "/reservations", body)

    async def _post(self, client: httpx.AsyncClient, path: str, body: object) -> None:
        (await client.post(path, content=exact_json.dumps(body))).raise_for_status()


@pytest.fixture(params=["fake", "real"])
def neighbours(request: pytest.FixtureRequest, serve: Serve) -> Neighbours:
    return FakeNeighbours() if request.param == "fake" else SimulatedNeighbours(serve)


@pytest.mark.parametrize("state", ["pending", "draft", "paid", "cancelled"])
@pytest.mark.parametrize("amount", [("150.00", "USD"), ("9999999999999.90", "EUR"), ("7", "JPY")])
async def test_an_order_is_read_as_it_is_kept(
    neighbours: Neighbours, state: str, amount: tuple[str, str]
) -> None:
    order = an_order(an_instruction(amount=Money.parse(*amount)), state=state)
    await neighbours.add_order(order)

    assert await neighbours.ordering.fetch_order(order.id) == order


async def test_an_order_that_is_not_there_is_not_found(neighbours: Neighbours) -> None:
    assert await code_of(neighbours.ordering.fetch_order(uuid4())) is ErrorCode.ORDER_NOT_FOUND


@pytest.mark.parametrize("status", ["active", "expired", "confirmed"])
@pytest.mark.parametrize("order_id", [None, UUID(int=7)])
async def test_a_reservation_is_read_as_it_is_kept(
    neighbours: Neighbours, status: str, order_id: UUID | None
) -> None:
    held = a_reservation(
        an_instruction(reservation_id=uuid4()),
        status=status,
        order_id=order_id,
        expires_at=(utc_now() + timedelta(hours=1)).replace(microsecond=0),
    )
    await neighbours.add_reservation(held)

    assert await neighbours.inventory.fetch_reservation(held.id) == held


async def test_a_reservation_that_is_not_there_is_not_active(neighbours: Neighbours) -> None:
    fetching = neighbours.inventory.fetch_reservation(uuid4())

    assert await code_of(fetching) is ErrorCode.RESERVATION_NOT_ACTIVE
