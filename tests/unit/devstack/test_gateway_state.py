"""The simulated gateway's settings, listing and restart."""

import asyncio
from pathlib import Path
from typing import Any

import httpx

from devstack.neighbours import gateway
from tests.support.waiting import eventually
from tests.unit.devstack.neighbours import Start, charge, client_of, refund


async def test_the_success_rate_is_the_share_of_captured_charges(start: Start) -> None:
    client = client_of(start(gateway, gateway_success_rate=0.5))

    responses = await asyncio.gather(*(charge(client, f"k{n}") for n in range(200)))
    captured = [response.status_code for response in responses].count(201)
    assert 70 < captured < 130

    await client.put("/settings", json={"successRate": 0})
    declined = await charge(client, "other")
    assert (declined.status_code, declined.json()["code"]) == (402, "CARD_DECLINED")


async def test_changed_settings_survive_a_restart_and_the_others_stay(start: Start) -> None:
    client = client_of(start(gateway, gateway_latency_ms=5))

    changed = await client.put("/settings", json={"successRate": 0.25})

    assert changed.json() == {
        "successRate": 0.25,
        "latencyMs": 5,
        "holdsResponses": False,
    }
    assert (await client_of(start(gateway)).get("/settings")).json() == changed.json()


async def test_settings_of_one_order_change_no_other_order_and_survive_a_restart(
    start: Start,
) -> None:
    client = client_of(start(gateway))

    await client.put("/settings/unlucky", json={"successRate": 0, "latencyMs": 20})

    for each in (client, client_of(start(gateway))):
        key = str(id(each))
        assert (await charge(each, key, order="unlucky")).status_code == 402
        assert (await charge(each, f"{key}-other")).status_code == 201
    usual = {"successRate": 1, "latencyMs": 0, "holdsResponses": False}
    assert (await client.get("/settings")).json() == usual


async def test_a_held_response_comes_when_no_response_is_held_any_more(
    client: httpx.AsyncClient,
) -> None:
    await client.put("/settings", json={"holdsResponses": True})
    charging = asyncio.create_task(charge(client, "held"))
    await eventually("it is charged", lambda: is_charged(client, "held"))
    is_held = not charging.done()

    await client.put("/settings", json={"holdsResponses": False})

    assert is_held
    assert (await charging).status_code == 201


async def is_charged(client: httpx.AsyncClient, key: str) -> bool:
    return (await client.get(f"/charges/{key}")).status_code == 200


async def test_charges_are_listed_oldest_first(client: httpx.AsyncClient) -> None:
    for key in ("a", "b", "c"):
        await charge(client, key)
    await client.post("/charges/voided/void")

    async def keys(**query: Any) -> list[str]:
        return [each["key"] for each in (await client.get("/charges", params=query)).json()]

    assert await keys() == ["a", "b", "c"]
    assert await keys(limit=2) == ["b", "c"]
    assert await keys(paymentId="p-b", orderId="order") == ["b"]
    assert await keys(orderId="none") == []


async def test_charges_and_ledger_are_the_same_after_a_restart(
    start: Start, tmp_path: Path
) -> None:
    before = client_of(start(gateway))
    first = await charge(before, "k", "10.10")
    await refund(before, "r", "k", "0.30")
    await before.post("/charges/voided/void")
    bodies = [(await before.get(path)).content for path in ("/charges", "/ledger")]
    with (tmp_path / "gateway/journal.jsonl").open("ab") as journal:
        journal.write(b'{"seq":4,"type":"charge.cap')

    after = client_of(start(gateway))

    assert [(await after.get(path)).content for path in ("/charges", "/ledger")] == bodies
    assert (await charge(after, "k", "10.10")).content == first.content
    assert (await charge(after, "voided")).status_code == 409
    await charge(after, "new")
    sequence = [line["seq"] for line in (await after.get("/ledger?after=2")).json()]
    assert sequence == [3, 4]
    assert [line["seq"] for line in (await after.get("/ledger?after=1&limit=2")).json()] == [2, 3]
    assert (await client_of(start(gateway)).get("/charges/new")).status_code == 200
