"""What each fake answers is what the real thing answers behind the same port.

The real things are the adapters, with the simulators of `devstack/` behind them.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI

from activities.adapters.gateway import HttpGateway
from activities.adapters.inventory import HttpInventory
from activities.adapters.json_client import JsonClient
from activities.adapters.ordering import HttpOrdering
from activities.ports import Inventory, Ordering, PaymentGateway
from devstack.neighbours import gateway, inventory, ordering
from devstack.neighbours.settings import NeighbourSettings
from devstack.neighbours.times import utc_now
from domain import exact_json
from domain.errors import ErrorCode, PaymentError
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest, RefundState
from domain.money import Money
from domain.verification import Order, Reservation
from tests.support.builders import a_reservation, an_instruction, an_order
from tests.support.fakes import FakeGateway, FakeInventory, FakeOrdering, World

Serve = Callable[[ModuleType, ErrorCode], tuple[httpx.AsyncClient, JsonClient]]


@pytest.fixture
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """A simulator in this process: a client for the test and the adapter's neighbour."""
    apps: list[FastAPI] = []

    def serve(module: ModuleType, unavailable: ErrorCode) -> tuple[httpx.AsyncClient, JsonClient]:
        apps.append(module.create_app(NeighbourSettings(devstack_data=tmp_path)))
        transport = httpx.ASGITransport(apps[-1])
        client = httpx.AsyncClient(transport=transport, base_url="http://neighbour")
        return client, JsonClient(client, "The neighbour", unavailable, 5)

    yield serve
    for app in apps:
        app.state.journal.close()


async def code_of(asking: Awaitable[object]) -> ErrorCode:
    with pytest.raises(PaymentError) as caught:
        await asking
    return caught.value.code


# The gateway.


@pytest.fixture(params=["fake", "real"])
def subject(request: pytest.FixtureRequest, serve: Serve) -> PaymentGateway:
    if request.param == "fake":
        return DecliningGateway(World())
    _, neighbour = serve(gateway, ErrorCode.GATEWAY_UNAVAILABLE)
    return HttpGateway(neighbour, accept_simulated=True)


class DecliningGateway(FakeGateway):
    """The fake, declining the amounts that the simulator declines."""

    def _decide(self, request: ChargeRequest) -> Charge:
        if request.amount.minor_units % 100 == 13:
            code = ErrorCode.CARD_DECLINED
            return Charge(key=request.key, state=ChargeState.DECLINED, error_code=code)
        return super()._decide(request)


def a_charge(amount: str = "150.00") -> ChargeRequest:
    return an_instruction(amount=Money.parse(amount, "USD")).charge_request


def refund_of(charge: ChargeRequest, amount: str, key: str = "refund") -> RefundRequest:
    money = Money.parse(amount, charge.amount.currency)
    return RefundRequest(key=f"{charge.key}_{key}", charge_key=charge.key, amount=money)


async def test_a_charge_is_captured_once_and_found(subject: PaymentGateway) -> None:
    request = a_charge()
    assert await subject.find_charge(request.key, request.amount) is None

    first = await subject.charge(request)
    again = await subject.charge(request)

    assert first.state is ChargeState.CAPTURED
    assert first == again == await subject.find_charge(request.key, request.amount)
    assert await subject.void_charge(request.key, request.amount) == first
    assert await subject.void_charge(request.key, None) == first


async def test_a_declined_charge_stays_declined(subject: PaymentGateway) -> None:
    request = a_charge("150.13")

    first = await subject.charge(request)

    assert (first.state, first.error_code) == (ChargeState.DECLINED, ErrorCode.CARD_DECLINED)
    assert first == await subject.charge(request)
    assert first == await subject.find_charge(request.key, request.amount)
    assert first == await subject.void_charge(request.key, request.amount)


async def test_a_voided_key_is_never_charged(subject: PaymentGateway) -> None:
    request = a_charge()

    voided = await subject.void_charge(request.key, request.amount)

    assert voided.state is ChargeState.VOIDED
    assert (await subject.charge(request)).state is ChargeState.VOIDED
    found = await subject.find_charge(request.key, request.amount)
    assert found is not None
    assert found.state is ChargeState.VOIDED


async def test_a_key_is_one_charge(subject: PaymentGateway) -> None:
    request = a_charge()
    other = request.model_copy(update={"amount": Money.parse("15.00", "USD")})
    await subject.charge(request)

    assert await code_of(subject.charge(other)) is ErrorCode.PROCESSOR_ERROR
    finding = subject.find_charge(request.key, other.amount)
    assert await code_of(finding) is ErrorCode.GATEWAY_UNAVAILABLE
    voiding = subject.void_charge(request.key, other.amount)
    assert await code_of(voiding) is ErrorCode.GATEWAY_UNAVAILABLE


async def test_a_refund_is_made_once_and_found(subject: PaymentGateway) -> None:
    charge = a_charge()
    await subject.charge(charge)
    refund = refund_of(charge, "150.00")
    assert await subject.can_still_refund(refund)
    assert await subject.find_refund(refund) is None

    assert await subject.refund(refund) is RefundState.SUCCEEDED
    assert await subject.refund(refund) is RefundState.SUCCEEDED

    assert await subject.find_refund(refund) is RefundState.SUCCEEDED
    assert not await subject.can_still_refund(refund)


async def test_a_refunded_charge_is_told_only_by_who_looks_it_up(subject: PaymentGateway) -> None:
    charge = a_charge()
    first = await subject.charge(charge)
    await subject.refund(refund_of(charge, "150.00"))

    found = await subject.find_charge(charge.key, charge.amount)

    assert found is not None
    assert found.state is ChargeState.REFUNDED
    assert found == await subject.void_charge(charge.key, charge.amount)
    assert await subject.charge(charge) == first


