"""The Stripe-shaped gateway has Stripe's Checkout Sessions. The official client asks."""

from pathlib import Path
from time import time
from typing import Any

import pytest

from devstack.neighbours.stripe import app
from tests.support.stripe_client import CHECKOUT, MANUAL
from tests.unit.devstack.neighbours import Start
from tests.unit.devstack.stripe_double import Double, error_of, refused

INVALID = "invalid_request_error"
UNEXPECTED = (400, INVALID, "payment_intent_unexpected_state", None)
NO_KEY: dict[str, Any] = {"payment_intent_data": {"capture_method": "automatic"}}


async def test_a_session_has_no_payment_until_the_customer_first_pays(double: Double) -> None:
    session = await double.open_session()

    assert (session.status, session.payment_status) == ("open", "unpaid")
    assert (session.amount_total, session.currency, session.livemode) == (15_000, "usd", False)
    assert session.url.startswith(f"http://127.0.0.1:5006/c/pay/{session.id}#")
    assert session.metadata.to_dict() == {"key": "of the session"}
    assert (await double.expanded(session.id)).payment_intent is None
    assert (await double.intents.list_async()).data == []


async def test_a_session_is_complete_but_unpaid_once_the_card_is_authorized(
    double: Double,
) -> None:
    session = await double.open_session()

    await double.act(session.id, "pay")

    paid = await double.expanded(session.id)
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "unpaid", None)
    intent = paid.payment_intent
    assert (intent.status, intent.amount_capturable) == ("requires_capture", 15_000)
    assert intent.metadata.to_dict() == MANUAL["metadata"]
    assert intent.latest_charge.captured is False
    assert await double.ledger() == []
    await double.capture(intent.id)
    assert (await double.expanded(session.id)).payment_status == "paid"
    assert await double.ledger() == [("charge.captured", "pay_p_charge", "150.00")]


async def test_an_automatic_capture_pays_at_once(double: Double) -> None:
    session = await double.open_session(**NO_KEY)

    await double.act(session.id, "pay")

    paid = await double.expanded(session.id)
    assert (paid.status, paid.payment_status) == ("complete", "paid")
    assert paid.payment_intent.status == "succeeded"


async def test_after_a_declined_card_another_one_can_be_tried(double: Double) -> None:
    session = await double.open_session()

    await double.act(session.id, "decline")
    declined = await double.expanded(session.id)
    assert (declined.status, declined.payment_intent.status) == ("open", "requires_payment_method")
    assert declined.payment_intent.last_payment_error.decline_code == "generic_decline"
    await double.act(session.id, "fail")
    failed = (await double.expanded(session.id)).payment_intent
    assert failed.last_payment_error.code == "payment_intent_authentication_failure"
    await double.act(session.id, "confirm")

    paid = await double.expanded(session.id)
    assert (paid.status, paid.payment_intent.id) == ("complete", declined.payment_intent.id)
    assert paid.payment_intent.last_payment_error is None
    assert await refusal(double, session.id) == 400


async def test_a_customer_who_leaves_changes_nothing(double: Double) -> None:
    session = await double.open_session()

    await double.act(session.id, "abandon")

    assert (await double.expanded(session.id)).status == "open"


async def test_only_an_open_session_expires(double: Double) -> None:
    untouched, declined, paid = [await double.open_session() for _ in range(3)]
    await double.act(declined.id, "decline")
    await double.act(paid.id, "pay")

    for each in (untouched, declined):
        expired = await double.sessions.expire_async(each.id)
        assert (expired.status, expired.url) == ("expired", None)
        error = await refused(double.sessions.expire_async(each.id))
        assert 'status in ["open"]' in str(error)
        assert await refusal(double, each.id) == 400
    assert await error_of(double.sessions.expire_async(paid.id)) == (400, INVALID, None, None)
    canceled = (await double.expanded(declined.id)).payment_intent
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "expired")
    assert (await double.expanded(untouched.id)).payment_intent is None
    assert (await double.expanded(paid.id)).payment_intent.status == "requires_capture"


async def test_a_session_that_expires_takes_the_customer_from_the_bank(double: Double) -> None:
    session = await double.open_session()
    form = {"card": "authenticationRequired"}
    await double.http.post(f"/c/pay/{session.id}", data=form)
    asked = (await double.expanded(session.id)).payment_intent
    assert asked.status == "requires_action"

    await double.sessions.expire_async(session.id)

    await double.http.post(asked.next_action.redirect_to_url.url, data={"as": "confirm"})
    assert (await double.intents.retrieve_async(asked.id)).status == "canceled"
    assert await double.ledger() == []


async def test_the_payment_of_a_session_is_canceled_only_when_it_is_authorized(
    double: Double,
) -> None:
    session = await double.open_session()
    await double.act(session.id, "decline")
    intent = (await double.expanded(session.id)).payment_intent.id

    assert await error_of(double.cancel(intent)) == UNEXPECTED
    assert await error_of(double.confirm(intent)) == UNEXPECTED
    await double.act(session.id, "pay")

    assert (await double.cancel(intent)).status == "canceled"
    assert (await double.expanded(session.id)).status == "complete"


