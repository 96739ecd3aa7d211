"""The Stripe-shaped gateway signs and sends events as Stripe does: also lost, twice, or late.

The official client checks the signatures.
"""

import asyncio
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from devstack.neighbours.stripe import app
from devstack.neighbours.stripe.deliveries import REORDERED_BY, signature
from tests.unit.devstack.neighbours import Start
from tests.unit.devstack.stripe_double import Double
from tests.unit.devstack.stripe_endpoint import (
    CURRENT,
    PREVIOUS,
    URL,
    Endpoint,
    sending,
    sent_to,
    until_sent,
)

LATER = "devstack.neighbours.stripe.deliveries.REORDERED_BY"


@pytest.fixture
def double(start: Start) -> Double:
    return Double(start(app, stripe_requests_per_second=0, stripe_webhook_url=URL))


@pytest.mark.parametrize("status", [500, 302, 400, None])
async def test_an_event_is_sent_until_it_is_accepted(double: Double, status: int | None) -> None:
    await double.create()

    endpoint = await sent_to(double, Endpoint(status, status))

    assert len(endpoint.received) == 3
    assert len({each.content for each in endpoint.received}) == 1
    assert len(endpoint.verified()) == 3


def test_each_attempt_is_signed_anew() -> None:
    times = [datetime.fromtimestamp(each, UTC) for each in (1_000, 2_000)]

    headers = [signature("{}", [CURRENT], each) for each in times]

    assert [each.partition(",v1=")[0] for each in headers] == ["t=1000", "t=2000"]
    assert len({each.partition(",v1=")[2] for each in headers}) == 2


@pytest.mark.parametrize(
    ("sign", "secrets"),
    [
        ("current", {CURRENT}),
        ("previous", {PREVIOUS}),
        ("both", {CURRENT, PREVIOUS}),
        ("wrong", set()),
    ],
)
async def test_a_secret_can_be_rotated(double: Double, sign: str, secrets: set[str]) -> None:
    await double.put("/settings", events={"sign": sign})
    await double.create()

    endpoint = await sent_to(double, Endpoint())

    assert {each for each in (CURRENT, PREVIOUS) if endpoint.verified(each)} == secrets


@pytest.mark.parametrize(
    ("behaviour", "events", "different"),
    [({"lose": 1}, 0, 0), ({"double": 1}, 2, 1), ({"tellTwice": 1}, 2, 2), ({}, 1, 1)],
)
async def test_an_event_may_be_lost_or_come_twice(
    double: Double, behaviour: dict[str, Any], events: int, different: int
) -> None:
    await double.put("/settings/order", events=behaviour)
    await double.create()

    endpoint = await sent_to(double, Endpoint())

    assert endpoint.types() == ["payment_intent.created"] * events
    assert len({each.id for each in endpoint.verified()}) == different


async def test_an_event_may_be_overtaken(double: Double, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(LATER, 1000 * REORDERED_BY)
    await double.put("/settings/order", events={"reorder": 1})
    await double.create()
    await double.create(metadata={"order_id": "other"})
    endpoint = Endpoint()

    async with sending(double, endpoint) as deliveries:
        deliveries.begin_due()
        while not endpoint.received:  # noqa: ASYNC110 - it has no event to wait for
            await asyncio.sleep(0.01)
        monkeypatch.setattr(LATER, timedelta(0))
        await until_sent(double, deliveries)

    orders = [each.data.object.metadata.to_dict()["order_id"] for each in endpoint.verified()]
    assert orders == ["other", "order"]


async def test_an_event_may_be_delayed(double: Double) -> None:
    await double.put("/settings", events={"delayMs": 600_000})
    await double.create()
    endpoint = Endpoint()

    async with sending(double, endpoint) as deliveries:
        deliveries.begin_due()
        assert deliveries._tasks == {}
        await double.put("/settings", events={})
        await until_sent(double, deliveries)

    assert len(endpoint.received) == 1


async def test_others_send_events_that_an_endpoint_must_refuse(double: Double) -> None:
    await double.put("/settings", events={"forge": 1, "foreign": 1, "live": 1})
    await double.create()
    endpoint = Endpoint(400, 400, 200, 503, 200)

    async with sending(double, endpoint) as deliveries:
        await until_sent(double, deliveries)

    assert deliveries.sent == {"forged": 1, "foreign": 1, "live": 1, "genuine": 2}
    assert +Counter(deliveries.accepted) == {"live": 1, "genuine": 1}
    accounts = [each.to_dict().get("account") for each in endpoint.verified()]
    assert accounts == ["acct_1SomebodyElse0000", None, None, None]
    assert [each.livemode for each in endpoint.verified()] == [False, True, False, False]
    assert len({json.loads(each.content)["id"] for each in endpoint.received}) == 4


async def test_what_was_not_accepted_is_sent_after_a_restart(start: Start, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"stripe_requests_per_second": 0, "stripe_webhook_url": URL}
    before = Double(start(app, **settings))
    first = await before.create()
    await sent_to(before, Endpoint())
    second = await before.create()
    down = Endpoint(*[None] * 3)
    async with sending(before, down) as deliveries:
        deliveries.begin_due()
        while not down.received:  # noqa: ASYNC110 - as clients do
            await asyncio.sleep(0.01)

    after = Double(start(app, **settings))
    endpoint = await sent_to(after, Endpoint())

    [event] = endpoint.verified()
    assert event.data.object.to_dict() == second.to_dict()
    assert event.id == json.loads(down.received[0].content)["id"]
    assert await after.told() == ["payment_intent.created"] * 2
    assert first.id != second.id
    third = Double(start(app, **settings))
    assert (await sent_to(third, Endpoint())).received == []


async def test_without_an_endpoint_nobody_is_told(start: Start) -> None:
    silent = Double(start(app, stripe_requests_per_second=0))
    await silent.create()

    told = Double(start(app, stripe_requests_per_second=0, stripe_webhook_url=URL))

    assert (await sent_to(told, Endpoint())).received == []
    assert await told.told() == ["payment_intent.created"]


async def test_a_slow_endpoint_delays_no_other_event(double: Double) -> None:
    await double.create()
    await double.create()
    is_open = asyncio.Event()
    received: list[httpx.Request] = []

    async def slow(request: httpx.Request) -> httpx.Response:
        received.append(request)
        await is_open.wait()
        return httpx.Response(200)

    endpoint = Endpoint()
    endpoint.answer = slow  # type: ignore[method-assign]
    async with sending(double, endpoint) as deliveries:
        deliveries.begin_due()
        while len(received) < 2:  # noqa: ASYNC110 - as clients do
            await asyncio.sleep(0.001)
        is_open.set()
        await until_sent(double, deliveries)


async def test_an_unknown_event_is_not_sent_again(double: Double) -> None:
    assert (await double.http.post("/events/evt_0/send")).status_code == 404
