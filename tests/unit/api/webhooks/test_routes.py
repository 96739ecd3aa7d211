"""The statuses of webhooks over HTTP: without bearer token, problem body and concurrency limit."""

import logging
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field

import httpx
import pytest
from fastapi import FastAPI

from api.admission import ConcurrencyLimit
from api.webhooks import routes
from api.webhooks.ports import (
    ForgedWebhookError,
    RefusedWebhookError,
    SentHeaders,
    TakeWebhook,
)
from api.webhooks.routes import MAX_BODY_BYTES
from domain.errors import ErrorCode, PaymentError
from tests.support.fake_resources import ALLOWANCE, FakeResources
from tests.support.logged import lines
from tests.support.tokens import an_authenticator

PATH = "/webhooks/stripe"
EXCEEDED = ALLOWANCE._replace(is_exceeded=True, left=0, reset_seconds=17)


@dataclass
class Taken(TakeWebhook):
    """Takes every webhook, unless it has an `error`."""

    error: Exception | None = None
    bodies: list[bytes] = field(default_factory=list)
    signatures: list[Sequence[str]] = field(default_factory=list)

    async def __call__(self, headers: SentHeaders, body: bytes) -> None:
        self.bodies.append(body)
        self.signatures.append(headers.getlist("stripe-signature"))
        if self.error:
            raise self.error


@pytest.fixture
def taken(app: FastAPI, resources: FakeResources) -> Taken:
    """The API needs a bearer token for everything else, and its concurrency limit is reached."""
    taken = Taken()
    resources.webhooks = {"stripe": taken}
    resources.authenticator = an_authenticator()
    resources.concurrency_limit = ConcurrencyLimit(1, slow_after_seconds=5)
    resources.concurrency_limit._in_progress = 1
    app.state.resources = resources.build()
    return taken


def status_of(answer: httpx.Response) -> int:
    """The status of a response, which has no body and is not counted for callers."""
    assert answer.content == b""
    assert "content-type" not in answer.headers
    assert "ratelimit" not in answer.headers
    assert answer.headers["x-request-id"]
    return answer.status_code


async def test_a_webhook_is_taken_as_its_raw_bytes(
    taken: Taken, http: httpx.AsyncClient, resources: FakeResources
) -> None:
    headers = [("stripe-signature", "a"), ("stripe-signature", "b")]

    assert status_of(await http.post(PATH, content=b'{ "a":\n1}', headers=headers)) == 200
    assert taken.bodies == [b'{ "a":\n1}']
    assert taken.signatures == [["a", "b"]]
    assert resources.counted == []


@pytest.mark.parametrize("path", ["/Webhooks/Stripe", "/WEBHOOKS/STRIPE"])
async def test_the_path_may_be_in_any_case(
    taken: Taken, http: httpx.AsyncClient, path: str
) -> None:
    assert status_of(await http.post(path, content=b"{}")) == 200


@pytest.mark.parametrize("gateway", ["simulator", "paypal", "strip", "stripe%20"])
async def test_another_gateway_is_not_found(
    taken: Taken, http: httpx.AsyncClient, gateway: str
) -> None:
    assert status_of(await http.post(f"/webhooks/{gateway}", content=b"{}")) == 404
    assert taken.bodies == []


async def test_without_a_secret_there_are_no_webhooks(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    assert status_of(await http.post(PATH, content=b"{}")) == 404


@pytest.mark.parametrize(
    "kind", ["application/json; charset=utf-8", "Application/JSON;charset=latin-1"]
)
async def test_json_with_any_charset_is_taken(
    taken: Taken, http: httpx.AsyncClient, kind: str
) -> None:
    answer = await http.post(PATH, content=b"{}", headers={"content-type": kind})

    assert status_of(answer) == 200


@pytest.mark.parametrize("kind", ["", "text/plain", "application/problem+json"])
async def test_other_media_types_are_refused(
    taken: Taken, http: httpx.AsyncClient, kind: str
) -> None:
    answer = await http.post(PATH, content=b"{}", headers={"content-type": kind})

    assert status_of(answer) == 415
    assert taken.bodies == []


@pytest.mark.parametrize(("size", "status"), [(MAX_BODY_BYTES, 200), (MAX_BODY_BYTES + 1, 413)])
@pytest.mark.parametrize("is_chunked", [True, False])
async def test_the_size_is_limited(
    taken: Taken, http: httpx.AsyncClient, size: int, status: int, *, is_chunked: bool
) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(size // 1024):
            yield b" " * 1024
        yield b" " * (size % 1024)

    content = chunks() if is_chunked else b" " * size

    assert status_of(await http.post(PATH, content=content)) == status
    assert len(taken.bodies) == (status == 200)


@pytest.mark.parametrize("error", [RefusedWebhookError("no"), ForgedWebhookError("no")])
async def test_a_webhook_that_is_refused_is_a_400(
    taken: Taken, http: httpx.AsyncClient, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    taken.error = error

    assert status_of(await http.post(PATH, content=b"{canary}")) == 400
    assert lines(caplog, routes) == ["a webhook is refused: no"]


@pytest.mark.parametrize("code", [ErrorCode.SERVICE_UNAVAILABLE, ErrorCode.DATABASE_UNAVAILABLE])
async def test_while_a_dependency_is_down_it_must_be_sent_again(
    taken: Taken, http: httpx.AsyncClient, code: ErrorCode
) -> None:
    taken.error = PaymentError(code, "It is away.")

    answer = await http.post(PATH, content=b"{}")

    assert status_of(answer) == 503
    assert int(answer.headers["retry-after"]) > 0


async def test_only_wrong_signatures_are_limited(
    taken: Taken,
    http: httpx.AsyncClient,
    resources: FakeResources,
    caplog: pytest.LogCaptureFixture,
) -> None:
    resources.allowance = EXCEEDED
    assert status_of(await http.post(PATH, content=b"{}")) == 200
    taken.error = RefusedWebhookError("no")
    assert status_of(await http.post(PATH, content=b"{}")) == 400
    assert resources.counted == []

    taken.error = ForgedWebhookError("no")
    caplog.clear()
    answer = await http.post(PATH, content=b"{}")

    assert (status_of(answer), answer.headers["retry-after"]) == (429, "17")
    assert resources.counted == ["webhook:127.0.0.1"]
    assert lines(caplog, routes) == []


async def test_a_caller_that_leaves_is_no_bug(
    app: FastAPI, taken: Taken, caplog: pytest.LogCaptureFixture
) -> None:
    scope = {
        "type": "http",
        "method": "POST",
        "path": PATH,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
        "client": ("10.0.0.1", 1),
    }
    sent = []

    async def receive() -> dict[str, str]:
        return {"type": "http.disconnect"}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    with caplog.at_level(logging.WARNING):
        await app(scope, receive, send)  # type: ignore[arg-type]

    assert sent[0]["status"] == 400
    assert caplog.text == ""
    assert taken.bodies == []


async def test_other_methods_are_told_the_right_one(taken: Taken, http: httpx.AsyncClient) -> None:
    answer = await http.get(PATH)

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
