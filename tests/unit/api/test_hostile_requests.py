"""Every wrong request gets a 400 that says what is wrong and repeats nothing of the request."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from api.json_route import MAX_BODY_BYTES
from api.request_errors import RequestErrorCode
from domain.errors import ErrorCode
from tests.support.fake_resources import (
    BODY,
    CANARY,
    ORDER,
    SUCCEEDED,
    FakeResources,
    envelope,
    problem,
)


@pytest.mark.parametrize(
    "member", ["orderId", "customerId", "reservationId", "amount", "currency", "paymentMethod"]
)
async def test_a_wrong_value_is_named_but_not_repeated(
    http: httpx.AsyncClient, member: str
) -> None:
    body = {**json.loads(BODY), member: CANARY, CANARY: CANARY}

    answer = await http.post("/payments", content=json.dumps(body))

    errors = problem(answer, RequestErrorCode.INVALID_REQUEST)["errors"]
    assert [each["field"] for each in errors] == [member]
    assert member in answer.json()["errorMessage"]
    assert "canary" not in answer.text.lower()


@pytest.mark.parametrize(
    ("method", "address", "code"),
    [
        ("GET", "/payments/{}", RequestErrorCode.INVALID_REQUEST),
        ("GET", "/payments?status={}", RequestErrorCode.INVALID_REQUEST),
        ("GET", "/payments?cursor={}", RequestErrorCode.INVALID_REQUEST),
        ("GET", "/payments?{}&" + "a&" * 512, RequestErrorCode.INVALID_REQUEST),
        ("GET", "/{}", RequestErrorCode.NOT_FOUND),
        ("PUT", "/payments/{}", RequestErrorCode.METHOD_NOT_ALLOWED),
    ],
)
async def test_an_address_is_not_repeated(
    http: httpx.AsyncClient, method: str, address: str, code: ErrorCode
) -> None:
    answer = await http.request(method, address.format(CANARY))

    problem(answer, code)
    assert "canary" not in answer.text.lower()


def with_member(text: str) -> str:
    return BODY[:-1] + f", {text}}}"


HOSTILE: dict[str, str | bytes] = {
    "empty": "",
    "blank": " ",
    "array": "[]",
    "string": '"payment"',
    "number": "150",
    "null": "null",
    "nothing in it": "{}",
    "truncated": BODY[:-5],
    "trailing": BODY + BODY,
    "nan": BODY.replace("150.00", "NaN"),
    "infinity": BODY.replace("150.00", "-Infinity"),
    "exponent": BODY.replace("150.00", "1e999999"),
    "digits": BODY.replace("150.00", "9" * 5_000),
    "boolean": BODY.replace("150.00", "true"),
    "surrogate": BODY.replace(ORDER, "\\ud800" + ORDER[1:]),
    "surrogate currency": with_member('"currency": "\\ud800"'),
    "surrogate method": with_member('"paymentMethod": "\\udfff"'),
    "surrogate name": with_member('"\\ud800": 1'),
    "nul": BODY.replace(ORDER, "\\u0000" * 36),
    "named twice": with_member('"amount": 150.00'),
    "named twice, unknown": with_member('"a": 1, "a": 1'),
    "deep array": "[" * 16_000,
    "deep object": '{"a":' * 3_200,
    "deep member": with_member('"reservationId":' + "[" * 500 + "]" * 500),
    "binary": b"\x00\xff\xfe",
    "latin-1": with_member('"currency": "é"').encode("latin-1"),
    "utf-16": BODY.encode("utf-16"),
    "bom": b"\xef\xbb\xbf" + BODY.encode(),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_body_is_an_invalid_request(
    http: httpx.AsyncClient, resources: FakeResources, content: str | bytes
) -> None:
    problem(await http.post("/payments", content=content), RequestErrorCode.INVALID_REQUEST)
    assert resources.started == []


@pytest.mark.parametrize(
    "content", [BODY[:-1], b"\xef\xbb\xbf" + BODY.encode()], ids=["open", "bom"]
)
async def test_the_error_of_a_body_that_is_not_json_names_the_body(
    http: httpx.AsyncClient, content: str | bytes
) -> None:
    body = problem(await http.post("/payments", content=content), RequestErrorCode.INVALID_REQUEST)

    assert [each["field"] for each in body.get("errors", [{"field": "body"}])] == ["body"]


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x", ""],
)
async def test_only_json_is_read(http: httpx.AsyncClient, media_type: str) -> None:
    answer = await http.post("/payments", content=BODY, headers={"content-type": media_type})

    problem(answer, RequestErrorCode.UNSUPPORTED_MEDIA_TYPE)


@pytest.mark.parametrize("media_type", ["application/json; charset=utf-8", "Application/JSON"])
async def test_json_may_name_its_charset(
    http: httpx.AsyncClient, resources: FakeResources, media_type: str
) -> None:
    resources.outcome = SUCCEEDED

    envelope(await http.post("/payments", content=BODY, headers={"content-type": media_type}), 200)


async def test_a_large_body_is_not_read_to_its_end(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 100 * MAX_BODY_BYTES:
            sent += 1024
            yield b" " * 1024

    answer = await http.post("/payments", content=endless())

    problem(answer, RequestErrorCode.BODY_TOO_LARGE)
    assert sent < 2 * MAX_BODY_BYTES
    assert resources.started == []


async def test_callers_over_the_concurrency_limit_are_refused_at_once(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.outcome = SUCCEEDED

    is_read = False

    async def body() -> AsyncIterator[bytes]:
        nonlocal is_read
        is_read = True
        yield BODY.encode()

    with resources.concurrency_limit.admitted(), resources.concurrency_limit.admitted():
        turned_away = await http.post("/payments", content=body())

    problem(turned_away, ErrorCode.SERVICE_UNAVAILABLE)
    assert turned_away.headers["retry-after"]
    assert not is_read
    assert resources.started == []
    envelope(await http.post("/payments", content=BODY), 200)


async def test_what_is_unknown_is_ignored(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.outcome = SUCCEEDED

    content = with_member('"": 1, "nan": NaN, "deep": ' + "[" * 50 + "]" * 50)
    envelope(await http.post("/payments", content=content), 200)
