"""Requests that the tests send to the simulated neighbours."""

import asyncio
from collections.abc import Callable

import httpx
from fastapi import FastAPI

Start = Callable[..., FastAPI]


def client_of(app: FastAPI) -> httpx.AsyncClient:
    """A client that calls the application without a network."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://neighbour")


async def charge(
    client: httpx.AsyncClient,
    key: str,
    amount: str = "150.00",
    currency: str = "USD",
    order: str = "order",
) -> httpx.Response:
    body = (
        f'{{"paymentId":"p-{key}","orderId":"{order}","amount":{amount},'
        f'"currency":"{currency}","paymentMethod":"credit_card"}}'
    )
    return await client.post("/charges", headers={"Idempotency-Key": key}, content=body)


async def refund(
    client: httpx.AsyncClient, key: str, charge_key: str, amount: str
) -> httpx.Response:
    body = f'{{"chargeKey":"{charge_key}","amount":{amount},"currency":"USD"}}'
    return await client.post("/refunds", headers={"Idempotency-Key": key}, content=body)


async def ledger_types(client: httpx.AsyncClient) -> list[str]:
    """The types of the gateway's ledger entries, oldest first."""
    return [entry["type"] for entry in (await client.get("/ledger")).json()]


async def wait_until_captured(client: httpx.AsyncClient) -> None:
    while await ledger_types(client) != ["charge.captured"]:  # noqa: ASYNC110 - as clients do
        await asyncio.sleep(0.01)
