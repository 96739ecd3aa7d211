"""Our requests to Stripe, and the responses of our double, are valid by Stripe's own schema."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from activities.adapters.stripe.client import VERSION
from devstack.neighbours.settings import NeighbourSettings
from devstack.neighbours.stripe import app as stripe_double
from domain.errors import PaymentError
from tests.support import stripe_mock
from tests.support.stripe_client import CHECKOUT, official_client
from tests.support.stripe_gateway import StripeDouble, a_charge, a_page, asking, on_http, refund_of

pytestmark = [pytest.mark.proof, pytest.mark.timeout(stripe_mock.INSTALL_SECONDS + 60)]
CHARGE = a_charge(reference="pi_1")
REFUND = refund_of(CHARGE)
SENDS: dict[str, Callable[[Any], Awaitable[object]]] = {
    "open": lambda gateway: gateway.open(CHARGE),
    "charge": lambda gateway: gateway.charge(CHARGE),
    "confirmation token": lambda gateway: gateway.charge(
        CHARGE.model_copy(update={"token": "ctoken_1"})
    ),
    "question": lambda gateway: gateway.charge(
        CHARGE.model_copy(update={"customer_action": asking()})
    ),
    "page": lambda gateway: gateway.open(a_page()),
    "capture": lambda gateway: gateway.capture(CHARGE),
    "find": lambda gateway: gateway.find_charge(CHARGE.identity),
    "void": lambda gateway: gateway.void_charge(CHARGE.identity),
    "refund": lambda gateway: gateway.refund(REFUND),
    "find refund": lambda gateway: gateway.find_refund(REFUND),
}


@pytest.fixture(scope="module")
async def mock(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[httpx.AsyncClient]:
    directory: Path = tmp_path_factory.mktemp("stripe")
    async with stripe_mock.running(stripe_mock.install(directory), directory) as client:
        yield client


@pytest.mark.parametrize("name", SENDS)
async def test_stripes_schema_takes_every_request(mock: httpx.AsyncClient, name: str) -> None:
    statuses: list[int] = []

    async def note(response: httpx.Response) -> None:
        statuses.append(response.status_code)

    mock.event_hooks = {"response": [note]}
    with suppress(PaymentError):  # its objects are made up, and so not ours
        await SENDS[name](on_http(mock))

    assert statuses
    assert set(statuses) == {200}


@pytest.mark.parametrize("form", [{"amount": "x"}, {"nobody": "1"}, {"capture_method": "never"}])
async def test_stripes_schema_refuses_what_is_wrong(
    mock: httpx.AsyncClient, form: dict[str, str]
) -> None:
    mock.event_hooks = {}
    valid = {"amount": "15000", "currency": "usd"}
    sent = {"authorization": "Bearer sk_test_1", "stripe-version": VERSION}

    response = await mock.post("/v1/payment_intents", headers=sent, data={**valid, **form})

    assert response.status_code == 400


async def test_stripes_schema_takes_a_session(mock: httpx.AsyncClient) -> None:
    mock.event_hooks = {}
    sessions: Any = official_client(mock, api_key="sk_test_1").v1.checkout.sessions
    expand = {"expand": ["payment_intent.latest_charge"]}

    made = await sessions.create_async({**CHECKOUT, **expand, "expires_at": 1_800_000_000})

    assert made.object == "checkout.session"
    for call in (sessions.retrieve_async, sessions.expire_async):
        assert (await call(made.id, expand)).object == "checkout.session"


TYPES = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list}


def faults(shown: dict[str, Any], name: str, schemas: dict[str, Any]) -> Iterator[str]:
    """What is wrong, by this schema, with the object and with the objects in it."""
    schema = schemas[name]
    yield from (f"{name} lacks {each}" for each in schema.get("required", ()) if each not in shown)
    for member, value in shown.items():
        known = schema["properties"].get(member)
        if known is None:
            yield f"{name} has no {member}"
        elif value is None:
            yield from () if known.get("nullable") else (f"{name}.{member} is null",)
        else:
            expected = TYPES.get(known.get("type", ""), object)
            if not isinstance(value, expected) or value not in known.get("enum", (value,)):
                yield f"{name}.{member} is {value!r}"
            for each in (known, *known.get("anyOf", ())):
                inner = each.get("$ref", "").rpartition("/")[2]
                if isinstance(value, dict) and inner in [value.get("object"), "api_errors"]:
                    yield from faults(value, inner, schemas)


Shown = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def shown() -> Shown:
    """The objects that the double has shown, with the names of their schemas."""
    return []


@pytest.fixture
def double(tmp_path: Path, shown: Shown) -> Iterator[StripeDouble]:
    settings = NeighbourSettings(devstack_data=tmp_path, stripe_requests_per_second=0)
    app = stripe_double.create_app(settings)
    double = StripeDouble(
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://stripe")
    )

    async def note(response: httpx.Response) -> None:
        if response.request.url.path.startswith("/v1"):
            body = json.loads(await response.aread())
            shown.extend(("api_errors", each) for each in [body.get("error")] if each)
            objects = body.get("data", [] if "error" in body else [body])
            shown.extend((each["object"], each) for each in objects)

    double.http.event_hooks = {"response": [note]}
    yield double
    app.state.journal.close()


async def test_the_double_answers_in_the_shape_of_stripe(
    double: StripeDouble, shown: Shown
) -> None:
    schemas = stripe_mock.published_schemas()
    request = await double.captured()
    await double.gateway.refund(refund_of(request))
    await double.put("/settings", refund="pending", refundEnds="failed", refundEndsAfterMs=600_000)
    await double.gateway.refund(refund_of(request, "50.00", 2))
    await double.gateway.find_refund(refund_of(request))
    declined = await double.opened(token="pm_card_chargeDeclined")
    await double.gateway.charge(declined)
    await double.gateway.void_charge(declined.identity)
    with suppress(PaymentError):
        await double.gateway.capture(declined)

    assert {name for name, _ in shown} == {"payment_intent", "refund", "api_errors"}
    assert [fault for name, each in shown for fault in faults(each, name, schemas)] == []
    assert "refund lacks amount" in [*faults({"object": "refund"}, "refund", schemas)]


async def test_sessions_disputes_and_events_have_the_shape_of_stripe(
    double: StripeDouble, shown: Shown
) -> None:
    schemas = stripe_mock.published_schemas()
    client = official_client(double.http).v1
    expand: Any = {"expand": ["payment_intent.latest_charge"]}
    sessions: Any = client.checkout.sessions
    expired, session = [await sessions.create_async({**CHECKOUT, **expand}) for _ in range(2)]
    await sessions.expire_async(expired.id, expand)
    for does in ("fail", "decline", "pay"):
        await double.post(f"/customers/{session.id}/act", **{"as": does})
        await sessions.retrieve_async(session.id, expand)
    paid = await sessions.retrieve_async(session.id, expand)
    await client.payment_intents.capture_async(paid.payment_intent.id)
    await double.post(f"/intents/{paid.payment_intent.id}/dispute")
    await client.disputes.list_async({"payment_intent": paid.payment_intent.id})
    events = double.http._transport.app.state.stripe.account.outbox.recent  # type: ignore[attr-defined]
    bodies = [json.loads(each.body) for each in events]
    shown += [("event", each) for each in bodies]
    shown += [(each["data"]["object"]["object"], each["data"]["object"]) for each in bodies]

    names = {name for name, _ in shown}
    assert names == {"checkout.session", "payment_intent", "charge", "dispute", "event"}
    assert [fault for name, each in shown for fault in faults(each, name, schemas)] == []
