"""The HTTP interface: every answer's status, members, headers and media type."""

import logging
from uuid import UUID

import httpx
import pytest
import structlog
from starlette.types import Receive, Scope, Send

from api import middleware
from api.main import build_app
from api.middleware import CatchBugs, RequestIds
from api.ports import Allowance
from api.request_errors import RequestErrorCode
from bootstrap.settings import Settings
from domain.errors import ErrorCode, PaymentError
from domain.payment import Announcement, Payment
from tests.support.fake_resources import (
    BODY,
    CUSTOMER,
    ENVELOPE,
    ORDER,
    PENDING,
    PROBLEM,
    STRANGER,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)
from tests.support.logged import records

FRONT_END = "http://localhost:3000"
CANARY = "canary-4111111111111111"


async def test_a_payment_that_succeeds(http: httpx.AsyncClient, resources: FakeResources) -> None:
    resources.outcome = SUCCEEDED

    answer = await http.post("/payments", content=BODY)

    body = envelope(answer, 200)
    assert (body["success"], body["errorMessage"]) == (True, None)
    assert body["payment"]["id"] == str(SUCCEEDED.id)
    assert answer.text.partition('"status":"')[2].startswith("succeeded")
    assert '"amount":150.00,' in answer.text
    assert [each.order_id for each in resources.started] == [UUID(ORDER)]


async def test_a_payment_that_succeeded_before(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]

    body = envelope(await http.post("/payments", content=BODY), 200)

    assert body["payment"]["id"] == str(SUCCEEDED.id)
    assert resources.started == []


async def test_a_stranger_is_shown_no_payment(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]

    answer = await http.post("/payments", content=BODY.replace(CUSTOMER, STRANGER))

    assert problem(answer, ErrorCode.CUSTOMER_MISMATCH)["payment"] is None
    assert str(SUCCEEDED.id) not in answer.text
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("code", ErrorCode)
async def test_a_payment_that_fails(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode
) -> None:
    resources.outcome = failed(code)

    answer = await http.post("/payments", content=BODY)

    body = problem(answer, code)
    assert body["errorMessage"] == f"It is {code}."
    assert ("retry-after" in answer.headers) is (answer.status_code == 503)
    assert ("www-authenticate" in answer.headers) is (answer.status_code in {401, 403})
    if code is ErrorCode.CUSTOMER_MISMATCH:
        assert body["payment"] is None
    else:
        assert body["payment"]["errorCode"] == code


