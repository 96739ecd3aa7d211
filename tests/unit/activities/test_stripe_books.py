"""The timeline and the audit's ledger read from Stripe what the adapter did on the double."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from activities.adapters.json_client import JsonClient
from activities.adapters.stripe.client import RequestPace, StripeClient
from activities.adapters.stripe.ledger import StripeLedger
from activities.adapters.stripe.timeline import StripeTimeline
from activities.audit_ports import LedgerEntry, Movement, UnreadableEntry
from domain.errors import ErrorCode
from domain.gateway import ChargeRequest
from domain.gateways import TERMS, GatewayName
from domain.payment import Payment
from domain.timeline import Source
from tests.support.builders import a_payment
from tests.support.json_neighbour import FixedResponse, Handler, code_of, neighbour
from tests.support.stripe_client import API_KEY
from tests.support.stripe_gateway import UNHURRIED, StripeDouble, a_charge, a_page, refund_of
from tests.support.stripe_responses import CAPTURED, CHARGE, MADE_REFUND


def client_of(json_client: JsonClient) -> StripeClient:
    return StripeClient(json_client, SecretStr(API_KEY), RequestPace(UNHURRIED))


def on_double(stripe: StripeDouble) -> StripeClient:
    return client_of(JsonClient(stripe.http, "Stripe", ErrorCode.GATEWAY_UNAVAILABLE, 5))


def on_handler(handler: Handler) -> StripeClient:
    return client_of(neighbour(handler, ErrorCode.GATEWAY_UNAVAILABLE))


def payment_of(request: ChargeRequest) -> Payment:
    return a_payment(
        id=request.payment_id,
        order_id=request.order_id,
        amount=request.amount,
        gateway=GatewayName.STRIPE,
        gateway_reference=request.reference,
    )


async def shown(stripe: StripeDouble, payment: Payment) -> list[tuple[str, str | None]]:
    timeline = StripeTimeline(on_double(stripe), livemode=False)
    return [(each.event, each.detail) for each in await timeline(payment, [])]


async def test_the_timeline_shows_a_charge_and_its_refunds(stripe: StripeDouble) -> None:
    request = await stripe.captured(amount="15000", currency="ISK")
    await stripe.gateway.refund(refund_of(request, "5000", 1))
    await stripe.put("/settings", refund="pending")
    await stripe.gateway.refund(refund_of(request, "10000", 2))

    assert await shown(stripe, payment_of(request)) == [
        ("charge was opened, and is captured", "15000 ISK"),
        ("refund is pending", "10000 ISK"),
        ("refund is succeeded", "5000 ISK"),
    ]


async def test_the_timeline_shows_every_state(stripe: StripeDouble) -> None:
    opened, declined = await stripe.opened(), await stripe.opened(token="pm_card_chargeDeclined")
    await stripe.gateway.charge(declined)
    voided, asked = await stripe.authorized(), await stripe.opened()
    await stripe.gateway.void_charge(voided.identity)
    await stripe.put(f"/intents/{asked.reference}", status="processing")

    for request, state in (
        (opened, "open"),
        (declined, "declined"),
        (voided, "voided"),
        (asked, "processing"),
    ):
        expected = [(f"charge was opened, and is {state}", "150.00 USD")]
        assert await shown(stripe, payment_of(request)) == expected
    assert await shown(stripe, payment_of(a_charge())) == []


async def test_the_timeline_shows_the_page_and_what_was_paid_there(stripe: StripeDouble) -> None:
    request = await stripe.opened(a_page())
    amount = "150.00 USD"
    assert await shown(stripe, payment_of(request)) == [("page was opened, and is open", amount)]

    await stripe.post(f"/customers/{request.reference}/act", **{"as": "pay"})
    await stripe.gateway.capture(request)
    await stripe.gateway.refund(refund_of(request, "50.00"))

    assert await shown(stripe, payment_of(request)) == [
        ("page was opened, and is complete", amount),
        ("charge was opened, and is captured", amount),
        ("refund is succeeded", "50.00 USD"),
    ]


async def test_the_timeline_of_another_payment_is_not_shown(stripe: StripeDouble) -> None:
    request, other = await stripe.captured(), await stripe.captured()
    mixed = payment_of(request.model_copy(update={"reference": other.reference}))

    assert await code_of(shown(stripe, mixed)) is ErrorCode.GATEWAY_UNAVAILABLE


async def test_the_ledger_has_the_money_that_moved(stripe: StripeDouble) -> None:
    request, released = await stripe.captured(), await stripe.authorized()
    await stripe.gateway.void_charge(released.identity)
    await stripe.opened()
    made = refund_of(request, "50.00", 1)
    await stripe.gateway.refund(made)
    await stripe.put("/settings", refund="failed")
    await stripe.gateway.refund(refund_of(request, "20.00", 2))

    entries = [each async for each in StripeLedger(on_double(stripe)).entries()]

    assert all(isinstance(each, LedgerEntry) for each in entries)
    effects = [each.effect for each in entries if isinstance(each, LedgerEntry)]
    assert [(each.movement, each.key, each.charge_key) for each in effects] == [
        (Movement.CAPTURE, request.key, request.key),
        (Movement.REFUND, made.key, request.key),
    ]
    assert [str(each.amount) for each in effects] == ["150.00 USD", "50.00 USD"]


async def test_the_ledger_is_read_to_its_last_page(stripe: StripeDouble) -> None:
    requests = [await stripe.captured() for _ in range(51)]

    entries = [each async for each in StripeLedger(on_double(stripe)).entries()]

    keys = {each.effect.key for each in entries if isinstance(each, LedgerEntry)}
    assert keys == {each.key for each in requests}


def page(*items: Any) -> Handler:
    """Respond with this list to requests for PaymentIntents and for refunds."""
    return FixedResponse({"object": "list", "data": [*items], "has_more": False})


@pytest.mark.parametrize("metadata", [{}, {"key": "k"}, {"key": f"pay_{uuid4()}"}])
async def test_payments_of_other_programs_are_left_out(metadata: dict[str, str]) -> None:
    foreign = {**CAPTURED, "metadata": metadata}

    entries = [each async for each in StripeLedger(on_handler(page(foreign))).entries()]

    assert entries == [UnreadableEntry("a refund in Stripe's list (ValidationError)")]


async def test_refunds_of_other_programs_are_left_out() -> None:
    """Other programs charge without a PaymentIntent. Their refunds have none, and other ids."""
    foreign = {**MADE_REFUND, "id": "py_1", "payment_intent": None}

    def handler(request: httpx.Request) -> httpx.Response:
        is_list = request.url.path.endswith("/refunds")
        items = [foreign] if is_list else []
        return FixedResponse({"object": "list", "data": items, "has_more": False})(request)

    assert [each async for each in StripeLedger(on_handler(handler)).entries()] == []


async def test_an_entry_that_cannot_be_read_is_named_and_not_quoted() -> None:
    ours = {**CAPTURED["metadata"], "order_id": "hunter2"}
    odd = [{**CAPTURED, "metadata": ours}, {"id": "hunter2"}]

    found = [each async for each in StripeLedger(on_handler(page(*odd))).entries()]

    assert [type(each) for each in found] == [UnreadableEntry] * 4
    assert "hunter2" not in str(found)


async def test_what_is_no_list_is_no_ledger() -> None:
    for body in ("[]", "{}", '{"data": {}}'):
        ledger = StripeLedger(on_handler(FixedResponse(body)))
        with pytest.raises(ValueError, match="not a page"):
            [each async for each in ledger.entries()]


@pytest.mark.parametrize(
    ("units", "currency", "amount"),
    [
        (15_000, "USD", "150.00 USD"),
        (15_000, "JPY", "15000 JPY"),
        (15_000, "ISK", "150 ISK"),
        (15_000, "MGA", "15000.00 MGA"),
        (15_000, "KWD", "15.000 KWD"),
    ],
)
def test_an_amount_is_read_as_it_was_sent(units: int, currency: str, amount: str) -> None:
    money = TERMS[GatewayName.STRIPE].amounts.money(units, currency)

    assert str(money) == amount
    assert TERMS[GatewayName.STRIPE].amounts.minor_units(money) == units


async def test_times_are_those_of_stripe_in_utc() -> None:
    def handler(request: httpx.Request) -> httpx.Response:
        is_list = request.url.path.endswith("/refunds")
        return (page(MADE_REFUND) if is_list else FixedResponse(CAPTURED))(request)

    timeline = StripeTimeline(on_handler(handler), livemode=False)

    entries = await timeline(payment_of(CHARGE), [])

    created = datetime.fromtimestamp(CAPTURED["created"], UTC)
    assert [each.at for each in entries] == [created, created + timedelta(seconds=1)]
    assert all(each.source is Source.GATEWAY for each in entries)
