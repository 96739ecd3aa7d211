"""The simulated Inventory: reservations are created, changed, expire and survive a restart."""

from uuid import uuid4

import pytest

from devstack.neighbours import inventory
from tests.unit.devstack.neighbours import Start, client_of

ORDER = "0f8fad5b-d9cb-469f-a165-70867728950e"
CUSTOMER = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"


async def test_a_created_reservation_is_active_and_read_back(start: Start) -> None:
    client = client_of(start(inventory))

    body = {"orderId": ORDER, "customerId": CUSTOMER}
    created = await client.post("/reservations", json=body)

    assert created.status_code == 201
    reservation = created.json()
    assert reservation["status"] == "active"
    assert reservation["expiresAt"].endswith("Z")
    found = await client.get(f"/reservations/{reservation['id']}")
    assert found.json() == reservation
    assert (await client.get(f"/reservations/{uuid4()}")).status_code == 404


@pytest.mark.parametrize(
    ("status", "expires_at", "shown"),
    [
        ("active", "2020-01-01T00:00:00Z", "expired"),
        ("active", "2999-01-01T01:00:00+01:00", "active"),
        ("confirmed", "2020-01-01T00:00:00Z", "confirmed"),
        ("expired", "2999-01-01T00:00:00Z", "expired"),
    ],
)
async def test_only_an_active_reservation_expires(
    start: Start, status: str, expires_at: str, shown: str
) -> None:
    body = {"status": status, "expiresAt": expires_at}
    created = await client_of(start(inventory)).post("/reservations", json=body)

    assert created.json()["status"] == shown


async def test_a_changed_reservation_survives_a_restart(start: Start) -> None:
    before = client_of(start(inventory))
    path = f"/reservations/{(await before.post('/reservations', json={})).json()['id']}"

    expired = await before.patch(path, json={"expiresAt": "2020-01-01T00:00:00Z"})
    confirmed = await before.patch(path, json={"status": "confirmed"})

    assert expired.json()["status"] == "expired"
    assert confirmed.json() == expired.json() | {"status": "confirmed"}
    assert (await client_of(start(inventory)).get(path)).content == confirmed.content


async def test_an_invalid_or_existing_reservation_is_refused(start: Start) -> None:
    client = client_of(start(inventory))
    taken = (await client.post("/reservations", json={})).json()["id"]

    bad = {"status": "lost", "expiresAt": "2026-01-01T00:00:00", "orderId": "order"}
    for name, value in bad.items():
        response = await client.post("/reservations", json={name: value})
        assert response.status_code == 400
        assert name in response.json()["error"]
    again = await client.post("/reservations", json={"id": taken})
    assert again.status_code == 409


async def test_inventory_reports_that_it_is_healthy(start: Start) -> None:
    response = await client_of(start(inventory)).get("/health")

    assert response.json() == {"status": "Healthy", "service": "inventory"}
