"""The Stripe-shaped gateway refuses the requests that Stripe refuses, with Stripe's errors."""

from contextlib import suppress
from typing import Any

import httpx
import pytest
import stripe
from stripe.params import PaymentIntentSearchParams

from devstack.neighbours.stripe import app
from devstack.neighbours.stripe.errors import StripeError
from devstack.neighbours.stripe.limiter import Limiter
from tests.support.stripe_client import official_client
from tests.unit.devstack.neighbours import Start
from tests.unit.devstack.stripe_double import Double, error_of, refused

INVALID = "invalid_request_error"
FORM = {"content-type": "application/x-www-form-urlencoded"}


def headers(**changed: str) -> dict[str, str]:
    sent = {"authorization": "Bearer sk_test_simulated", "stripe_version": "2026-08-26.dahlia"}
    return {name.replace("_", "-"): value for name, value in {**sent, **changed}.items() if value}


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer", "Bearer sk_test_other", "Basic c2tfdGVzdA==", "Bearer sk_live_1"],
)
async def test_a_wrong_key_is_a_401(double: Double, authorization: str) -> None:
    sent = headers(authorization=authorization)

    for method, path in (("GET", "/v1/refunds"), ("POST", "/v1/payment_intents/pi_0/capture")):
        response = await double.http.request(method, path, headers=sent)
        assert (response.status_code, response.json()["error"]["type"]) == (401, INVALID)


async def test_the_official_client_is_refused_with_another_key_or_version(double: Double) -> None:
    other_key = official_client(double.http, api_key="sk_test_other")
    other_version = official_client(double.http, version="2026-10-28.endive")

    error = await refused(other_key.v1.refunds.list_async())
    assert isinstance(error, stripe.AuthenticationError)
    assert "sk_test_other" not in str(error)
    assert (await refused(other_version.v1.refunds.list_async())).http_status == 400
    unpinned = await double.http.get("/v1/refunds", headers=headers(stripe_version=""))
    assert unpinned.status_code == 400


@pytest.mark.parametrize(
    ("changed", "code", "param"),
    [
        ({"amount": 0}, "parameter_invalid_integer", "amount"),
        ({"amount": -1}, "parameter_invalid_integer", "amount"),
        ({"amount": "150.00"}, None, "amount"),
        ({"amount": "1_000"}, None, "amount"),
        ({"amount": 49}, "amount_too_small", "amount"),
        ({"amount": 100_000_000}, "amount_too_large", "amount"),
        ({"currency": "zzz"}, None, "currency"),
        ({"currency": "USD"}, None, "currency"),
        ({"currency": ""}, "parameter_invalid_empty", "currency"),
        ({"capture_method": "never"}, None, "capture_method"),
        ({"payment_method_types": ["cash"]}, None, "payment_method_types[0]"),
        ({"nobody": "x"}, "parameter_unknown", "nobody"),
        ({"metadata": {"k" * 41: "v"}}, None, None),
        ({"metadata": {"k": "v" * 501}}, None, "metadata[k]"),
    ],
)
async def test_a_wrong_parameter_is_refused(
    double: Double, changed: dict[str, Any], code: str | None, param: str | None
) -> None:
    status, kind, found_code, found_param = await error_of(double.create(**changed))

    assert (status, kind, found_code) == (400, INVALID, code)
    assert param in {None, found_param}
    assert (await double.intents.list_async()).data == []


async def test_a_missing_parameter_is_refused(double: Double) -> None:
    response = await double.http.post(
        "/v1/payment_intents", headers=headers(), data={"currency": "usd"}
    )

    error = response.json()["error"]
    assert (response.status_code, error["code"], error["param"]) == (
        400,
        "parameter_missing",
        "amount",
    )


@pytest.mark.parametrize(
    "content", ["amount[x]=1&amount=2", "amount=1&amount[x]=2", "[x]=1", "amount=%ff", "amount"]
)
async def test_a_form_that_cannot_be_read_is_refused(double: Double, content: str) -> None:
    response = await double.http.post(
        "/v1/payment_intents", headers=headers(**FORM), content=content
    )

    assert (response.status_code, response.json()["error"]["type"]) == (400, INVALID)


@pytest.mark.parametrize(
    "content", ["payment_intent[x]=1", "payment_intent[]=1", "", "charge=ch_0"]
)
async def test_a_refund_of_nothing_that_exists_is_refused(double: Double, content: str) -> None:
    response = await double.http.post("/v1/refunds", headers=headers(**FORM), content=content)

    assert (response.status_code, response.json()["error"]["type"]) == (400, INVALID)


async def test_a_json_body_is_refused(double: Double) -> None:
    response = await double.http.post("/v1/payment_intents", headers=headers(), json={"amount": 1})

    assert response.status_code == 400
    assert "content type" in response.json()["error"]["message"]


@pytest.mark.parametrize("name", ["payment_method_types[]", "payment_method_types[0]"])
async def test_lists_may_have_numbers_or_none(double: Double, name: str) -> None:
    form = {"amount": "15000", "currency": "usd", name: "card", "metadata[a]": "b"}

    response = await double.http.post("/v1/payment_intents", headers=headers(), data=form)

    assert response.status_code == 200
    assert response.json()["metadata"] == {"a": "b"}
    assert response.json()["payment_method_types"] == ["card"]


