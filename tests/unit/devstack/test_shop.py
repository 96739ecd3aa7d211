"""The demonstration's shop: its pages run only its own scripts, and its orders can be paid."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest

from devstack.demo import shop
from devstack.demo.shop import OFFERS, ShopSettings, create_app
from devstack.neighbours import gateway, inventory, ordering

API = "http://127.0.0.1:5004"
FORM = {"offer": "ticket", "paymentMethod": "wallet"}
NEIGHBOURS: dict[str, ModuleType] = {
    "http://127.0.0.1:5003": ordering,
    "http://127.0.0.1:5002": inventory,
    "http://127.0.0.1:5005": gateway,
}


def client(**settings: Any) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(ShopSettings(**settings)))
    return httpx.AsyncClient(transport=transport, base_url="http://shop")


@pytest.fixture
async def neighbours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the neighbours. The shop reaches them in this process, at the same addresses."""
    settings = ShopSettings(devstack_data=tmp_path)
    apps = {url: each.create_app(settings) for url, each in NEIGHBOURS.items()}
    transports = {url: httpx.ASGITransport(app) for url, app in apps.items()}
    monkeypatch.setattr(shop, "create_client", lambda: httpx.AsyncClient(mounts=transports))
    yield httpx.AsyncClient(mounts=transports)
    for app in apps.values():
        app.state.journal.close()


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/payment", "text/html"),
        ("/style.css", "text/css"),
        ("/payment.css", "text/css"),
        ("/checkout.js", "javascript"),
        ("/favicon.svg", "image/svg+xml"),
        ("/offers", "application/json"),
    ],
)
async def test_every_page_runs_only_scripts_of_the_shop(path: str, kind: str) -> None:
    response = await client(payment_api_url=API).get(path)

    assert response.status_code == 200
    assert kind in response.headers["content-type"]
    policy = dict(
        each.split(" ", 1) for each in response.headers["content-security-policy"].split("; ")
    )
    assert policy.pop("connect-src") == f"'self' {API}"
    assert policy.pop("require-trusted-types-for") == "'script'"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"


@pytest.mark.parametrize("path", ["/", "/payment", "/style.css"])
async def test_pages_support_head_requests(path: str) -> None:
    assert (await client().head(path)).status_code == 200


@pytest.mark.parametrize("path", ["/", "/payment"])
async def test_a_page_without_scripts_says_that_it_needs_javascript(path: str) -> None:
    response = await client().get(path)

    assert re.search("<noscript>.*This page needs JavaScript.*</noscript>", response.text)


@pytest.mark.parametrize("path", ["/shop.py", "/../shop.py", "/%2e%2e/shop.py", "/orders/1"])
async def test_other_paths_are_not_found(path: str) -> None:
    response = await client().get(path)

    assert response.status_code == 404
    assert "content-security-policy" in response.headers


async def test_addresses_are_those_of_the_settings_and_null_without_a_web_ui() -> None:
    known = {"payment_api_url": API, "temporal_ui_url": "http://ui", "temporal_namespace": "n"}

    response = await client(**known).get("/addresses")
    without = await client(temporal_ui_url="").get("/addresses")

    workflows = "http://ui/namespaces/n/workflows"
    assert response.json() == {"paymentApi": API, "workflows": workflows}
    assert without.json()["workflows"] is None


async def test_an_offer_has_its_price_as_text() -> None:
    offers = (await client().get("/offers")).json()

    assert [each["name"] for each in offers] == [each.name for each in OFFERS]
    assert offers[1]["price"] == "150.13 USD"
    assert set(offers[0]) == {"name", "title", "note", "price"}


@pytest.mark.parametrize(
    ("settings", "further"),
    [
        ({"checkout": "hosted"}, []),
        ({"gateway": "stripe"}, ["asked"]),
        ({"gateway": "stripe", "checkout": "hosted"}, ["asked", "hosted"]),
    ],
)
async def test_what_asks_the_customer_is_offered_only_at_stripe(
    settings: dict[str, str], further: list[str]
) -> None:
    offers = (await client(**settings).get("/offers")).json()

    assert [each["name"] for each in offers[len(OFFERS) :]] == further


