"""A signed event over HTTP becomes a signal to the payment's workflow at a real Temporal server."""

import time
from uuid import uuid4

import httpx
from temporalio.client import Client

from api.webhooks.stripe_events import OBJECTS
from domain import names
from tests.integration.test_webhook_signals import PAYMENT, started, told
from tests.support.stacks import another_server
from tests.support.stripe_events import an_event, an_object, metadata_of, signature
from tests.support.system import System

OLD, NEW = "whsec_of_yesterday", "whsec_of_tomorrow"
FORGED = 2
"""How many wrong signatures one address may send."""
NOWHERE = "redis://127.0.0.1:1/0"
"""The address of a Redis that does not exist. Without Redis, the process counts the wrong
signatures itself. With Redis, the counts would depend on how fast it responds."""
JSON = "application/json; charset=utf-8"


async def test_only_signed_events_reach_the_workflow(system: System, temporal: Client) -> None:
    running = await started(temporal, names.workflow_id(PAYMENT.order_id), f"nobody-{uuid4()}")
    bodies = [
        an_event(name, an_object(kind, metadata_of(PAYMENT)))
        for name, kind in OBJECTS.items()
        if kind in {"payment_intent", "checkout.session"}
    ]

    settings = {
        "stripe_webhook_secrets": f"{NEW},{OLD}",
        "rate_limit": f"{FORGED}/hour",
        "redis_url": NOWHERE,
    }
    async with (
        another_server(system.stack, **settings) as address,
        httpx.AsyncClient(base_url=address, trust_env=False) as client,
    ):

        async def send(body: bytes, secret: str) -> int:
            header = signature(body, secret, int(time.time()))
            headers = {"content-type": JSON, "stripe-signature": header}
            answer = await client.post("/webhooks/stripe", content=body, headers=headers)
            assert answer.content == b""
            return answer.status_code

        forged = [await send(bodies[0], "whsec_of_others") for _ in range(FORGED + 1)]
        taken = [await send(body, secret) for body in bodies for secret in (OLD, NEW)]
        live = await send(an_event("charge.succeeded", {}, livemode=True), NEW)

    assert forged == [400] * FORGED + [429]
    assert (set(taken), live) == ({200}, 400)
    assert await told(running) == [names.SIGNAL_LOOK_AGAIN] * len(taken)
    await running.terminate()
