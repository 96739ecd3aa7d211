"""The adapter limits its requests per second to each endpoint, so that Stripe refuses none."""

import asyncio

import httpx
import pytest
from pydantic import SecretStr

from activities.adapters.json_client import JsonClient
from activities.adapters.stripe.client import REQUESTS_PER_SECOND, RequestPace, StripeClient
from activities.adapters.stripe.gateway import StripeGateway
from devstack.neighbours.stripe.behaviour import Limits
from domain.errors import ErrorCode, PaymentError
from tests.support.stripe_client import API_KEY
from tests.support.stripe_gateway import StripeDouble, a_charge, on_handler, on_http, refund_of


async def test_an_endpoint_gets_no_more_requests_than_it_takes() -> None:
    pace = RequestPace(per_second=100)
    loop = asyncio.get_running_loop()
    began = loop.time()

    turns = [pace.wait("a", 60) for _ in range(21)] + [pace.wait("b", 60) for _ in range(11)]
    await asyncio.gather(*turns)

    assert loop.time() - began >= 0.199


async def test_a_request_that_has_given_up_delays_no_other() -> None:
    pace = RequestPace(per_second=10)
    many = (pace.wait("a", 0.05) for _ in range(100))
    given_up = await asyncio.gather(*many, return_exceptions=True)

    await pace.wait("a", 5)

    assert [type(each) for each in given_up].count(TimeoutError) > 90


async def test_a_request_that_has_no_turn_in_time_is_not_sent() -> None:
    sent = 0

    def respond(_: httpx.Request) -> httpx.Response:
        nonlocal sent
        sent += 1
        return httpx.Response(503)

    gateway = on_handler(respond, per_second=0.01, seconds=0.1)
    charge = a_charge().model_copy(update={"reference": "pi_1"}).identity
    for _ in range(3):
        with pytest.raises(PaymentError, check=is_unavailable):
            await gateway.find_charge(charge)

    assert sent == 1


def is_unavailable(error: PaymentError) -> bool:
    return error.code is ErrorCode.GATEWAY_UNAVAILABLE


async def test_the_double_refuses_no_request_that_keeps_the_pace(stripe: StripeDouble) -> None:
    limits = Limits()
    assert limits.requests_per_second > REQUESTS_PER_SECOND
    request = await stripe.captured()
    await stripe.put("/limits", requestsPerSecond=limits.requests_per_second)
    paced = on_http(stripe.http, per_second=REQUESTS_PER_SECOND)

    found = await asyncio.gather(*(paced.find_charge(request.identity) for _ in range(40)))

    assert {each.reference for each in found if each} == {request.reference}


async def test_the_id_of_an_object_is_no_endpoint_of_its_own(stripe: StripeDouble) -> None:
    endpoints: set[str] = set()

    class Noting(RequestPace):
        async def wait(self, endpoint: str, _: float) -> None:
            endpoints.add(endpoint)

    client = JsonClient(stripe.http, "Stripe", ErrorCode.GATEWAY_UNAVAILABLE, 5)
    gateway = StripeGateway(StripeClient(client, SecretStr(API_KEY), Noting()), livemode=False)
    for _ in range(2):
        request = a_charge()
        opened = await gateway.open(request)
        request = request.model_copy(update={"reference": opened.reference})
        await gateway.charge(request)
        await gateway.capture(request)
        await gateway.refund(refund_of(request))
        await gateway.find_refund(refund_of(request))

    assert endpoints == {
        "POST /v1/payment_intents",
        "POST /v1/payment_intents/{id}/confirm",
        "POST /v1/payment_intents/{id}/capture",
        "POST /v1/refunds",
        "GET /v1/refunds/{id}",
        "GET /v1/refunds",
    }