@pytest.mark.usefixtures("neighbours")
async def test_only_stripes_own_page_asks_for_the_card() -> None:
    hosted = {"gateway": "stripe", "checkout": "hosted"}
    asked, on_page = [
        (await client(**hosted).post("/orders", json={**FORM, "offer": offer})).json()
        for offer in ("asked", "hosted")
    ]

    assert asked["paymentMethodToken"] == "pm_card_authenticationRequired"
    assert "paymentMethodToken" not in on_page


async def test_a_placed_order_is_pending_and_its_seat_is_reserved(
    neighbours: httpx.AsyncClient,
) -> None:
    response = await client().post("/orders", json=FORM)

    assert response.status_code == 201
    assert b'"amount":150.00,' in response.content
    bill = response.json()
    order = (await neighbours.get(f"http://127.0.0.1:5003/orders/{bill['orderId']}")).json()
    seat = await read_seat(neighbours, bill)
    assert (order["status"], order["totalAmount"], order["currency"]) == ("pending", 150, "USD")
    assert (seat["status"], seat["orderId"]) == ("active", bill["orderId"])
    assert bill["customerId"] == order["customerId"] == seat["customerId"]
    assert bill["paymentMethod"] == "wallet"


@pytest.mark.parametrize(
    ("offer", "card"),
    [("ticket", "visa"), ("declined", "chargeDeclined"), ("lapsed", "visa")],
)
@pytest.mark.usefixtures("neighbours")
async def test_only_a_payment_at_stripe_has_the_token_of_a_card(offer: str, card: str) -> None:
    form = {**FORM, "offer": offer}

    at_simulator = (await client().post("/orders", json=form)).json()
    at_stripe = (await client(gateway="stripe").post("/orders", json=form)).json()

    assert at_stripe["paymentMethodToken"] == f"pm_card_{card}"
    assert at_simulator.keys() == at_stripe.keys() - {"paymentMethodToken"}


async def read_seat(neighbours: httpx.AsyncClient, bill: dict[str, Any]) -> dict[str, Any]:
    path = f"/reservations/{bill['reservationId']}"
    seat: dict[str, Any] = (await neighbours.get(f"http://127.0.0.1:5002{path}")).json()
    return seat


@pytest.mark.parametrize("slowly", [False, True])
async def test_only_a_slow_order_has_a_latency_of_its_own(
    neighbours: httpx.AsyncClient, slowly: bool
) -> None:
    response = await client().post("/orders", json={**FORM, "slowly": slowly})

    ledger = (await neighbours.get("http://127.0.0.1:5005/ledger")).json()
    slow = {
        "orderId": response.json()["orderId"],
        "settings": {"successRate": 1, "latencyMs": 2000, "holdsResponses": False},
    }
    assert [each["data"] for each in ledger] == ([slow] if slowly else [])


async def test_the_seat_of_the_lapsed_offer_is_expired(neighbours: httpx.AsyncClient) -> None:
    response = await client().post("/orders", json={**FORM, "offer": "lapsed"})

    assert (await read_seat(neighbours, response.json()))["status"] == "expired"


@pytest.mark.parametrize("form", [{}, {**FORM, "offer": "yacht"}, {**FORM, "amount": 1}])
async def test_an_invalid_order_form_is_refused(form: dict[str, Any]) -> None:
    response = await client().post("/orders", json=form)

    assert response.status_code == 400


@pytest.mark.parametrize("refusal", [httpx.Response(500), httpx.ConnectError("refused")])
async def test_no_order_is_placed_while_ordering_does_not_answer(
    refusal: httpx.Response | Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        if isinstance(refusal, Exception):
            raise refusal
        return refusal

    transport = httpx.MockTransport(refuse)
    monkeypatch.setattr(shop, "create_client", lambda: httpx.AsyncClient(transport=transport))
    response = await client().post("/orders", json=FORM)

    assert response.status_code == 503
    assert "http://127.0.0.1:5003/orders" in response.json()["error"]
