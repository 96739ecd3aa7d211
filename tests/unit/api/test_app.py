"""What holds for all routes: unknown addresses, methods, CORS, bugs and request ids."""

import logging
from uuid import UUID

import httpx
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from api import middleware
from api.main import build_app
from api.middleware import CatchBugs, RequestIds
from api.request_errors import RequestErrorCode
from bootstrap.settings import Settings
from domain.errors import ErrorCode, PaymentError
from domain.payment import Payment
from tests.support.fake_resources import (
    BODY,
    CANARY,
    CUSTOMER,
    ENVELOPE,
    FRONT_END,
    ORDER,
    PROBLEM,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)
from tests.support.logged import records


@pytest.mark.parametrize(
    ("method", "path", "code"),
    [
        ("PUT", "/payments", RequestErrorCode.METHOD_NOT_ALLOWED),
        ("DELETE", f"/payments/{ORDER}", RequestErrorCode.METHOD_NOT_ALLOWED),
        ("PUT", "/health", RequestErrorCode.METHOD_NOT_ALLOWED),
        ("GET", "/refunds", RequestErrorCode.NOT_FOUND),
        ("GET", "/payments/a/b", RequestErrorCode.NOT_FOUND),
        ("GET", "/payments/1", RequestErrorCode.INVALID_REQUEST),
        ("GET", "/payments/%00", RequestErrorCode.INVALID_REQUEST),
        ("GET", "/payments/%ff", RequestErrorCode.INVALID_REQUEST),
        ("GET", "/payments/..%2fhealth", RequestErrorCode.NOT_FOUND),
    ],
)
async def test_a_wrong_method_or_address_is_a_problem(
    http: httpx.AsyncClient, method: str, path: str, code: RequestErrorCode
) -> None:
    answer = await http.request(method, path)

    problem(answer, code)
    assert ("allow" in answer.headers) is (code is RequestErrorCode.METHOD_NOT_ALLOWED)


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/payments", "GET, HEAD, POST"),
        ("/health", "GET, HEAD"),
        (f"/payments/{ORDER}/refunds", "GET, HEAD, POST"),
        (f"/payments/{ORDER}/cancel", "POST"),
    ],
)
@pytest.mark.parametrize("method", ["PATCH", "OPTIONS", "X"])
async def test_the_allowed_methods_of_an_address_are_listed(
    http: httpx.AsyncClient, path: str, allowed: str, method: str
) -> None:
    answer = await http.request(method, path)

    problem(answer, RequestErrorCode.METHOD_NOT_ALLOWED)
    assert answer.headers["allow"] == allowed


@pytest.mark.parametrize("path", ["/Payments", "/PAYMENTS", "/payments"])
async def test_addresses_match_in_any_case(
    http: httpx.AsyncClient, resources: FakeResources, path: str
) -> None:
    resources.outcome = SUCCEEDED

    envelope(await http.post(path, content=BODY), 200)
    envelope(await http.get(f"{path}/{str(SUCCEEDED.id).upper()}"), 200)


@pytest.mark.parametrize(
    ("accept", "media_type"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/problem+json", "application/problem+json"),
        ("application/json, application/problem+json;q=0.9", "application/problem+json"),
        ("Application/Problem+JSON", "application/problem+json"),
    ],
)
async def test_a_failure_is_a_problem_document_if_the_caller_accepts_one(
    http: httpx.AsyncClient, accept: str | None, media_type: str
) -> None:
    headers = {"accept": accept} if accept else {}

    answer = await http.post("/payments", content="{}", headers=headers)

    assert answer.headers["content-type"] == media_type
    assert answer.json().keys() >= PROBLEM | ENVELOPE


