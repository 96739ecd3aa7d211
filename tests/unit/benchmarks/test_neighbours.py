"""The adapters accept what the lean neighbours answer."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import httpx
import pytest

from activities.adapters.gateway import HttpGateway
from activities.adapters.inventory import HttpInventory
from activities.adapters.json_client import JsonClient
from activities.adapters.ordering import HttpOrdering
from benchmarks.neighbours import CUSTOMER, DECLINED, Neighbours
from domain.errors import ErrorCode
from domain.gateway import ChargeRequest, ChargeState, RefundRequest, RefundState
from domain.money import Money
from domain.verification import ACTIVE, PENDING

PRICE = Money.parse("150.00", "USD")


@pytest.fixture
async def client() -> AsyncIterator[JsonClient]:
    neighbours = Neighbours()

    def respond(request: httpx.Request) -> httpx.Response:
        key = request.headers.get("idempotency-key", "")
        path, body = request.url.path, request.content
        status, text = neighbours.respond(request.method, path, key, body)
        return httpx.Response(status, text=text)

    transport = httpx.MockTransport(respond)
    async with httpx.AsyncClient(transport=transport, base_url="http://neighbours") as http:
        yield JsonClient(http, "The neighbour", ErrorCode.GATEWAY_UNAVAILABLE, 5)


def a_charge(order: UUID) -> ChargeRequest:
    return ChargeRequest(
        key="pay_1_charge",
        payment_id=uuid4(),
        order_id=order,
        amount=PRICE,
        payment_method="credit_card",
    )


async def test_every_order_is_pending_and_of_the_customer(client: JsonClient) -> None:
    order = await HttpOrdering(client, accept_without_state=False).fetch_order(uuid4())

    assert (order.state, order.customer_id) == (PENDING, CUSTOMER)
    assert (order.total, order.currency) == (PRICE.amount, PRICE.currency)


async def test_every_reservation_is_active(client: JsonClient) -> None:
    reservation = await HttpInventory(client).fetch_reservation(uuid4())

    assert (reservation.status, reservation.customer_id) == (ACTIVE, UUID(CUSTOMER))


async def test_a_charge_is_captured_found_and_voided(client: JsonClient) -> None:
    gateway = HttpGateway(client, accept_simulated=True)
    request = a_charge(uuid4())

    captured = await gateway.charge(request)
    found = await gateway.find_charge(request.identity)
    voided = await gateway.void_charge(request.identity)

    assert found is not None
    states = [each.state for each in (captured, found, voided)]
    assert states == [ChargeState.CAPTURED, ChargeState.CAPTURED, ChargeState.VOIDED]


async def test_a_charge_of_some_orders_is_declined(client: JsonClient) -> None:
    order = UUID(DECLINED + str(uuid4())[len(DECLINED) :])

    charge = await HttpGateway(client, accept_simulated=True).charge(a_charge(order))

    assert (charge.state, charge.error_code) == (ChargeState.DECLINED, ErrorCode.CARD_DECLINED)


async def test_a_refund_is_made_and_none_was_made_before(client: JsonClient) -> None:
    gateway = HttpGateway(client, accept_simulated=True)
    request = RefundRequest(key="refund", charge_key="pay_1_charge", amount=PRICE)

    assert await gateway.find_refund(request) is None
    assert (await gateway.refund(request)).state is RefundState.SUCCEEDED
    assert await gateway.can_still_refund(request)


def test_requests_are_counted_and_the_question_for_their_number_is_not() -> None:
    neighbours = Neighbours()
    neighbours.respond("GET", "/orders/1", "", b"")
    neighbours.respond("GET", "/nothing", "", b"")
    neighbours.respond("POST", "/v1/traces", "", b"")

    assert neighbours.respond("GET", "/counts", "", b"") == (200, '{"requests":2}')
    assert neighbours.respond("GET", "/counts", "", b"") == (200, '{"requests":2}')
