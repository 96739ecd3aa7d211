"""The Stripe-shaped gateway sends the same events as Stripe. The official client reads them."""

from collections.abc import Awaitable, Callable

import pytest

from devstack.neighbours.stripe import app
from tests.unit.devstack.neighbours import Start
from tests.unit.devstack.stripe_double import Double, refused
from tests.unit.devstack.stripe_endpoint import URL, Endpoint, sent_to


@pytest.fixture
def double(start: Start) -> Double:
    return Double(start(app, stripe_requests_per_second=0, stripe_webhook_url=URL))


async def authenticated(double: Double) -> None:
    asked = await double.asked()
    await double.act(asked.id, "confirm")
    await double.capture(asked.id)


async def given_up(double: Double) -> None:
    intent = await double.create()
    await refused(double.confirm(intent.id, "chargeDeclined"))
    await double.cancel(intent.id)


async def released(double: Double) -> None:
    intent = await double.create()
    await double.confirm(intent.id)
    await double.cancel(intent.id)


async def hosted(double: Double) -> None:
    session, other = await double.open_session(), await double.open_session()
    await double.act(session.id, "pay")
    await double.sessions.expire_async(other.id)


async def refunded(double: Double) -> None:
    intent = await double.paid()
    await double.put("/settings", refund="pending")
    refund = await double.refund(intent.id)
    await double.put(f"/refunds/{refund.id}", status="succeeded")
    await double.put(f"/refunds/{refund.id}", status="failed")


async def lost_to_the_bank(double: Double) -> None:
    intent = await double.paid()
    dispute = await double.http.post(f"/intents/{intent.id}/dispute", json={})
    await double.put(f"/disputes/{dispute.json()['id']}", status="lost")


async def won_from_the_bank(double: Double) -> None:
    intent = await double.paid()
    asked = {"status": "warning_needs_response"}
    dispute = await double.http.post(f"/intents/{intent.id}/dispute", json=asked)
    for status in ("needs_response", "won"):
        await double.put(f"/disputes/{dispute.json()['id']}", status=status)


NEW_REFUND = ("refund.created", "refund.updated")
PAID = [
    "payment_intent.created",
    "payment_intent.amount_capturable_updated",
    "charge.succeeded",
    "payment_intent.succeeded",
    "charge.captured",
]


@pytest.mark.parametrize(
    ("happens", "types"),
    [
        (
            authenticated,
            ["payment_intent.created", "payment_intent.requires_action", *PAID[1:]],
        ),
        (
            given_up,
            [
                "payment_intent.created",
                "payment_intent.payment_failed",
                "charge.failed",
                "payment_intent.canceled",
            ],
        ),
        (
            released,
            [*PAID[:3], "payment_intent.canceled", "charge.refunded", *NEW_REFUND],
        ),
        (hosted, [*PAID[:3], "checkout.session.completed", "checkout.session.expired"]),
        (
            refunded,
            [
                *PAID,
                *("charge.refunded", *NEW_REFUND),
                *("refund.updated", "charge.refund.updated"),
                *("refund.updated", "charge.refund.updated", "refund.failed"),
            ],
        ),
        (
            lost_to_the_bank,
            [
                *PAID,
                *("charge.dispute.created", "charge.dispute.funds_withdrawn"),
                *("charge.dispute.updated", "charge.dispute.closed"),
            ],
        ),
        (
            won_from_the_bank,
            [
                *PAID,
                "charge.dispute.created",
                *("charge.dispute.updated", "charge.dispute.funds_withdrawn"),
                *("charge.dispute.updated", "charge.dispute.closed"),
                "charge.dispute.funds_reinstated",
            ],
        ),
    ],
)
async def test_each_change_is_told(
    double: Double, happens: Callable[[Double], Awaitable[None]], types: list[str]
) -> None:
    await happens(double)

    assert await double.told() == types


async def test_an_event_shows_the_object_as_it_was(double: Double) -> None:
    intent = await double.create("k")
    await double.confirm(intent.id)

    events = (await sent_to(double, Endpoint())).verified()

    created, *others = sorted(events, key=lambda each: each.type == "charge.succeeded")
    assert created.type == "payment_intent.created"
    assert created.data.object.to_dict() == intent.to_dict()
    assert (created.object, created.api_version) == ("event", "2026-08-26.dahlia")
    assert (created.livemode, created.to_dict().get("account")) == (False, None)
    assert created.request.idempotency_key == "k"
    assert created.request.id.startswith("req_")
    assert {each.data.object.metadata.to_dict()["order_id"] for each in others} == {"order"}


async def test_events_about_others_objects_have_no_metadata_of_ours(double: Double) -> None:
    await lost_to_the_bank(double)
    await released(double)

    events = (await sent_to(double, Endpoint())).verified()

    theirs = {"dispute", "refund"}
    objects = [each.data.object for each in events if each.data.object.object in theirs]
    assert {each.object for each in objects} == theirs
    assert [each.metadata.to_dict() for each in objects] == [{}] * len(objects)
    assert all(each.payment_intent for each in objects)
