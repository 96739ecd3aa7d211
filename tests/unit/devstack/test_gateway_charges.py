"""The simulated gateway captures at most once per key, however a charge is repeated or voided."""

import asyncio

import httpx
import pytest

from devstack.neighbours import gateway
from tests.unit.devstack.neighbours import (
    Start,
    charge,
    client_of,
    ledger_types,
    wait_until_captured,
)

SLOW_MS = 600
"""The charge is made after half of it. Chosen so that a busy machine can do something before."""


async def test_a_charge_is_captured_with_its_exact_amount(
    client: httpx.AsyncClient,
) -> None:
    response = await charge(client, "k", "150.5")

    assert response.status_code == 201
    assert b'"amount":150.50,' in response.content
    body = response.json()
    assert body["state"] == "captured"
    assert body["isSimulated"] is True
    assert body["response"] == f"Success - TransactionId: {body['transactionId']}"
    assert body["id"].startswith("ch_")
    assert (await client.get("/charges/k")).json() == body


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
async def test_a_magic_amount_is_declined(
    client: httpx.AsyncClient, amount: str, currency: str, code: str, reason: str
) -> None:
    response = await charge(client, "k", amount, currency)

    assert response.status_code == 402
    body = response.json()
    assert (body["state"], body["code"], body["failureReason"]) == ("declined", code, reason)
    assert body["response"] == f"Failed - {code}: {body['message']}"
    assert body["transactionId"] is None


@pytest.mark.parametrize(("amount", "status"), [("150.00", 201), ("10.13", 402)])
async def test_a_repeated_request_gets_the_first_response(
    client: httpx.AsyncClient, amount: str, status: int
) -> None:
    first = await charge(client, "k", amount)
    again = await charge(client, "k", amount)

    assert (again.status_code, again.content) == (status, first.content)
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert len(await ledger_types(client)) == 1


async def test_a_key_is_refused_with_other_parameters(client: httpx.AsyncClient) -> None:
    await charge(client, "k", "150.00")

    refused = await charge(client, "k", "151.00")
    assert (refused.status_code, refused.json()["code"]) == (422, "KEY_REUSED")
    assert (await charge(client, "k", "150", "EUR")).status_code == 422
    assert len(await ledger_types(client)) == 1


async def test_concurrent_requests_with_one_key_capture_once(start: Start) -> None:
    client = client_of(start(gateway, gateway_latency_ms=40))

    responses = await asyncio.gather(*(charge(client, "k") for _ in range(5)))

    assert {response.status_code for response in responses} == {201}
    assert len({response.content for response in responses}) == 1
    assert await ledger_types(client) == ["charge.captured"]


async def test_a_charge_goes_on_after_its_caller_has_left(start: Start) -> None:
    client = client_of(start(gateway, gateway_latency_ms=SLOW_MS))

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(charge(client, "k"), timeout=0.01)
    assert await ledger_types(client) == []
    await wait_until_captured(client)


async def test_a_slow_charge_is_in_the_ledger_before_its_response(start: Start) -> None:
    client = client_of(start(gateway, gateway_latency_ms=SLOW_MS))

    slow = asyncio.create_task(charge(client, "k"))
    await wait_until_captured(client)

    assert not slow.done()
    assert (await slow).status_code == 201


async def test_a_voided_key_is_never_captured(client: httpx.AsyncClient) -> None:
    voided = await client.post("/charges/k/void")
    response = await charge(client, "k")

    assert (voided.status_code, voided.json()["state"]) == (200, "voided")
    assert response.status_code == 409
    assert response.json() == voided.json() == (await client.get("/charges/k")).json()
    assert await ledger_types(client) == ["charge.voided"]


async def test_a_void_wins_over_a_charge_that_is_not_made_yet(start: Start) -> None:
    client = client_of(start(gateway, gateway_latency_ms=SLOW_MS))

    slow = asyncio.create_task(charge(client, "k"))
    await asyncio.sleep(0.01)
    voided = await client.post("/charges/k/void")

    assert voided.json()["state"] == "voided"
    assert (await slow).status_code == 409
    assert await ledger_types(client) == ["charge.voided"]


@pytest.mark.parametrize(("amount", "state"), [("150.00", "captured"), ("10.13", "declined")])
async def test_a_void_changes_no_existing_charge(
    client: httpx.AsyncClient, amount: str, state: str
) -> None:
    await charge(client, "k", amount)

    assert (await client.post("/charges/k/void")).json()["state"] == state
    assert await ledger_types(client) == [f"charge.{state}"]
