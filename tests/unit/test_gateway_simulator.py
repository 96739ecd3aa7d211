"""The gateway simulator: one capture per key, whatever is repeated, voided, refunded or killed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from devstack.neighbours.gateway import create_app
from devstack.neighbours.settings import NeighbourSettings

Start = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def start(tmp_path: Path) -> AsyncIterator[Start]:
    """Starts the gateway on the data of this test; started again it is a restart."""
    apps: list[FastAPI] = []

    def start(**settings: Any) -> httpx.AsyncClient:
        apps.append(create_app(NeighbourSettings(devstack_data=tmp_path, **settings)))
        return httpx.AsyncClient(transport=httpx.ASGITransport(apps[-1]), base_url="http://gateway")

    yield start
    for app in apps:
        app.state.journal.close()


@pytest.fixture
def gateway(start: Start) -> httpx.AsyncClient:
    return start()


async def charge(
    gateway: httpx.AsyncClient,
    key: str,
    amount: str = "150.00",
    currency: str = "USD",
    order: str = "order",
) -> httpx.Response:
    body = (
        f'{{"paymentId":"p-{key}","orderId":"{order}","amount":{amount},'
        f'"currency":"{currency}","paymentMethod":"credit_card"}}'
    )
    return await gateway.post("/charges", headers={"Idempotency-Key": key}, content=body)


async def refund(gateway: httpx.AsyncClient, key: str, of: str, amount: str) -> httpx.Response:
    body = f'{{"chargeKey":"{of}","amount":{amount},"currency":"USD"}}'
    return await gateway.post("/refunds", headers={"Idempotency-Key": key}, content=body)


async def effects(gateway: httpx.AsyncClient) -> list[str]:
    return [line["type"] for line in (await gateway.get("/ledger")).json()]


async def until_captured(gateway: httpx.AsyncClient) -> None:
    while await effects(gateway) != ["charge.captured"]:  # noqa: ASYNC110 - polled, as callers do
        await asyncio.sleep(0.01)


async def test_a_charge_is_captured_with_its_exact_amount(gateway: httpx.AsyncClient) -> None:
    answer = await charge(gateway, "k", "150.5")

    assert answer.status_code == 201
    assert b'"amount":150.50,' in answer.content
    body = answer.json()
    assert body["state"] == "captured"
    assert body["isSimulated"] is True
    assert body["response"] == f"Success - TransactionId: {body['transactionId']}"
    assert body["id"].startswith("ch_")
    assert (await gateway.get("/charges/k")).json() == body


@pytest.mark.parametrize(
    ("amount", "currency", "code", "reason"),
    [
        ("10.13", "USD", "CARD_DECLINED", "card_declined"),
        ("1.130", "KWD", "CARD_DECLINED", "card_declined"),
        ("10.66", "USD", "INSUFFICIENT_FUNDS", "insufficient_funds"),
        ("0.99", "USD", "PROCESSOR_TIMEOUT", "timeout"),
        ("999999.99", "USD", "AMOUNT_TOO_LARGE", "processor_error"),
        ("1000000", "JPY", "AMOUNT_TOO_LARGE", "processor_error"),
    ],
)
async def test_magic_amounts_are_declined(
    gateway: httpx.AsyncClient, amount: str, currency: str, code: str, reason: str
) -> None:
    answer = await charge(gateway, "k", amount, currency)

    assert answer.status_code == 402
    body = answer.json()
    assert (body["state"], body["code"], body["failureReason"]) == ("declined", code, reason)
    assert body["response"] == f"Failed - {code}: {body['message']}"
    assert body["transactionId"] is None


@pytest.mark.parametrize(("amount", "status"), [("150.00", 201), ("10.13", 402)])
async def test_the_same_request_is_answered_the_same(
    gateway: httpx.AsyncClient, amount: str, status: int
) -> None:
    first = await charge(gateway, "k", amount)
    again = await charge(gateway, "k", amount)

    assert (again.status_code, again.content) == (status, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await effects(gateway)) == 1


async def test_a_key_belongs_to_its_first_request(gateway: httpx.AsyncClient) -> None:
    await charge(gateway, "k", "150.00")

    refused = await charge(gateway, "k", "151.00")
    assert (refused.status_code, refused.json()["code"]) == (422, "KEY_REUSED")
    assert (await charge(gateway, "k", "150", "EUR")).status_code == 422
    assert len(await effects(gateway)) == 1


async def test_concurrent_requests_of_one_key_capture_once(start: Start) -> None:
    gateway = start(gateway_latency_ms=40)

    answers = await asyncio.gather(*(charge(gateway, "k") for _ in range(5)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.content for answer in answers}) == 1
    assert await effects(gateway) == ["charge.captured"]


async def test_a_capture_goes_on_when_its_caller_is_gone(start: Start) -> None:
    gateway = start(gateway_latency_ms=300)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(charge(gateway, "k"), timeout=0.01)
    assert await effects(gateway) == []
    await until_captured(gateway)


async def test_a_captured_charge_is_seen_before_it_is_answered(start: Start) -> None:
    gateway = start(gateway_latency_ms=300)

    slow = asyncio.create_task(charge(gateway, "k"))
    await until_captured(gateway)

    assert not slow.done()
    assert (await slow).status_code == 201


async def test_nothing_is_captured_after_a_void(gateway: httpx.AsyncClient) -> None:
    voided = await gateway.post("/charges/k/void")
    answer = await charge(gateway, "k")

    assert (voided.status_code, voided.json()["state"]) == (200, "voided")
    assert answer.status_code == 409
    assert answer.json() == voided.json() == (await gateway.get("/charges/k")).json()
    assert await effects(gateway) == ["charge.voided"]


async def test_a_void_wins_over_a_charge_that_has_not_had_its_effect(start: Start) -> None:
    gateway = start(gateway_latency_ms=300)

    slow = asyncio.create_task(charge(gateway, "k"))
    await asyncio.sleep(0.01)
    voided = await gateway.post("/charges/k/void")

    assert voided.json()["state"] == "voided"
    assert (await slow).status_code == 409
    assert await effects(gateway) == ["charge.voided"]


@pytest.mark.parametrize(("amount", "state"), [("150.00", "captured"), ("10.13", "declined")])
async def test_a_void_changes_nothing_that_is_decided(
    gateway: httpx.AsyncClient, amount: str, state: str
) -> None:
    await charge(gateway, "k", amount)

    assert (await gateway.post("/charges/k/void")).json()["state"] == state
    assert await effects(gateway) == [f"charge.{state}"]


async def test_a_full_refund_is_made_once(gateway: httpx.AsyncClient) -> None:
    captured = await charge(gateway, "k")
    first = await refund(gateway, "r", "k", "150.00")
    again = await refund(gateway, "r", "k", "150.0")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json()["chargeId"] == captured.json()["id"]
    assert (await gateway.get("/charges/k")).json()["state"] == "refunded"
    assert (await charge(gateway, "k")).content == captured.content
    assert await effects(gateway) == ["charge.captured", "refund.succeeded"]


async def test_a_refund_is_looked_up_by_its_key(gateway: httpx.AsyncClient) -> None:
    await charge(gateway, "k")
    assert (await gateway.get("/refunds/r")).json()["code"] == "REFUND_NOT_FOUND"

    made = await refund(gateway, "r", "k", "1.00")

    assert (await gateway.get("/refunds/r")).content == made.content


async def test_refunds_add_up_to_no_more_than_was_captured(gateway: httpx.AsyncClient) -> None:
    await charge(gateway, "k", "150.00")

    assert (await refund(gateway, "r1", "k", "50.01")).status_code == 201
    refused = await refund(gateway, "r2", "k", "100.00")
    assert (refused.status_code, refused.json()["code"]) == (422, "REFUND_TOO_LARGE")
    partly = (await gateway.get("/charges/k")).json()
    assert (partly["state"], partly["refundedAmount"]) == ("captured", 50.01)
    assert (await refund(gateway, "r3", "k", "99.99")).status_code == 201
    assert (await refund(gateway, "r4", "k", "0.01")).status_code == 422
    assert (await gateway.get("/charges/k")).json()["state"] == "refunded"


async def test_only_a_captured_charge_is_refunded(gateway: httpx.AsyncClient) -> None:
    await charge(gateway, "declined", "10.13")
    await gateway.post("/charges/voided/void")

    for key in ("declined", "voided", "unknown"):
        answer = await refund(gateway, f"r-{key}", key, "1.00")
        assert answer.status_code == 409
        assert (answer.json()["code"], answer.json()["key"]) == ("NOT_CAPTURED", f"r-{key}")
    await charge(gateway, "k")
    await refund(gateway, "r", "k", "1.00")
    assert (await refund(gateway, "r", "k", "2.00")).status_code == 422


async def test_the_success_rate_decides_by_the_key(start: Start) -> None:
    def outcomes(gateway: httpx.AsyncClient, prefix: str) -> Any:
        return asyncio.gather(*(charge(gateway, f"{prefix}{n}") for n in range(200)))

    gateway = start(gateway_success_rate=0.5)
    captured = [answer.status_code for answer in await outcomes(gateway, "k")].count(201)
    assert 70 < captured < 130

    await gateway.put("/settings", json={"successRate": 0})
    declined = (await outcomes(gateway, "other"))[0]
    assert (declined.status_code, declined.json()["code"]) == (402, "CARD_DECLINED")


async def test_settings_left_out_stay_and_outlive_a_restart(start: Start) -> None:
    gateway = start(gateway_latency_ms=5)

    changed = await gateway.put("/settings", json={"successRate": 0.25})

    assert changed.json() == {"successRate": 0.25, "latencyMs": 5}
    assert (await start().get("/settings")).json() == changed.json()


async def test_settings_of_one_order_are_no_others_and_outlive_a_restart(start: Start) -> None:
    gateway = start()

    await gateway.put("/settings/unlucky", json={"successRate": 0, "latencyMs": 20})

    for each in (gateway, start()):
        key = str(id(each))
        assert (await charge(each, key, order="unlucky")).status_code == 402
        assert (await charge(each, f"{key}-other")).status_code == 201
    assert (await gateway.get("/settings")).json() == {"successRate": 1, "latencyMs": 0}


async def test_charges_are_listed_newest_last(gateway: httpx.AsyncClient) -> None:
    for key in ("a", "b", "c"):
        await charge(gateway, key)
    await gateway.post("/charges/voided/void")

    async def keys(**query: Any) -> list[str]:
        return [each["key"] for each in (await gateway.get("/charges", params=query)).json()]

    assert await keys() == ["a", "b", "c"]
    assert await keys(limit=2) == ["b", "c"]
    assert await keys(paymentId="p-b", orderId="order") == ["b"]
    assert await keys(orderId="none") == []


async def test_a_restart_changes_nothing(start: Start, tmp_path: Path) -> None:
    before = start()
    first = await charge(before, "k", "10.10")
    await refund(before, "r", "k", "0.30")
    await before.post("/charges/voided/void")
    books = [(await before.get(path)).content for path in ("/charges", "/ledger")]
    with (tmp_path / "gateway/journal.jsonl").open("ab") as journal:
        journal.write(b'{"seq":4,"type":"charge.cap')

    after = start()

    assert [(await after.get(path)).content for path in ("/charges", "/ledger")] == books
    assert (await charge(after, "k", "10.10")).content == first.content
    assert (await charge(after, "voided")).status_code == 409
    await charge(after, "new")
    sequence = [line["seq"] for line in (await after.get("/ledger?after=2")).json()]
    assert sequence == [3, 4]
    assert [line["seq"] for line in (await after.get("/ledger?after=1&limit=2")).json()] == [2, 3]
    assert (await start().get("/charges/new")).status_code == 200


@pytest.mark.parametrize("amount", ["0", "-1", "1e2", "1.001", "true", "null", "NaN", "[]"])
async def test_a_bad_amount_is_refused(gateway: httpx.AsyncClient, amount: str) -> None:
    answer = await charge(gateway, "k", amount)

    assert answer.status_code == 400
    assert answer.json()["error"].startswith("amount: ")
    assert await effects(gateway) == []


@pytest.mark.parametrize("body", ["", "[]", "[" * 100_000, b"\xff", '{"orderId":"\\ud800"}'])
async def test_a_bad_body_is_refused(gateway: httpx.AsyncClient, body: str | bytes) -> None:
    answer = await gateway.post("/charges", headers={"Idempotency-Key": "k"}, content=body)

    assert (answer.status_code, list(answer.json())) == (400, ["error", "code", "key"])
    assert (answer.json()["code"], answer.json()["key"]) == ("INVALID_REQUEST", "k")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": ""}, {"Idempotency-Key": "a/b"}])
async def test_a_charge_and_a_refund_need_a_key(
    gateway: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for path in ("/charges", "/refunds"):
        assert (await gateway.post(path, headers=headers, content="{}")).status_code == 400


async def test_errors_have_one_shape(gateway: httpx.AsyncClient) -> None:
    requests = {404: ("GET", "/no"), 405: ("DELETE", "/charges"), 400: ("GET", "/ledger?after=x")}
    for status, (method, path) in requests.items():
        answer = await gateway.request(method, path)
        assert (answer.status_code, list(answer.json())) == (status, ["error"])
