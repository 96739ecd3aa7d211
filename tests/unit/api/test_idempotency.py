"""The `Idempotency-Key` header: how it is read, and that a repeated request is one payment."""

import re

import httpx
import pytest

from api.documentation import IDEMPOTENCY_KEY
from api.request_errors import RequestErrorCode
from domain.errors import ErrorCode
from domain.payment import Payment
from tests.support.fake_resources import (
    BODY,
    CUSTOMER,
    ORDER,
    PENDING,
    STRANGER,
    SUCCEEDED,
    FakeResources,
    envelope,
    failed,
    problem,
)

DOCUMENTED = re.compile(IDEMPOTENCY_KEY["schema"]["pattern"])
PRINTABLE = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) != '"')


@pytest.mark.parametrize(
    ("header", "key"),
    [
        ("k-1", "k-1"),
        ('"k-1"', "k-1"),
        ('"a \\"quoted\\" \\\\ key"', 'a "quoted" \\ key'),
        ("two words", "two words"),
        (PRINTABLE, PRINTABLE),
        ("k" * 255, "k" * 255),
        (f'"{"k" * 255}"', "k" * 255),
    ],
    ids=["bare", "quoted", "escaped", "space", "printable", "longest", "longest quoted"],
)
async def test_a_key_is_read_bare_or_quoted(
    http: httpx.AsyncClient, resources: FakeResources, header: str, key: str
) -> None:
    await http.post("/payments", content=BODY, headers={"idempotency-key": header})

    assert list(resources.claims) == [(f"customer:{CUSTOMER}", key)]
    assert DOCUMENTED.fullmatch(header)


@pytest.mark.parametrize(
    "values",
    [
        *([b""], [b'""'], [b"k" * 256], [b'"' + b"k" * 256 + b'"'], [b'"open'], [b'in"side']),
        *([b'"k"; p=1'], [b'"a\\n"'], [b"tab\tbed"], ["clé".encode()], [b"\xe9"], [b"a\x7f"]),
        *([b"k-1", b"k-1"], [b"k-1", b""]),
    ],
    ids=lambda values: repr(values)[:20],
)
async def test_an_invalid_key_is_refused(
    http: httpx.AsyncClient, resources: FakeResources, values: list[bytes]
) -> None:
    assert len(values) > 1 or not DOCUMENTED.fullmatch(values[0].decode("latin-1"))
    headers = [(b"content-type", b"application/json")]
    headers += [(b"idempotency-key", value) for value in values]

    answer = await http.post("/payments", content=BODY, headers=headers)

    problem(answer, RequestErrorCode.INVALID_REQUEST)
    assert resources.started == []


KEY = {"idempotency-key": "k-1"}


async def test_a_key_has_the_payment_id_that_it_was_given_first(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    for _ in range(3):
        envelope(await http.post("/payments", content=BODY, headers=KEY), 202)

    first, *later = [instruction.payment_id for instruction in resources.started]
    assert set(later) == {PENDING.id}
    assert first != PENDING.id  # the fake saga was running already, under another id


@pytest.mark.parametrize(
    "ending", [SUCCEEDED, failed(ErrorCode.CARD_DECLINED), failed(ErrorCode.ORDER_NOT_PENDING)]
)
async def test_a_finished_payment_is_answered_again(
    http: httpx.AsyncClient, resources: FakeResources, ending: Payment
) -> None:
    resources.outcome = ending
    first = await http.post("/payments", content=BODY, headers=KEY)
    resources.recorded = [ending]

    again = await http.post("/payments", content=BODY, headers=KEY)

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert len(resources.started) == 1


async def test_a_resumed_payment_knows_that_it_may_have_charged(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    for _ in range(2):
        await http.post("/payments", content=BODY, headers=KEY)

    assert [instruction.resumed for instruction in resources.started] == [False, True]


async def test_a_resumed_payment_keeps_its_age(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    await http.post("/payments", content=BODY, headers=KEY)
    resources.recorded = [PENDING]

    await http.post("/payments", content=BODY, headers=KEY)

    assert resources.started[-1] == PENDING.to_resume()


@pytest.mark.parametrize("code", [ErrorCode.ORDERING_UNAVAILABLE, ErrorCode.SERVICE_UNAVAILABLE])
async def test_a_payment_that_failed_for_our_reasons_is_tried_again(
    http: httpx.AsyncClient, resources: FakeResources, code: ErrorCode
) -> None:
    resources.outcome = failed(code)
    await http.post("/payments", content=BODY, headers=KEY)
    resources.recorded = [failed(code)]

    again = await http.post("/payments", content=BODY, headers=KEY)

    problem(again, code)
    assert "idempotent-replayed" not in again.headers
    assert resources.started[-1].payment_id != PENDING.id


@pytest.mark.parametrize(
    ("before", "after"),
    [("150.00", "150.01"), (ORDER, STRANGER), ("}", ', "paymentMethod": "wallet"}')],
    ids=["amount", "order", "method"],
)
async def test_a_key_is_not_taken_for_another_request(
    http: httpx.AsyncClient, resources: FakeResources, before: str, after: str
) -> None:
    resources.outcome = SUCCEEDED
    await http.post("/payments", content=BODY, headers=KEY)

    answer = await http.post("/payments", content=BODY.replace(before, after), headers=KEY)

    assert problem(answer, ErrorCode.IDEMPOTENCY_KEY_REUSED)["payment"] is None
    assert answer.json()["type"] == "urn:payment-service:problem:idempotency-key-reused"
    assert len(resources.started) == 1


async def test_keys_belong_to_their_callers(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    for customer in (CUSTOMER, STRANGER):
        body = BODY.replace(CUSTOMER, customer)
        await http.post("/payments", content=body, headers=KEY)

    assert len(resources.started) == 2


async def test_an_order_paid_under_another_key_is_answered_with_that_payment(
    http: httpx.AsyncClient, resources: FakeResources
) -> None:
    resources.recorded = [SUCCEEDED]

    for key in ("k-1", "k-1", "k-2"):
        answer = await http.post("/payments", content=BODY, headers={"idempotency-key": key})
        assert envelope(answer, 200)["payment"]["id"] == str(SUCCEEDED.id)
    assert resources.started == []
