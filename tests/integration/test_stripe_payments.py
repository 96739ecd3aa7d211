"""Payments at the double of Stripe: the whole system makes them, and all books agree."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from audit.invariants import violations
from domain import names
from domain.gateways import GatewayName
from domain.instruction import PaymentInstruction, PaymentMethod
from domain.money import Money
from domain.payment import Payment, PaymentStatus
from tests.support.agreement import books_of
from tests.support.stripe_system import attempts
from tests.support.system import Order, System
from tests.support.waiting import eventually
from workflows.start import start_payment

TOKEN = "pm_card_visa"
SECRETS = (TOKEN, "sk_test_simulated", "_secret_")
"""The token of the card, the API key, and a text that the secret of each PaymentIntent contains."""


async def pay(system: System, order: Order, token: str = TOKEN) -> Payment:
    """Pay the order at Stripe, and wait for the end."""
    instruction = PaymentInstruction(
        payment_id=uuid4(),
        order_id=UUID(order.id),
        customer_id=UUID(order.customer_id),
        reservation_id=None,
        amount=Money.parse(str(order.amount), order.currency),
        payment_method=PaymentMethod.CREDIT_CARD,
        requested_at=datetime.now(UTC),
        gateway=GatewayName.STRIPE,
        token=token,
    )
    return await (await start_payment(system.temporal, instruction)).result()


@asynccontextmanager
async def refunds(system: System, **behaviour: Any) -> AsyncIterator[None]:
    """In the block, refunds at the double behave as these settings say."""
    url = f"{system.url('stripe')}/settings"
    (await system.neighbours.put(url, json=behaviour)).raise_for_status()
    try:
        yield
    finally:
        usual = {"refund": "succeeded", "refundEnds": None}
        (await system.neighbours.put(url, json=usual)).raise_for_status()


async def test_a_payment_is_captured_at_stripe(system: System) -> None:
    order = await system.an_order()

    payment = await pay(system, order)

    assert payment.status is PaymentStatus.SUCCEEDED
    assert await attempts(system.stack, system.neighbours, order) == ["captured"]
    assert await system.charges(order) == []  # at the simulator
    [event] = await system.events(order)
    assert event.topic == names.TOPIC_SUCCEEDED
    [row] = await system.rows(order)
    assert (row["gateway"], row["gateway_reference"]) == ("stripe", payment.gateway_reference)
    assert violations(await books_of(system, order)) == []


@pytest.mark.parametrize(
    ("card", "code"),
    [
        ("chargeDeclined", "CARD_DECLINED"),
        ("chargeDeclinedInsufficientFunds", "INSUFFICIENT_FUNDS"),
        ("authenticationRequired", "INVALID_CARD"),
    ],
)
async def test_a_declined_attempt_is_voided_before_the_payment_fails(
    system: System, card: str, code: str
) -> None:
    order = await system.an_order()

    payment = await pay(system, order, f"pm_card_{card}")

    assert (payment.status, payment.error_code) == (PaymentStatus.FAILED, code)
    intent = await system.neighbours.put(
        f"{system.url('stripe')}/intents/{payment.gateway_reference}", json={"status": "canceled"}
    )
    assert "has a status of canceled" in intent.text
    [event] = await system.events(order)
    assert event.topic == names.TOPIC_FAILED
    assert violations(await books_of(system, order)) == []


@pytest.mark.parametrize("operation", ["create", "confirm", "capture"])
async def test_a_saved_500_that_hides_an_effect_charges_once(
    system: System, operation: str
) -> None:
    order = await system.an_order()
    fault = {"operation": operation, "hasEffect": True}
    await system.neighbours.post(f"{system.url('stripe')}/faults", json=fault)

    payment = await pay(system, order)

    assert payment.status is PaymentStatus.SUCCEEDED
    states = await attempts(system.stack, system.neighbours, order)
    assert states.count("captured") == 1
    assert violations(await books_of(system, order)) == []


@pytest.mark.proof  # the refund is looked up again after a minute
async def test_a_pending_refund_is_published_when_it_has_succeeded(system: System) -> None:
    order = await system.an_order()
    payment = await pay(system, order)

    async def is_pending() -> bool:
        shown = (await system.get(f"/payments/{payment.id}/timeline")).body["timeline"]
        at_gateway = [each["event"] for each in shown if each["source"] == "gateway"]
        return at_gateway == ["charge was opened, and is captured", "refund is pending"]

    async def is_published() -> bool:
        return len(await system.topics.of(order.id)) == 2

    async with refunds(system, refund="pending"):
        assert (await system.refund(str(payment.id), "50.00", "key")).status == 202
        await eventually("the refund is pending at Stripe", is_pending)
        assert not await is_published()
    async with refunds(system, refund="pending", refundEnds="succeeded"):
        await eventually("the refund is published", is_published, seconds=90)
        assert (await system.refund(str(payment.id), "50.00", "key")).status == 201

    assert [each.topic for each in await system.events(order)] == [
        names.TOPIC_SUCCEEDED,
        names.TOPIC_REFUNDED,
    ]
    assert violations(await books_of(system, order)) == []


async def test_a_token_is_only_in_the_input_of_its_workflow_and_no_secret_anywhere(
    system: System,
) -> None:
    order = await system.an_order()
    payment = await pay(system, order)
    handle = system.temporal.get_workflow_handle(names.workflow_id(UUID(order.id)))
    started, *others = (await handle.fetch_history()).events
    texts = [
        *(each.SerializeToString() for each in others),
        (await handle.describe()).raw_description.SerializeToString(),
        str(await system.events(order)).encode(),
        str(await system.rows(order)).encode(),
        (await system.get(f"/payments/{payment.id}")).text.encode(),
        (await system.get(f"/payments/{payment.id}/timeline")).text.encode(),
        *(each.read_bytes() for each in (system.stack.site.directory / "logs").iterdir()),
    ]

    assert TOKEN.encode() in started.SerializeToString()
    for secret in SECRETS:
        assert not any(secret.encode() in text for text in texts), secret