async def test_a_success_is_json_whatever_is_accepted(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.outcome = SUCCEEDED

    accept = {"accept": "application/problem+json"}
    envelope(await http.post("/payments", content=BODY, headers=accept), 200)


async def test_a_preflight_of_the_front_end_is_allowed(http: httpx.AsyncClient) -> None:
    preflight = {
        "origin": FRONT_END,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,idempotency-key",
    }

    answer = await http.options("/payments", headers=preflight)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == FRONT_END
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "content-type" in answer.headers["access-control-allow-headers"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_the_front_end_may_use_every_method(http: httpx.AsyncClient, method: str) -> None:
    preflight = {
        "origin": FRONT_END,
        "access-control-request-method": method,
        "access-control-request-headers": "authorization",
    }

    assert (await http.options("/payments", headers=preflight)).status_code == 200


PRIVATE_NETWORK = {
    "access-control-request-method": "POST",
    "access-control-request-private-network": "true",
}


@pytest.mark.parametrize(
    ("origins", "origin", "is_allowed"),
    [
        ((FRONT_END,), FRONT_END, True),
        ((FRONT_END,), "http://elsewhere", False),
        (("*",), FRONT_END, False),
    ],
    ids=["an origin that is named", "another one", "whoever comes"],
)
async def test_private_network_is_open_to_origins_that_are_named(
    origins: tuple[str, ...], origin: str, is_allowed: bool
) -> None:
    app = build_app(Settings.model_construct(cors_origins=origins))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
        answer = await client.options("/payments", headers={**PRIVATE_NETWORK, "origin": origin})

    assert (answer.status_code == 200) is is_allowed
    allowed = answer.headers.get("access-control-allow-private-network") == "true"
    assert (allowed and answer.status_code == 200) is is_allowed


@pytest.mark.parametrize(
    ("outcome", "failure", "status"),
    [
        (SUCCEEDED, None, 200),
        (None, None, 202),
        (failed(ErrorCode.CARD_DECLINED), None, 422),
        (None, PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "Not now."), 503),
        (None, ZeroDivisionError(), 500),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_the_front_end_may_read_every_answer(
    http: httpx.AsyncClient,
    resources: FakeResources,
    outcome: Payment | None,
    failure: Exception | None,
    status: int,
) -> None:
    resources.outcome, resources.failure = outcome, failure

    answer = await http.post("/payments", content=BODY, headers={"origin": FRONT_END})

    envelope(answer, status)
    assert answer.headers["access-control-allow-origin"] == FRONT_END


async def test_other_sites_may_not(http: httpx.AsyncClient) -> None:
    answer = await http.get("/health", headers={"origin": "http://elsewhere"})

    assert "access-control-allow-origin" not in answer.headers


async def test_after_a_bug_the_next_request_is_served(
    http: httpx.AsyncClient, resources: FakeResources, caplog: pytest.LogCaptureFixture
) -> None:
    resources.failure = ZeroDivisionError(CANARY)

    answer = await http.post("/payments", content=BODY)

    problem(answer, RequestErrorCode.INTERNAL_ERROR)
    assert "canary" not in answer.text
    assert [each.levelno for each in records(caplog, middleware)] == [logging.ERROR]
    resources.failure, resources.outcome = None, SUCCEEDED
    envelope(await http.post("/payments", content=BODY), 200)


async def test_a_bug_in_the_middle_of_an_answer_ends_it() -> None:
    async def broken(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError

    transport = httpx.ASGITransport(CatchBugs(broken))
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
        with pytest.raises(ZeroDivisionError):
            await client.get("/")


@pytest.mark.parametrize("path", ["/health", "/nowhere", f"/payments/{ORDER}"])
async def test_a_request_keeps_the_id_that_its_caller_gave(
    http: httpx.AsyncClient, path: str
) -> None:
    answer = await http.get(path, headers={"x-request-id": CUSTOMER})

    assert answer.headers["x-request-id"] == CUSTOMER


@pytest.mark.parametrize("given", ["", "4" * 16, "4" * 32, f"{{{CUSTOMER}}}", CANARY, "x" * 10_000])
async def test_a_request_id_is_never_free_text(http: httpx.AsyncClient, given: str) -> None:
    answer = await http.get("/health", headers={"x-request-id": given})

    assert UUID(answer.headers["x-request-id"]).version == 4


async def test_what_is_logged_during_a_request_has_its_id() -> None:
    seen: dict[str, object] = {}

    async def log_something(scope: Scope, receive: Receive, send: Send) -> None:
        seen.update(structlog.contextvars.get_contextvars())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    transport = httpx.ASGITransport(RequestIds(log_something))
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
        await client.get("/", headers={"x-request-id": CUSTOMER})

    assert seen == {"request_id": CUSTOMER}
    assert structlog.contextvars.get_contextvars() == {}