async def test_a_payment_that_failed_for_a_reason_of_another_version(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    failure = failed(ErrorCode.CARD_DECLINED)
    resources.outcome = failure.model_copy(update={"error_code": "FRAUD_SUSPECTED"})

    body = problem(await http.post("/payments", content=BODY), ErrorCode.PROCESSOR_ERROR)

    assert body["payment"]["errorCode"] == "FRAUD_SUSPECTED"


async def test_a_payment_that_has_not_begun_is_read_nowhere_yet(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    answer = await http.post("/payments", content=BODY)

    body = envelope(answer, 202)
    assert (body["success"], body["payment"]["status"]) == (False, "pending")
    assert "Send the same request again" in body["errorMessage"]
    assert "location" not in answer.headers
    assert int(answer.headers["retry-after"]) > 0


async def test_a_payment_that_takes_longer(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [PENDING]
    answer = await http.post("/payments", content=BODY)

    body = envelope(answer, 202)
    assert (body["success"], body["payment"]["status"]) == (False, "pending")
    assert body["payment"]["id"] == str(PENDING.id)
    assert answer.headers["location"] == f"/payments/{PENDING.id}"
    assert int(answer.headers["retry-after"]) > 0


async def test_success_that_may_yet_be_undone_is_not_told(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED.announced(Announcement.DUE)]

    answer = await http.post("/payments", content=BODY)
    assert envelope(answer, 202)["payment"]["status"] == "pending"
    read = envelope(await http.get(f"/payments/{SUCCEEDED.id}"), 200)
    assert (read["success"], read["payment"]["processedAt"]) == (False, None)

    resources.recorded = [SUCCEEDED.announced(Announcement.BEGUN)]
    assert envelope(await http.post("/payments", content=BODY), 200)["success"]


@pytest.mark.parametrize(
    ("ending", "status"), [(SUCCEEDED, 200), (failed(ErrorCode.CARD_DECLINED), 422)]
)
async def test_a_payment_whose_ending_is_only_in_the_record(
    http: httpx.AsyncClient, resources: FakeResources, ending: Payment, status: int
) -> None:
    unseen_before = {"order_id": UUID(STRANGER)}
    resources.recorded = [ending.model_copy(update=unseen_before)]

    body = envelope(await http.post("/payments", content=BODY), status)

    assert body["payment"]["id"] == str(ending.id)
    assert len(resources.started) == 1


async def test_a_running_payment_is_joined(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded, resources.outcome = [PENDING], SUCCEEDED

    assert envelope(await http.post("/payments", content=BODY), 200)["success"]


@pytest.mark.parametrize(
    "code",
    [
        ErrorCode.PAYMENT_IN_PROGRESS,
        ErrorCode.DATABASE_UNAVAILABLE,
        ErrorCode.SERVICE_UNAVAILABLE,
    ],
)
async def test_a_payment_that_cannot_start(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode
) -> None:
    resources.failure = PaymentError(code, "Not now.")

    assert problem(await http.post("/payments", content=BODY), code)["payment"] is None


async def test_a_caller_in_too_much_of_a_hurry(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.allowance = Allowance(True, requests=5, seconds=60, left=0, reset_seconds=7)

    for answer in (
        await http.post("/payments", content=BODY),
        await http.get(f"/payments/{PENDING.id}"),
    ):
        problem(answer, RequestErrorCode.TOO_MANY_REQUESTS)
        assert answer.headers["retry-after"] == "7"
        assert answer.headers["ratelimit"] == '"caller";r=0;t=7'
    assert resources.started == []
    assert (await http.get("/health")).status_code == 200


async def test_no_request_waits_for_a_thread(
    http: httpx.AsyncClient, resources: FakeResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anyio.to_thread.run_sync", None)
    resources.outcome = SUCCEEDED

    envelope(await http.post("/payments", content=BODY), 200)


async def test_every_answer_says_what_a_caller_may_still_ask(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]

    for answer in (
        await http.post("/payments", content=BODY),
        await http.post("/payments", content="nonsense"),
        await http.get(f"/payments/{SUCCEEDED.id}"),
        await http.get(f"/payments/{ORDER}"),
    ):
        assert answer.headers["ratelimit-policy"] == '"caller";q=120;w=60'
        assert answer.headers["ratelimit"] == '"caller";r=119;t=60'


@pytest.mark.parametrize("known", ["{}", "W/{}", '"other", {}'])
async def test_who_has_the_answer_is_not_sent_it_again(
    http: httpx.AsyncClient, resources: FakeResources, known: str
) -> None:
    resources.recorded = [PENDING]
    address = f"/payments/{PENDING.id}"
    tag = (await http.get(address)).headers["etag"]
    headers = {"if-none-match": known.format(tag)}

    again = await http.get(address, headers=headers)
    resources.recorded = [SUCCEEDED]
    changed = await http.get(address, headers=headers)

    assert (again.status_code, again.content) == (304, b"")
    assert (again.headers["etag"], again.headers["cache-control"]) == (tag, "no-store")
    assert envelope(changed, 200)["success"]
    assert changed.headers["etag"] != tag


@pytest.mark.parametrize(
    ("payment", "success", "message"),
    [
        (SUCCEEDED, True, None),
        (PENDING, False, None),
        (failed(ErrorCode.CARD_DECLINED), False, "It is CARD_DECLINED."),
    ],
    ids=["succeeded", "pending", "failed"],
)
async def test_a_payment_is_read_as_it_stands(
    http: httpx.AsyncClient,
    resources: FakeResources,
    payment: Payment,
    success: bool,
    message: str | None,
) -> None:
    resources.recorded = [payment]

    answer = await http.get(f"/payments/{payment.id}")

    body = envelope(answer, 200)
    assert (body["success"], body["errorMessage"]) == (success, message)
    assert body["payment"]["status"] == payment.status
    assert answer.headers["cache-control"] == "no-store"


async def test_a_remembered_payment_is_not_looked_up(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.outcome = SUCCEEDED
    await http.post("/payments", content=BODY)

    assert envelope(await http.get(f"/payments/{SUCCEEDED.id}"), 200)["success"]


async def test_a_payment_that_cannot_be_read_now(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.failure = PaymentError(ErrorCode.DATABASE_UNAVAILABLE, "Not now.")

    answer = await http.get(f"/payments/{PENDING.id}")

    problem(answer, ErrorCode.DATABASE_UNAVAILABLE)
    assert int(answer.headers["retry-after"]) > 0


async def test_an_unknown_payment_is_not_found(http: httpx.AsyncClient) -> None:
    answer = await http.get(f"/payments/{PENDING.id}")

    assert problem(answer, ErrorCode.PAYMENT_NOT_FOUND)["payment"] is None


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
async def test_other_addresses_are_problems_too(
    http: httpx.AsyncClient, method: str, path: str, code: RequestErrorCode
) -> None:
    answer = await http.request(method, path)

    problem(answer, code)
    assert ("allow" in answer.headers) is (code is RequestErrorCode.METHOD_NOT_ALLOWED)


GETS = (
    *("/health", "/ready", "/Payments", "/payments?limit=1", f"/payments/{SUCCEEDED.id}"),
    *(f"/payments/{SUCCEEDED.id}/timeline", f"/payments/{SUCCEEDED.id}/refunds"),
    *(f"/payments/{SUCCEEDED.id}/refunds/{ORDER}", f"/payments/{ORDER}", "/payments/1", "/refunds"),
    *("/payments?limit=0", f"/payments/{SUCCEEDED.id}/cancel", "/openapi.json", "/docs"),
)


@pytest.mark.parametrize("path", GETS)
async def test_head_is_answered_as_get_is_without_the_body(
    http: httpx.AsyncClient, resources: FakeResources, path: str
) -> None:
    resources.recorded = [SUCCEEDED]
    headers = {"x-request-id": ORDER, "origin": FRONT_END}

    get = await http.get(path, headers=headers)
    head = await http.head(path, headers=headers)

    assert (head.status_code, head.headers) == (get.status_code, get.headers)
    assert int(head.headers["content-length"]) == len(get.content) > 0


async def test_head_of_what_is_known_is_not_modified(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]
    address = f"/payments/{SUCCEEDED.id}"
    tag = (await http.head(address)).headers["etag"]

    assert (await http.head(address, headers={"if-none-match": tag})).status_code == 304


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
async def test_methods_of_an_address_are_told(
    http: httpx.AsyncClient, path: str, allowed: str, method: str
) -> None:
    answer = await http.request(method, path)

    problem(answer, RequestErrorCode.METHOD_NOT_ALLOWED)
    assert answer.headers["allow"] == allowed


async def test_head_pays_nothing(http: httpx.AsyncClient, resources: FakeResources) -> None:
    await http.request("HEAD", "/payments", content=BODY)
    await http.request("HEAD", f"/payments/{ORDER}/cancel")

    assert (resources.started, resources.cancelled) == ([], [])


@pytest.mark.parametrize("path", ["/Payments", "/PAYMENTS", "/payments"])
async def test_addresses_are_known_in_any_case(
    http: httpx.AsyncClient, resources: FakeResources, path: str
) -> None:
    resources.outcome = SUCCEEDED

    envelope(await http.post(path, content=BODY), 200)
    envelope(await http.get(f"{path}/{str(SUCCEEDED.id).upper()}"), 200)


@pytest.mark.parametrize("path", ["/health", "/Health"])
async def test_the_process_says_that_it_is_healthy(http: httpx.AsyncClient, path: str) -> None:
    assert (await http.get(path)).json() == {"status": "Healthy", "service": "Payment"}


@pytest.mark.parametrize(
    ("down", "status", "word"),
    [
        ((), 200, "ready"),
        (("redis",), 200, "ready"),
        (("postgresql",), 503, "not ready"),
        (("postgresql", "redis"), 503, "not ready"),
    ],
    ids=str,
)
async def test_readiness_names_what_is_down(
    http: httpx.AsyncClient, resources: FakeResources, down: tuple[str, ...], status: int, word: str
) -> None:
    resources.down = down

    answer = await http.get("/ready")

    states = {name: "down" if name in down else "up" for name in ("postgresql", "redis")}
    body = {"status": word, "dependencies": states, "warnings": []}
    assert (answer.status_code, answer.json()) == (status, body)


async def test_readiness_warns_and_is_ready_all_the_same(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.warnings |= {"one": "Look at one.", "two": None, "three": ConnectionError("secret")}

    answer = await http.get("/ready")

    warnings = ["Look at one.", "three cannot be checked (ConnectionError)."]
    assert (answer.status_code, answer.json()["status"]) == (200, "ready")
    assert answer.json()["warnings"] == warnings


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
async def test_a_failure_is_a_problem_for_those_who_know_it(
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


async def test_the_front_end_may_ask_whether_it_may_pay(http: httpx.AsyncClient) -> None:
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
async def test_the_front_end_may_do_whatever_is_done_here(
    http: httpx.AsyncClient, method: str
) -> None:
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


async def test_a_bug_is_answered_and_the_next_request_too(
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


@pytest.mark.parametrize(
    ("meanwhile", "code"),
    [(PENDING, ErrorCode.SERVICE_UNAVAILABLE), (SUCCEEDED, ErrorCode.PAYMENT_ENDED)],
)
async def test_a_payment_may_end_while_it_is_asked_to_turn_back(
    http: httpx.AsyncClient,
    resources: FakeResources,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: Payment,
    code: ErrorCode,
) -> None:
    async def come_too_late(_: Payment) -> None:
        resources.recorded = [meanwhile]
        raise PaymentError(ErrorCode.SERVICE_UNAVAILABLE, "No such workflow.")

    monkeypatch.setattr(resources.workflows, "cancel", come_too_late)
    resources.recorded = [PENDING]

    problem(await http.post(f"/payments/{PENDING.id}/cancel"), code)


async def test_a_running_payment_is_turned_back(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [PENDING]

    answer = await http.post(f"/payments/{PENDING.id}/cancel")

    assert envelope(answer, 202)["payment"]["id"] == str(PENDING.id)
    assert answer.headers["location"] == f"/payments/{PENDING.id}"
    assert resources.cancelled == [PENDING]


@pytest.mark.parametrize(
    ("recorded", "code"),
    [
        ([], ErrorCode.PAYMENT_NOT_FOUND),
        ([SUCCEEDED], ErrorCode.PAYMENT_ENDED),
        ([SUCCEEDED.announced(Announcement.DUE)], ErrorCode.PAYMENT_ENDED),
        ([failed(ErrorCode.CARD_DECLINED)], ErrorCode.PAYMENT_ENDED),
    ],
    ids=["unknown", "succeeded", "not told yet", "failed"],
)
async def test_what_does_not_run_is_not_turned_back(
    http: httpx.AsyncClient, resources: FakeResources, recorded: list[Payment], code: ErrorCode
) -> None:
    resources.recorded = recorded

    problem(await http.post(f"/payments/{PENDING.id}/cancel"), code)
    assert resources.cancelled == []
