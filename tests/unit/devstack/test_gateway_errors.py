"""The simulated gateway refuses invalid requests, all with one form of error."""

import httpx
import pytest

from tests.unit.devstack.neighbours import charge, ledger_types


@pytest.mark.parametrize("amount", ["0", "-1", "1e2", "1.001", "true", "null", "NaN", "[]"])
async def test_an_invalid_amount_is_refused(client: httpx.AsyncClient, amount: str) -> None:
    response = await charge(client, "k", amount)

    assert response.status_code == 400
    assert response.json()["error"].startswith("amount: ")
    assert await ledger_types(client) == []


@pytest.mark.parametrize("body", ["", "[]", "[" * 100_000, b"\xff", '{"orderId":"\\ud800"}'])
async def test_an_invalid_body_is_refused_with_a_code_and_the_key(
    client: httpx.AsyncClient, body: str | bytes
) -> None:
    response = await client.post("/charges", headers={"Idempotency-Key": "k"}, content=body)

    assert (response.status_code, list(response.json())) == (400, ["error", "code", "key"])
    assert (response.json()["code"], response.json()["key"]) == ("INVALID_REQUEST", "k")


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": ""}, {"Idempotency-Key": "a/b"}])
async def test_a_charge_and_a_refund_without_a_valid_key_are_refused(
    client: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    for path in ("/charges", "/refunds"):
        assert (await client.post(path, headers=headers, content="{}")).status_code == 400


async def test_every_error_is_a_json_object_with_one_member(
    client: httpx.AsyncClient,
) -> None:
    requests = {404: ("GET", "/no"), 405: ("DELETE", "/charges"), 400: ("GET", "/ledger?after=x")}
    for status, (method, path) in requests.items():
        response = await client.request(method, path)
        assert (response.status_code, list(response.json())) == (status, ["error"])
