"""The settings choose the adapters that the worker uses."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.common import MetricMeter

from activities.adapters.inventory import HttpInventory, UncheckedInventory
from activities.adapters.stripe.gateway import StripeGateway
from activities.gateway_ports import OpeningGateway
from bootstrap.settings import Settings
from domain.errors import ErrorCode
from domain.gateways import GatewayName
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
        steps = await worker._activities(
            Settings.model_construct(**changes), client, stack, MetricMeter.noop
        )
        by_name: dict[str, Any] = {step.__name__: step for step in steps}

        assert by_name["fetch_order"].__self__._ordering._accept_without_state is stateless
        assert isinstance(by_name["fetch_reservation"].__self__._inventory, inventory)
        gateway = by_name["charge"].__self__._gateways.of(GatewayName.SIMULATOR)
        assert gateway._accept_simulated is (changes != {"environment": "production"})
        gateway = gateway._client
        assert gateway._unavailable_code is ErrorCode.GATEWAY_UNAVAILABLE
        assert gateway._http.base_url == "http://gateway:5005/"


@pytest.mark.parametrize(("key", "livemode"), [("sk_test_1", False), ("rk_live_1", True)])
async def test_a_key_of_stripe_makes_it_a_gateway(key: str, *, livemode: bool) -> None:
    settings = Settings.model_construct(stripe_api_key=SecretStr(key))
    async with AsyncExitStack() as stack:
        (gateway,) = (await worker._stripe(settings, stack, MetricMeter.noop)).values()

    assert isinstance(gateway, OpeningGateway)
    assert isinstance(gateway, StripeGateway)
    assert gateway._intents._reader.livemode is livemode
    assert gateway._intents._client._client._http.base_url == "https://api.stripe.com/"


async def test_without_a_key_stripe_is_no_gateway() -> None:
    async with AsyncExitStack() as stack:
        assert await worker._stripe(Settings.model_construct(), stack, MetricMeter.noop) == {}
