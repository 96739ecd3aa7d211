"""Customers repeat their requests, and keep every response."""

from collections.abc import AsyncIterator, Callable
from itertools import pairwise
from uuid import UUID

import httpx
import pytest

from domain import exact_json
from tests.proofs.chaos import shoppers as shoppers_module
from tests.proofs.chaos.shoppers import Shoppers

PAYMENT = UUID(int=1)
DECLINED = {"code": "CARD_DECLINED", "payment": {"id": str(PAYMENT), "status": "failed"}}
PAID = {"payment": {"id": str(PAYMENT), "status": "succeeded"}}
BUSY = {"code": "DATABASE_UNAVAILABLE", "payment": None}

Respond = Callable[[int], httpx.Response]


def until(number: int, response: httpx.Response) -> Respond:
    """The response to the requests before request `number`. From then on the order is paid."""
    return lambda asked: response if asked < number else httpx.Response(200, json=PAID)


class Api:
    """A fake of the API: a test sets its responses, and it records the requests."""

    def __init__(self) -> None:
        self.respond: Respond = lambda _: httpx.Response(200, json=PAID)
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path != "/payments":
            return httpx.Response(201, json={})
        self.asked.append(request)
        return self.respond(len(self.asked))

    @property
    def ways(self) -> set[tuple[str, str | None]]:
        """The payment method and key of each request."""
        return {
            (
                exact_json.loads(each.content)["paymentMethod"],
                each.headers.get("idempotency-key"),
            )
            for each in self.asked
        }


@pytest.fixture
def api() -> Api:
    return Api()


@pytest.fixture
async def customers(api: Api, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shoppers]:
    monkeypatch.setattr(shoppers_module, "PAUSE", (0, 0))
    monkeypatch.setattr(shoppers_module, "TWICE", 0)
    transport = httpx.MockTransport(api)
    async with httpx.AsyncClient(transport=transport, base_url="http://api") as client:
        addresses = {"ORDERING_URL": "http://ordering", "INVENTORY_URL": "http://inventory"}
        yield Shoppers(client, client, addresses, seed=1)


async def test_a_customer_who_does_not_know_the_ending_pays_again_in_every_way(
    api: Api, customers: Shoppers
) -> None:
    api.respond = until(60, httpx.Response(503, json=BUSY))

    await customers.buy(1)

    methods, keys = {way[0] for way in api.ways}, {way[1] for way in api.ways}
    assert methods == set(shoppers_module.METHODS)
    assert len(keys) > 2
    assert None in keys
    assert customers.left == 0


@pytest.mark.parametrize(("status", "body"), [(422, DECLINED), (200, PAID)])
async def test_some_customers_who_know_the_ending_pay_once_more(
    api: Api, customers: Shoppers, status: int, body: object
) -> None:
    api.respond = lambda _: httpx.Response(status, json=body)

    for number in range(30):
        await customers.buy(number)

    assert customers.purchases == 30
    assert customers.paid_again > 0
    assert len(api.asked) == 30 + customers.paid_again


async def test_every_response_is_kept_with_its_time(api: Api, customers: Shoppers) -> None:
    api.respond = lambda _: httpx.Response(422, json=DECLINED)

    for number in range(10):
        await customers.buy(number)

    for responses in customers.answers.values():
        assert {each[:4] for each in responses} == {(422, PAYMENT, "failed", "CARD_DECLINED")}
        for earlier, later in pairwise(responses):
            assert earlier.sent_at <= earlier.received_at <= later.sent_at


async def test_a_conflict_of_keys_is_no_ending(api: Api, customers: Shoppers) -> None:
    reused = {"code": "IDEMPOTENCY_KEY_REUSED", "payment": None}
    api.respond = until(3, httpx.Response(422, json=reused))

    await customers.buy(1)

    assert len(api.asked) >= 3
    assert customers.left == 0
