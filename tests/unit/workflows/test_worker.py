"""The settings choose the adapters that the worker uses."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from temporalio.client import Client

from activities.adapters.inventory import HttpInventory, UncheckedInventory
from bootstrap.settings import Settings
from domain.errors import ErrorCode
from workflows import worker


@pytest.mark.parametrize(
    ("changes", "inventory", "stateless"),
    [
        ({}, HttpInventory, False),
        ({"environment": "production"}, HttpInventory, False),
        ({"reservation_check": "off"}, UncheckedInventory, False),
        ({"order_without_state": "accept"}, HttpInventory, True),
    ],
    ids=["default", "production", "no reservations", "no states"],
)
async def test_settings_choose_the_adapters(
    changes: dict[str, Any], inventory: type, stateless: bool
) -> None:
    client = await Client.connect("unused:1", lazy=True)
    async with AsyncExitStack() as stack:
        steps = await worker._activities(Settings.model_construct(**changes), client, stack)
        by_name: dict[str, Any] = {step.__name__: step for step in steps}

        assert by_name["fetch_order"].__self__._ordering._accept_without_state is stateless
        assert isinstance(by_name["fetch_reservation"].__self__._inventory, inventory)
        gateway = by_name["charge"].__self__._gateway
        assert gateway._accept_simulated is (changes != {"environment": "production"})
        gateway = gateway._client
        assert gateway._unavailable_code is ErrorCode.GATEWAY_UNAVAILABLE
        assert gateway._http.base_url == "http://gateway:5005/"
