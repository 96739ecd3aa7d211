"""The HTTP interface of the running service: what it refuses and with which response."""

import asyncio
import re

import pytest

from domain import exact_json
from tests.support.system import Answer, System, an_unknown_order
from tests.support.waiting import eventually

ORDER = "3f2b8c1e-6a0d-4a57-9c55-0f0e5d8b7a10"
CUSTOMER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"
NIL = "00000000-0000-0000-0000-000000000000"

PREFLIGHT = {"access-control-request-method": "POST"}


def a_body(**members: str) -> bytes:
    """A request body. Its members are given as JSON text; an empty text leaves the member out."""
    right = {"orderId": f'"{ORDER}"', "customerId": f'"{CUSTOMER}"', "amount": "150.00"}
    named = (f'"{name}":{text}' for name, text in {**right, **members}.items() if text)
    return f"{{{','.join(named)}}}".encode()


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (a_body(orderId=""), "orderId"),
        (a_body(orderId="null"), "orderId"),
        (a_body(orderId='"4711"'), "orderId"),
        (a_body(orderId=f'"{ORDER.replace("-", "")}"'), "orderId"),
        (a_body(orderId=f'"{NIL}"'), "orderId"),
        (a_body(customerId=""), "customerId"),
        (a_body(customerId=f'"{NIL}"'), "customerId"),
        (a_body(reservationId='"A-12"'), "reservationId"),
        (a_body(amount=""), "amount"),
        (a_body(amount="null"), "amount"),
        (a_body(amount="0"), "amount"),
        (a_body(amount="-1"), "amount"),
        (a_body(amount="1e2"), "amount"),
        (a_body(amount="NaN"), "amount"),
        (a_body(amount="Infinity"), "amount"),
        (a_body(amount="true"), "amount"),
        (a_body(amount="[150]"), "amount"),
        (a_body(amount='"150,00"'), "amount"),
        (a_body(amount="150.001"), "amount"),
        (a_body(amount="1.5", currency='"JPY"'), "amount"),
        (a_body(amount="100000000000000000"), "amount"),
        (a_body(currency='"XXL"'), "currency"),
        (a_body(currency='"usd"'), "currency"),
        (a_body(paymentMethod='"cash"'), "paymentMethod"),
        (a_body(paymentMethod="1"), "paymentMethod"),
        (b"[]", ""),
        (b"", ""),
        (b"{", ""),
        (b'{"orderId": "\xff"}', ""),
        (b"[" * 16_000, ""),
    ],
    ids=lambda value: value.decode(errors="replace")[-60:] if isinstance(value, bytes) else "",
)
async def test_invalid_request_is_refused(system: System, body: bytes, field: str) -> None:
    answer = await system.post(body)

    assert_problem(answer, 400, "INVALID_REQUEST")
    assert field in answer.body["errorMessage"]


async def test_invalid_request_leaves_no_trace(system: System) -> None:
    order = await system.an_order()

    await system.pay(order, amount=0)

    assert not await system.rows(order)
    assert not await system.events(order)


async def test_request_id_that_is_no_uuid_is_refused(system: System) -> None:
    assert_problem(await system.get("/payments/4711"), 400, "INVALID_REQUEST")


async def test_unknown_payment_is_not_found(system: System) -> None:
    assert_problem(await system.get(f"/payments/{ORDER}"), 404, "PAYMENT_NOT_FOUND")


async def test_unknown_address_is_not_found(system: System) -> None:
    assert_problem(await system.get("/refunds"), 404, "NOT_FOUND")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(system: System, method: str) -> None:
    answer = await system.send(method, "/payments")

    assert_problem(answer, 405, "METHOD_NOT_ALLOWED")
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_a_failure_is_a_problem_document_if_the_caller_accepts_one(system: System) -> None:
    content = exact_json.dumps(an_unknown_order().request())

    answer = await system.post(content, accept="application/problem+json")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["type"] == "urn:payment-service:problem:order-not-found"
    assert (answer.body["status"], answer.body["code"]) == (404, "ORDER_NOT_FOUND")
    assert {"title", "detail", "success", "errorMessage", "payment"} <= set(answer.body)


def assert_problem(answer: Answer, status: int, code: str) -> None:
    """Check that the response has the members and the media type of a failure."""
    assert (answer.status, answer.body["code"]) == (status, code)
    assert (answer.body["status"], answer.headers["content-type"]) == (status, "application/json")
    assert (answer.body["success"], answer.body["payment"]) == (False, None)
    assert answer.body["errorMessage"] == answer.body["detail"]


async def test_health_is_answered(system: System) -> None:
    answer = await system.get("/health")

    assert (answer.status, answer.body["status"]) == (200, "Healthy")


async def test_readiness_names_every_dependency(system: System) -> None:
    names = {"postgresql", "temporal", "searchAttributes", "redis", "kafka"}
    names |= {"ordering", "inventory", "gateway"}

    async def are_up() -> Answer | None:
        answer = await system.get("/ready")
        return answer if answer.body["dependencies"] == dict.fromkeys(names, "up") else None

    answer = await eventually("exactly these are up", are_up)

    assert (answer.status, answer.body["status"]) == (200, "ready")


async def test_the_web_front_end_may_call(system: System) -> None:
    origin = {"origin": system.url("shop")}
    asked = {**PREFLIGHT, "access-control-request-headers": "content-type,idempotency-key"}

    allowed = await system.send("OPTIONS", "/payments", headers=asked | origin)
    refused = await system.post(b"", **origin)

    assert allowed.status == 200
    assert allowed.headers["access-control-allow-origin"] == origin["origin"]
    assert "POST" in allowed.headers["access-control-allow-methods"]
    assert refused.headers["access-control-allow-origin"] == origin["origin"]


async def test_other_web_sites_may_not(system: System) -> None:
    foreign = {**PREFLIGHT, "origin": "https://shop.example"}

    answer = await system.send("OPTIONS", "/payments", headers=foreign)

    assert answer.status == 400
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
async def test_documentation_needs_no_internet(system: System, page: str) -> None:
    answer = await system.get(page)

    assert answer.status == 200
    assert re.findall(r"https?://[^\s\"'<>]*", answer.text) == []
    for asset in re.findall(r'(?:src|href)="(/[^"]*)"', answer.text):
        assert (await system.get(asset)).status == 200


async def test_documentation_lists_every_response(system: System) -> None:
    paths = (await system.get("/openapi.json")).body["paths"]

    described = set(paths["/payments"]["post"]["responses"])
    assert {"200", "202", "400", "401", "404", "409", "422", "429", "503"} <= described


async def test_a_large_body_is_refused_and_harms_nobody(system: System) -> None:
    order = await system.an_order()

    refused, paid = await asyncio.gather(system.post(b" " * 20_000_000), system.pay(order))

    assert_problem(refused, 413, "BODY_TOO_LARGE")
    assert paid.status == 200
