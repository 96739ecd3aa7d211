"""The double as a process sends its events to the address of the API, also after it was killed."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import httpx
import pytest
import stripe

from devstack.stack.stack import Stack
from tests.support.stripe_client import CHECKOUT, official_client
from tests.support.waiting import eventually

SECRET = "whsec_simulated"


class Receiver:
    """A server in place of the API. `status` is the HTTP status of its responses."""

    def __init__(self) -> None:
        self.status = 200
        self.events: list[Any] = []


@pytest.fixture(scope="module")
def receiver(own_stack: Stack) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            event = stripe.Webhook.construct_event(body, self.headers["stripe-signature"], SECRET)
            if self.path == "/webhooks/stripe" and receiver.status == 200:
                receiver.events.append(event)
            self.send_response(receiver.status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", own_stack.site.ports.api), Handler) as server:
        Thread(target=server.serve_forever).start()
        yield receiver
        server.shutdown()


@pytest.fixture
async def http(own_stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    url = own_stack.environment()["STRIPE_URL"]
    async with httpx.AsyncClient(base_url=url, trust_env=False) as http:
        yield http


async def opened(http: httpx.AsyncClient, order: str) -> Any:
    of_order: Any = {"capture_method": "manual", "metadata": {"order_id": order}}
    body: Any = {**CHECKOUT, "payment_intent_data": of_order}
    return await official_client(http).v1.checkout.sessions.create_async(body)


def told(receiver: Receiver, session: Any) -> Callable[[], Any]:
    """Return a function that says whether the receiver has an event for the completed session."""

    async def is_told() -> bool:
        return any(
            (each.type, each.data.object.id) == ("checkout.session.completed", session.id)
            for each in receiver.events
        )

    return is_told


async def test_a_customer_who_acts_alone_is_told_of(
    http: httpx.AsyncClient, receiver: Receiver
) -> None:
    behaviour = {"customer": ["decline", "pay"], "customerAfterMs": 10}
    (await http.put("/settings/alone", json=behaviour)).raise_for_status()

    session = await opened(http, "alone")

    await eventually("the payment is told", told(receiver, session))
    assert "payment_intent.payment_failed" in {each.type for each in receiver.events}


async def test_an_event_that_nobody_took_is_sent_after_the_double_was_killed(
    own_stack: Stack, http: httpx.AsyncClient, receiver: Receiver
) -> None:
    receiver.status = 503
    session = await opened(http, "killed")
    act = await http.post(f"/customers/{session.id}/act", json={"as": "pay"})
    assert json.loads(act.content)["status"] == "complete"
    await own_stack.kill("stripe")

    await own_stack.up(["stripe"])
    assert not await told(receiver, session)()
    receiver.status = 200  # only now: the killed process may have sent a last request

    await eventually("the payment is told", told(receiver, session))
    resent = [each["id"] for each in (await http.get("/events?orderId=killed")).json()]
    assert (await http.post(f"/events/{resent[0]}/send")).json() == {"status": 200}