async def test_an_unknown_object_or_address_is_a_404(double: Double) -> None:
    missing = (404, INVALID, "resource_missing", "intent")
    assert await error_of(double.intents.retrieve_async("pi_0")) == missing
    assert await error_of(double.capture("pi_0")) == missing
    response = await double.http.get("/v1/nothing", headers=headers())
    assert (response.status_code, response.json()["error"]["type"]) == (404, INVALID)


@pytest.mark.parametrize(
    ("currency", "amount", "major_units"),
    [
        ("jpy", 15_000, "15000.00"),
        ("mga", 15_000, "15000.00"),
        ("isk", 15_000, "150.00"),
        ("ugx", 15_000, "150.00"),
        ("kwd", 15_000, "15.00"),
        ("huf", 17_501, "175.01"),
    ],
)
async def test_a_currency_has_the_decimals_that_stripe_gives_it(
    double: Double, currency: str, amount: int, major_units: str
) -> None:
    await double.paid(currency=currency, amount=amount)

    assert [each[2] for each in await double.ledger()] == [major_units]


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("isk", 15_001), ("ugx", 15_050), ("kwd", 15_001), ("jpy", 49), ("gbp", 29), ("clf", 15_000)],
)
async def test_an_amount_that_its_currency_does_not_have_is_refused(
    double: Double, currency: str, amount: int
) -> None:
    assert (await refused(double.create(currency=currency, amount=amount))).http_status == 400


async def test_a_refund_in_a_currency_of_whole_units_is_whole(double: Double) -> None:
    intent = await double.paid(currency="isk", amount=15_000)

    assert (await refused(double.refund(intent.id, 5_050))).http_status == 400


async def test_payments_are_listed_at_once_and_searched_late(double: Double) -> None:
    old, new = await double.create(), await double.create()
    clauses = "metadata['payment_id']:'p' AND status:'requires_payment_method'"
    query: PaymentIntentSearchParams = {"query": clauses}

    assert [each.id for each in (await double.intents.list_async()).data] == [new.id, old.id]
    recent = await double.intents.list_async({"created": {"gte": old.created}, "limit": 1})
    assert ([each.id for each in recent.data], recent.has_more) == ([new.id], True)
    assert (await double.intents.list_async({"created": {"lt": old.created}})).data == []
    assert (await double.intents.search_async(query)).data == []
    await double.put("/limits", searchDelayMs=0, requestsPerSecond=0)
    found = (await double.intents.search_async(query)).data
    assert {each.id for each in found} == {old.id, new.id}
    other: PaymentIntentSearchParams = {"query": "metadata['payment_id']:'q'"}
    assert (await double.intents.search_async(other)).data == []


async def test_too_many_requests_are_refused_before_their_keys_are_read(start: Start) -> None:
    double = Double(start(app, stripe_requests_per_second=1))
    first = await double.create("k")

    error = await refused(_burst(double))

    assert isinstance(error, stripe.RateLimitError)
    assert error.headers
    assert error.headers["Stripe-Rate-Limited-Reason"] in {"endpoint-rate", "global-rate"}
    await double.put("/limits", requestsPerSecond=0)
    assert (await double.create("k")).id == first.id


async def _burst(double: Double) -> None:
    while True:
        await double.create("k")


def test_an_endpoint_has_25_requests_a_second_and_all_have_100() -> None:
    now = 0.0
    limiter = Limiter(lambda: now)

    def admitted(endpoints: str) -> int:
        return sum(is_admitted(each) for each in endpoints * 30)

    def is_admitted(endpoint: str) -> bool:
        with suppress(StripeError):
            limiter.take(endpoint, 25)
            return True
        return False

    assert admitted("a") == 25
    assert admitted("bcdef") == 75
    now = 0.5
    assert admitted("a") == 12
    now = 10.0
    assert admitted("a") == 25


async def test_charges_are_shown_in_the_form_of_the_simulator(double: Double) -> None:
    open_, declined, voided, captured, refunded = [await double.create() for _ in range(5)]
    await refused(double.confirm(declined.id, "chargeDeclined"))
    for each in (declined, voided):
        await double.cancel(each.id)
    for each in (captured, refunded):
        await double.confirm(each.id)
        await double.capture(each.id)
    await double.refund(refunded.id)
    await double.refund(captured.id, 5_000)

    shown = (await double.http.get("/charges?orderId=order")).json()

    states = ["open", "declined", "voided", "captured", "refunded"]
    assert [each["state"] for each in shown] == states
    assert [each["refundedAmount"] for each in shown] == [0, 0, 0, 50, 150]
    assert {each["key"] for each in shown} == {"pay_p_charge"}
    assert (await double.http.get("/charges?orderId=other")).json() == []
    assert open_.id


async def test_the_ledger_is_read_page_by_page(double: Double) -> None:
    for _ in range(3):
        await double.paid()

    async def numbers(**query: int) -> list[int]:
        response: httpx.Response = await double.http.get("/ledger", params=query)
        return [each["seq"] for each in response.json()]

    assert await numbers() == [1, 2, 3]
    assert await numbers(after=1, limit=1) == [2]
    assert await numbers(after=3) == []
