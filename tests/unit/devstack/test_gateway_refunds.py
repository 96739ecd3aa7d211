"""The simulated gateway refunds once per key, and never more than was captured."""

import httpx

from tests.unit.devstack.neighbours import charge, ledger_types, refund


async def test_a_full_refund_is_made_once_per_key(client: httpx.AsyncClient) -> None:
    captured = await charge(client, "k")
    first = await refund(client, "r", "k", "150.00")
    again = await refund(client, "r", "k", "150.0")

    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert again.headers["Idempotent-Replayed"] == "true"
    assert first.json()["chargeId"] == captured.json()["id"]
    assert (await client.get("/charges/k")).json()["state"] == "refunded"
    assert (await charge(client, "k")).content == captured.content
    assert await ledger_types(client) == ["charge.captured", "refund.succeeded"]


async def test_a_refund_is_found_by_its_key(client: httpx.AsyncClient) -> None:
    await charge(client, "k")
    assert (await client.get("/refunds/r")).json()["code"] == "REFUND_NOT_FOUND"

    made = await refund(client, "r", "k", "1.00")

    assert (await client.get("/refunds/r")).content == made.content


async def test_refunds_never_exceed_the_captured_amount(client: httpx.AsyncClient) -> None:
    await charge(client, "k", "150.00")

    assert (await refund(client, "r1", "k", "50.01")).status_code == 201
    refused = await refund(client, "r2", "k", "100.00")
    assert (refused.status_code, refused.json()["code"]) == (422, "REFUND_TOO_LARGE")
    partly = (await client.get("/charges/k")).json()
    assert (partly["state"], partly["refundedAmount"]) == ("captured", 50.01)
    assert (await refund(client, "r3", "k", "99.99")).status_code == 201
    assert (await refund(client, "r4", "k", "0.01")).status_code == 422
    assert (await client.get("/charges/k")).json()["state"] == "refunded"


async def test_a_charge_that_is_not_captured_is_not_refunded(
    client: httpx.AsyncClient,
) -> None:
    await charge(client, "declined", "10.13")
    await client.post("/charges/voided/void")

    for key in ("declined", "voided", "unknown"):
        response = await refund(client, f"r-{key}", key, "1.00")
        assert response.status_code == 409
        assert (response.json()["code"], response.json()["key"]) == ("NOT_CAPTURED", f"r-{key}")
    await charge(client, "k")
    await refund(client, "r", "k", "1.00")
    assert (await refund(client, "r", "k", "2.00")).status_code == 422