async def test_a_charge_that_is_refunded_in_part_is_neither(subject: PaymentGateway) -> None:
    charge = a_charge()
    await subject.charge(charge)
    await subject.refund(refund_of(charge, "50.00"))

    finding = subject.find_charge(charge.key, charge.amount)
    assert await code_of(finding) is ErrorCode.GATEWAY_UNAVAILABLE
    voiding = subject.void_charge(charge.key, charge.amount)
    assert await code_of(voiding) is ErrorCode.GATEWAY_UNAVAILABLE
    assert await subject.can_still_refund(refund_of(charge, "100.00"))
    assert not await subject.can_still_refund(refund_of(charge, "100.01"))


async def test_no_more_is_refunded_than_was_captured(subject: PaymentGateway) -> None:
    charge, declined, voided = a_charge(), a_charge("150.13"), a_charge()
    await subject.charge(charge)
    await subject.charge(declined)
    await subject.void_charge(voided.key, voided.amount)
    await subject.refund(refund_of(charge, "50.00", "first"))

    for refund in (
        refund_of(charge, "100.01", "second"),
        refund_of(declined, "1.00"),
        refund_of(voided, "1.00"),
    ):
        assert await code_of(subject.refund(refund)) is ErrorCode.REFUND_REFUSED
        assert not await subject.can_still_refund(refund)
        assert await subject.find_refund(refund) is None


async def test_a_key_is_one_refund(subject: PaymentGateway) -> None:
    charge = a_charge()
    await subject.charge(charge)
    await subject.refund(refund_of(charge, "50.00"))
    other = refund_of(charge, "60.00")

    assert await code_of(subject.refund(other)) is ErrorCode.GATEWAY_UNAVAILABLE
    assert await code_of(subject.find_refund(other)) is ErrorCode.GATEWAY_UNAVAILABLE


async def test_an_unknown_charge_has_neither_refunds_nor_amounts(subject: PaymentGateway) -> None:
    refund = refund_of(a_charge(), "1.00")

    assert await code_of(subject.refund(refund)) is ErrorCode.REFUND_REFUSED
    assert await code_of(subject.can_still_refund(refund)) is ErrorCode.GATEWAY_UNAVAILABLE


# Ordering and Inventory.


class Shelf:
    """Where a test puts the orders and reservations that the ports then read."""

    ordering: Ordering
    inventory: Inventory

    async def put_order(self, order: Order) -> None:
        raise NotImplementedError

    async def put_reservation(self, reservation: Reservation) -> None:
        raise NotImplementedError


class FakeShelf(Shelf):
    def __init__(self) -> None:
        self._world = World()
        self.ordering = FakeOrdering(self._world)
        self.inventory = FakeInventory(self._world)

    async def put_order(self, order: Order) -> None:
        self._world.orders[order.id] = order

    async def put_reservation(self, reservation: Reservation) -> None:
        self._world.reservations[reservation.id] = reservation


class RealShelf(Shelf):
    def __init__(self, serve: Serve) -> None:
        self._orders, at_ordering = serve(ordering, ErrorCode.ORDERING_UNAVAILABLE)
        self._seats, at_inventory = serve(inventory, ErrorCode.INVENTORY_UNAVAILABLE)
        self.ordering = HttpOrdering(at_ordering, accept_without_state=False)
        self.inventory = HttpInventory(at_inventory)

    async def put_order(self, order: Order) -> None:
        body = {
            "id": order.id,
            "customerId": order.customer_id,
            "currency": order.currency,
            "totalAmount": order.total,
        }
        await self._post(self._orders, "/orders", body)
        await self._orders.patch(f"/orders/{order.id}", json={"status": order.state})

    async def put_reservation(self, reservation: Reservation) -> None:
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
def shelf(request: pytest.FixtureRequest, serve: Serve) -> Shelf:
    return FakeShelf() if request.param == "fake" else RealShelf(serve)


@pytest.mark.parametrize("state", ["pending", "draft", "paid", "cancelled"])
@pytest.mark.parametrize("amount", [("150.00", "USD"), ("9999999999999.90", "EUR"), ("7", "JPY")])
async def test_an_order_is_told_as_it_stands(
    shelf: Shelf, state: str, amount: tuple[str, str]
) -> None:
    order = an_order(an_instruction(amount=Money.parse(*amount)), state=state)
    await shelf.put_order(order)

    assert await shelf.ordering.fetch_order(order.id) == order


async def test_an_order_that_is_not_there_is_not_found(shelf: Shelf) -> None:
    assert await code_of(shelf.ordering.fetch_order(uuid4())) is ErrorCode.ORDER_NOT_FOUND


@pytest.mark.parametrize("status", ["active", "expired", "confirmed"])
@pytest.mark.parametrize("order_id", [None, UUID(int=7)])
async def test_a_reservation_is_told_as_it_stands(
    shelf: Shelf, status: str, order_id: UUID | None
) -> None:
    held = a_reservation(
        an_instruction(reservation_id=uuid4()),
        status=status,
        order_id=order_id,
        expires_at=(utc_now() + timedelta(hours=1)).replace(microsecond=0),
    )
    await shelf.put_reservation(held)

    assert await shelf.inventory.fetch_reservation(held.id) == held


async def test_a_reservation_that_is_not_there_is_not_active(shelf: Shelf) -> None:
    fetching = shelf.inventory.fetch_reservation(uuid4())

    assert await code_of(fetching) is ErrorCode.RESERVATION_NOT_ACTIVE
