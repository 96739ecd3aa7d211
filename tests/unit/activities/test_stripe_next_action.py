"""The address of the next action is read only from the payment's own objects, and is safe."""

import logging
from typing import Any

import httpx
import pytest
from pydantic import HttpUrl, SecretStr

from activities.adapters.json_client import JsonClient
from activities.adapters.stripe.client import RequestPace, StripeClient
from activities.adapters.stripe.connection import stripe_account
from activities.adapters.stripe.next_action import MAX_URL, StripeNextActions
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from tests.support.builders import a_payment
from tests.support.json_neighbour import FixedResponse
from tests.support.stripe_client import API_KEY
from tests.support.stripe_gateway import UNHURRIED
from tests.support.stripe_responses import CHARGE, PAYMENT, intent

URL = "https://hooks.stripe.example/redirect/authenticate/src_1?client_secret=canary#x"
BY_INTENT = a_payment(id=PAYMENT, gateway="stripe", gateway_reference="pi_1")
BY_SESSION = BY_INTENT.referring("cs_test_1")


def asking(url: Any = URL, **members: Any) -> dict[str, Any]:
    action = {"type": "redirect_to_url", "redirect_to_url": {"url": url, "return_url": "https://a"}}
    waiting = {"status": "requires_action", "amount_capturable": 0, "latest_charge": None}
    return intent(**{**waiting, "next_action": action, **members})


def session(**members: Any) -> dict[str, Any]:
    return {
        "id": "cs_test_1",
        "object": "checkout.session",
        "mode": "payment",
        "created": 1_760_000_000,
        "amount_total": 15_000,
        "currency": "usd",
        "livemode": False,
        "metadata": {"key": CHARGE.key},
        "status": "open",
        "payment_intent": None,
        "url": URL,
        "client_secret": "cs_secret_canary",
        **members,
    }


async def read(
    body: Any, payment: Payment = BY_INTENT, status: int = 200, *, allows_http: bool = False
) -> str | None:
    transport = httpx.MockTransport(FixedResponse(body, status))
    http = httpx.AsyncClient(transport=transport, base_url="https://stripe")
    client = JsonClient(http, "Stripe", ErrorCode.GATEWAY_UNAVAILABLE, 5)
    stripe = StripeClient(client, SecretStr(API_KEY), RequestPace(UNHURRIED))
    return await StripeNextActions(stripe, livemode=False, allows_http=allows_http)(payment)


async def test_a_bank_that_asks_has_an_address() -> None:
    assert await read(asking()) == URL


async def test_an_open_page_has_an_address() -> None:
    assert await read(session(), BY_SESSION) == URL


@pytest.mark.parametrize(
    "status",
    ["requires_capture", "processing", "canceled", "succeeded", "requires_payment_method", "new"],
)
async def test_an_attempt_that_does_not_ask_has_none(status: str) -> None:
    assert await read(asking(status=status)) is None


@pytest.mark.parametrize("status", ["complete", "expired", "new"])
async def test_a_page_that_is_closed_has_none(status: str) -> None:
    assert await read(session(status=status), BY_SESSION) is None
    assert await read(session(status=status, url=None), BY_SESSION) is None


UNSAFE: tuple[Any, ...] = (
    *(None, "", 1, [], "javascript:alert(1)", "//bank.example", "/pay", "ftp://bank.example"),
    *("http://bank.example", "http://127.0.0.1.example", "https://", "https:///pay", "HTTPS:bank"),
    *("https://u:p@bank.example", "https://@bank.example", "https://bank.example:x", "https://[a"),
    *("https://bank.example/a\nb", "https://bänk.example", "https://bank.example/a b"),
    *("https://bank.example\\@a", "https://a/" + "x" * MAX_URL),
)


@pytest.mark.parametrize("url", UNSAFE)
@pytest.mark.parametrize("allows_http", [True, False])
async def test_nobody_is_sent_to_an_unsafe_address(url: Any, *, allows_http: bool) -> None:
    await refused(asking(url), allows_http=allows_http)
    await refused(session(url=url), BY_SESSION, allows_http=allows_http)


@pytest.mark.parametrize("host", ["localhost:5010", "127.0.0.1", "[::1]:80"])
async def test_a_double_on_this_machine_needs_no_tls(host: str) -> None:
    url = f"http://{host}/redirect/authenticate/pi_1"

    assert await read(asking(url), allows_http=True) == url
    await refused(asking(url))


@pytest.mark.parametrize(
    "action",
    [
        None,
        {},
        {"type": "use_stripe_sdk", "use_stripe_sdk": {"url": URL}},
        {"type": "redirect_to_url"},
        {"type": "redirect_to_url", "redirect_to_url": {"return_url": URL}},
        [],
        "redirect_to_url",
    ],
)
async def test_another_way_to_act_is_no_address(action: Any) -> None:
    await refused(asking(next_action=action))


@pytest.mark.parametrize(
    "members",
    [
        {"id": "pi_2"},
        {"metadata": {"key": "pay_2_charge"}},
        {"metadata": {}},
        {"livemode": True},
        {"amount": 14_999},
        {"currency": "eur"},
        {"object": "setup_intent"},
        {"status": None},
    ],
)
async def test_an_attempt_of_another_payment_is_no_answer(members: dict[str, Any]) -> None:
    await refused(asking(**members))


@pytest.mark.parametrize(
    "members",
    [
        {"id": "cs_test_2"},
        {"metadata": {"key": "pay_2_charge"}},
        {"metadata": None},
        {"livemode": True},
        {"livemode": 0},
        {"amount_total": 14_999},
        {"currency": "eur"},
        {"payment_intent": intent(metadata={"key": "pay_2_charge"})},
        {"object": "payment_link"},
        {"status": None},
    ],
)
async def test_a_page_of_another_payment_is_no_answer(members: dict[str, Any]) -> None:
    await refused(session(**members), BY_SESSION)


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500])
async def test_an_error_is_no_answer(status: int) -> None:
    await refused({"error": {"type": "invalid_request_error", "message": URL}}, status=status)


async def test_a_payment_that_was_not_opened_has_none() -> None:
    await refused(asking(), BY_INTENT.model_copy(update={"gateway_reference": None}))


async def refused(
    body: Any, payment: Payment = BY_INTENT, status: int = 200, *, allows_http: bool = False
) -> None:
    with pytest.raises(PaymentError) as error:
        await read(body, payment, status, allows_http=allows_http)
    assert error.value.code is ErrorCode.GATEWAY_UNAVAILABLE
    assert "canary" not in str(error.value)
    assert error.value.__cause__ is None


async def test_the_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG, logger="activities"):
        await read(asking())
        await refused(asking("http://bank.example/canary"))

    assert "canary" not in caplog.text


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("http://localhost:5010", True),
        ("http://127.0.0.1:5010", True),
        ("http://stripe:5010", False),
        ("https://localhost", False),
        ("https://api.stripe.com", False),
    ],
)
async def test_only_a_double_on_this_machine_may_send_customers_without_tls(
    url: str, is_local: bool
) -> None:
    key = SecretStr(API_KEY)
    async with stripe_account(HttpUrl(url), key, seconds=1, per_second=1) as account:
        assert account.next_actions()._allows_http is is_local
