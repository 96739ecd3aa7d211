"""The pages of the Stripe-shaped gateway redirect customers as Stripe's do, without JavaScript."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.unit.devstack.stripe_double import RETURN_URL, Double

OWN = "http://127.0.0.1:5006"


def bank_of(intent: Any) -> str:
    url: str = intent.next_action.redirect_to_url.url
    assert url.startswith(f"{OWN}/redirect/authenticate/{intent.id}?client_secret=")
    return url.removeprefix(OWN)


@pytest.mark.parametrize(
    ("answer", "state", "redirect_status"),
    [
        ("confirm", "requires_capture", "succeeded"),
        ("pay", "requires_capture", "succeeded"),
        ("decline", "requires_payment_method", "failed"),
        ("fail", "requires_payment_method", "failed"),
    ],
)
async def test_the_bank_leads_back_to_the_shop_with_what_stripe_adds(
    double: Double, answer: str, state: str, redirect_status: str
) -> None:
    asked = await double.asked()
    page = await double.http.get(bank_of(asked))
    assert page.status_code == 200
    assert "150.00 USD" in page.text
    assert "no money moves" in page.text

    left = await double.http.post(bank_of(asked), data={"as": answer})

    assert left.status_code == 303
    assert left.headers["location"].startswith(f"{RETURN_URL}&payment_intent={asked.id}&")
    assert parse_qs(urlsplit(left.headers["location"]).query) == {
        "id": ["p"],
        "x": ["1"],
        "payment_intent": [asked.id],
        "payment_intent_client_secret": [asked.client_secret],
        "redirect_status": [redirect_status],
    }
    assert (await double.intents.retrieve_async(asked.id)).status == state


async def test_a_failed_authentication_is_no_card_error(double: Double) -> None:
    asked = await double.asked()

    await double.act(asked.id, "fail")

    failed: Any = await double.intents.retrieve_async(asked.id)
    error = failed.last_payment_error.to_dict()
    assert error["type"] == "invalid_request_error"
    assert error["code"] == "payment_intent_authentication_failure"
    assert "decline_code" not in error
    assert (failed.latest_charge, failed.next_action) == (None, None)


async def test_a_customer_acts_only_while_the_bank_asks(double: Double) -> None:
    opened, confirmed = await double.create(), await double.asked()
    await double.act(confirmed.id, "confirm")

    for intent in (opened, confirmed):
        for does in ("pay", "confirm", "decline", "fail", "abandon"):
            response = await double.http.post(f"/customers/{intent.id}/act", json={"as": does})
            assert response.status_code == 400
    assert (await double.intents.retrieve_async(confirmed.id)).status == "requires_capture"


async def test_a_card_may_be_declined_after_its_bank_has_asked(double: Double) -> None:
    asked = await double.asked("authenticationRequiredChargeDeclinedInsufficientFunds")

    await double.http.post(bank_of(asked), data={"as": "confirm"})

    declined: Any = await double.intents.retrieve_async(asked.id)
    assert declined.last_payment_error.decline_code == "insufficient_funds"


async def test_a_customer_who_leaves_the_bank_can_come_back(double: Double) -> None:
    asked = await double.asked()

    left = await double.http.post(bank_of(asked), data={"as": "abandon"})

    assert left.status_code == 200
    assert (await double.intents.retrieve_async(asked.id)).status == "requires_action"
    assert (await double.http.post(bank_of(asked), data={"as": "confirm"})).status_code == 303
    assert (await double.intents.retrieve_async(asked.id)).status == "requires_capture"


async def test_a_second_tab_of_the_bank_changes_nothing(double: Double) -> None:
    confirmed, canceled = await double.asked(), await double.asked()
    await double.http.post(bank_of(confirmed), data={"as": "confirm"})
    await double.cancel(canceled.id)

    for intent, state in ((confirmed, "succeeded"), (canceled, "failed")):
        for answer in (
            await double.http.get(bank_of(intent)),
            await double.http.post(bank_of(intent), data={"as": "fail"}),
            await double.http.post(bank_of(intent), data={"as": "confirm"}),
        ):
            assert answer.status_code == 303
            assert f"redirect_status={state}" in answer.headers["location"]
    assert (await double.intents.retrieve_async(confirmed.id)).status == "requires_capture"
    assert (await double.intents.retrieve_async(canceled.id)).status == "canceled"


@pytest.mark.parametrize(
    "path",
    [
        "/redirect/authenticate/pi_0?client_secret=x",
        "/redirect/authenticate/{intent}",
        "/redirect/authenticate/{intent}?client_secret=wrong",
        "/c/pay/cs_test_0",
    ],
)
async def test_an_unknown_address_shows_nothing(double: Double, path: str) -> None:
    asked = await double.asked()
    form = {"as": "confirm", "card": "visa"}

    shown = await double.http.get(path.format(intent=asked.id))
    sent = await double.http.post(path.format(intent=asked.id), data=form)

    assert (shown.status_code, sent.status_code) == (404, 404)
    assert (await double.intents.retrieve_async(asked.id)).status == "requires_action"


async def test_the_checkout_shows_the_price_and_takes_another_card(double: Double) -> None:
    session = await double.open_session()
    path = f"/c/pay/{session.id}"
    page = await double.http.get(path)
    assert "Order &lt;1&gt; &amp; more" in page.text
    assert "150.00 USD" in page.text
    assert "https://shop.example/left" in page.text
    assert "no money moves" in page.text

    declined = await double.http.post(path, data={"card": "chargeDeclined"})
    assert declined.headers["location"].removeprefix(OWN).startswith(f"{path}#")
    assert "Your card was declined." in (await double.http.get(path)).text
    asked = await double.http.post(path, data={"card": "authenticationRequired"})
    bank = asked.headers["location"].removeprefix(OWN)
    failed = await double.http.post(bank, data={"as": "fail"})
    assert failed.headers["location"].removeprefix(OWN).startswith(f"{path}#")
    assert "failed authentication" in (await double.http.get(path)).text
    asked = await double.http.post(path, data={"card": "authenticationRequired"})
    bank = asked.headers["location"].removeprefix(OWN)
    paid = await double.http.post(bank, data={"as": "confirm"})

    assert paid.status_code == 303
    assert paid.headers["location"] == f"https://shop.example/paid?session={session.id}"
    assert (await double.expanded(session.id)).status == "complete"
    assert "You have paid" in (await double.http.get(path)).text
    again = await double.http.post(path, data={"card": "chargeDeclined"})
    assert again.headers["location"] == f"https://shop.example/paid?session={session.id}"


async def test_an_expired_checkout_says_so_and_charges_nothing(double: Double) -> None:
    session = await double.open_session()
    await double.sessions.expire_async(session.id)

    sent = await double.http.post(f"/c/pay/{session.id}", data={"card": "visa"})

    assert sent.status_code == 303
    assert "has expired" in (await double.http.get(f"/c/pay/{session.id}")).text
    assert (await double.intents.list_async()).data == []


@pytest.mark.parametrize("form", [{}, {"card": "nobody"}, {"as": "nobody"}, {"card[x]": "visa"}])
async def test_a_form_with_nothing_that_can_be_chosen_changes_nothing(
    double: Double, form: dict[str, str]
) -> None:
    session, asked = await double.open_session(), await double.asked()

    for path in (f"/c/pay/{session.id}", bank_of(asked)):
        assert (await double.http.post(path, data=form)).status_code == 404
    assert (await double.expanded(session.id)).payment_intent is None


async def test_the_pages_run_no_script_and_send_forms_only_where_they_lead(
    double: Double,
) -> None:
    session, asked = await double.open_session(), await double.asked()
    shown: list[httpx.Response] = [
        await double.http.get(f"/c/pay/{session.id}"),
        await double.http.get(bank_of(asked)),
    ]

    for page in shown:
        policy = page.headers["content-security-policy"].split("; ")
        assert {"default-src 'none'", "style-src 'self'", "frame-ancestors 'none'"} <= {*policy}
        [forms] = [each for each in policy if each.startswith("form-action")]
        assert {"'self'", "https://shop.example"} <= {*forms.split()[1:]}
        assert page.headers["cache-control"] == "no-store"
        assert "<script" not in page.text
        assert " style=" not in page.text
    assert (await double.http.get("/pages.css")).headers["content-type"].startswith("text/css")