async def test_a_session_expires_by_itself(double: Double) -> None:
    session = await double.open_session()
    account = double.http._transport.app.state.stripe.account  # type: ignore[attr-defined]
    old = account.sessions[session.id].model_copy(update={"expires_at": int(time())})
    account.sessions[session.id] = old

    assert (await double.expanded(session.id)).status == "expired"
    assert "checkout.session.expired" in await double.told()


@pytest.mark.parametrize(
    ("changed", "param"),
    [
        ({"expires_at": 60}, "expires_at"),
        ({"expires_at": 30 * 60 - 5}, "expires_at"),
        ({"expires_at": 24 * 3600 + 60}, "expires_at"),
        ({"mode": "setup"}, "mode"),
        ({"success_url": "shop.example"}, "success_url"),
        ({"success_url": "javascript:alert(1)"}, "success_url"),
        ({"line_items": []}, "line_items"),
        ({"payment_method_types": ["cash"]}, "payment_method_types[0]"),
        ({"payment_intent_data": {"nobody": "x"}}, "payment_intent_data[nobody]"),
        ({"nobody": "x"}, "nobody"),
    ],
)
async def test_a_wrong_session_is_refused(
    double: Double, changed: dict[str, Any], param: str
) -> None:
    if "expires_at" in changed:
        changed = {"expires_at": int(time()) + changed["expires_at"]}

    status, kind, _, found = await error_of(double.open_session(**changed))

    assert (status, kind, found) == (400, INVALID, param)


@pytest.mark.parametrize("price", [{"unit_amount": 49}, {"currency": "zzz"}])
async def test_a_price_that_cannot_be_charged_is_refused(
    double: Double, price: dict[str, Any]
) -> None:
    [item] = CHECKOUT["line_items"]
    wrong = {**item, "price_data": {**item["price_data"], **price}}

    assert (await refused(double.open_session(line_items=[wrong]))).http_status == 400


async def test_without_a_time_a_session_lives_for_a_day(double: Double) -> None:
    session = await double.sessions.create_async(CHECKOUT)

    assert session.expires_at - session.created == 24 * 3600


async def test_a_session_is_opened_once_under_its_key(double: Double) -> None:
    times: Any = {"expires_at": int(time()) + 3600}

    first, again = [await double.open_session("k", **times) for _ in range(2)]

    assert first.id == again.id
    assert (await refused(double.open_session("k", metadata={}, **times))).http_status == 400


async def test_an_unknown_session_is_a_404(double: Double) -> None:
    missing = (404, INVALID, "resource_missing", "session")
    assert await error_of(double.sessions.retrieve_async("cs_test_0")) == missing
    assert await error_of(double.sessions.expire_async("cs_test_0")) == missing


async def test_sessions_are_shown_in_the_form_of_the_simulator(double: Double) -> None:
    untouched, expired, paid = [await double.open_session() for _ in range(3)]
    await double.sessions.expire_async(expired.id)
    await double.act(paid.id, "pay")

    shown = (await double.http.get("/charges?orderId=order")).json()

    states = {each["id"]: each["state"] for each in shown}
    intent = (await double.expanded(paid.id)).payment_intent.id
    assert states == {intent: "open", untouched.id: "open", expired.id: "voided"}


async def test_sessions_are_the_same_after_a_restart(start: Start, tmp_path: Path) -> None:
    before = Double(start(app))
    session = await before.open_session("k")
    await before.act(session.id, "decline")

    after = Double(start(app))

    assert (await after.expanded(session.id)).status == "open"
    await after.act(session.id, "pay")
    assert (await after.expanded(session.id)).status == "complete"


async def test_customers_act_by_themselves(double: Double) -> None:
    await double.put("/settings/order", customer=["decline", "pay"])
    await double.put("/settings/late", customer=["pay"], customerAfterMs=600_000)
    session, asked = await double.open_session(), await double.asked()
    late: Any = {"payment_intent_data": {"metadata": {"order_id": "late"}}}
    later = await double.open_session(**late)

    while (await double.expanded(session.id)).status != "complete":
        pass
    assert (await double.intents.retrieve_async(asked.id)).status == "requires_payment_method"
    assert (await double.expanded(later.id)).status == "open"
    assert (await double.told()).count("payment_intent.payment_failed") == 2


async def test_a_state_that_a_test_has_made_stops_no_customer(double: Double) -> None:
    await double.put("/settings/order", customer=["decline", "pay"], customerAfterMs=600_000)
    stuck, other = await double.open_session(), await double.open_session()
    for each in (stuck, other):
        await double.act(each.id, "decline")
    await double.put(
        f"/intents/{(await double.expanded(stuck.id)).payment_intent.id}", status="canceled"
    )

    await double.put("/settings/order", customer=["decline", "pay"])

    assert (await double.expanded(stuck.id)).status == "open"
    assert (await double.expanded(other.id)).status == "complete"


async def refusal(double: Double, session: str) -> int:
    """The HTTP status of an attempt to pay at this session."""
    response = await double.http.post(f"/customers/{session}/act", json={"as": "pay"})
    return response.status_code
