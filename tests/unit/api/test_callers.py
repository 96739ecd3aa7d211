"""Which addresses count as one caller."""

import httpx
import pytest
from fastapi import FastAPI

from tests.support.fake_resources import ORDER, FakeResources

SAME = [
    ("2001:db8::1", "2001:DB8:0:0:0:0:0:1", "2001:db8::2", "2001:db8:0:0:ffff:ffff:ffff:ffff"),
    ("198.51.100.9", "::ffff:198.51.100.9", "::FFFF:C633:6409"),
    ("fe80::1%eth0", "fe80::2"),
    ("unknown", "_hidden", "x" * 5000, ""),
]


async def counted_as(app: FastAPI, resources: FakeResources, address: str) -> str:
    transport = httpx.ASGITransport(app, client=(address, 1))
    async with httpx.AsyncClient(transport=transport, base_url="http://payments") as client:
        await client.get(f"/payments/{ORDER}")
    return resources.counted[-1]


@pytest.mark.parametrize("addresses", SAME, ids=lambda each: str(each[0]))
async def test_addresses_of_one_caller_are_counted_together(
    app: FastAPI, resources: FakeResources, addresses: tuple[str, ...]
) -> None:
    assert len({await counted_as(app, resources, each) for each in addresses}) == 1


async def test_other_callers_are_counted_apart(app: FastAPI, resources: FakeResources) -> None:
    addresses = (*(each[0] for each in SAME), "2001:db8:0:1::1", "198.51.100.10")

    assert len({await counted_as(app, resources, each) for each in addresses}) == len(addresses)
