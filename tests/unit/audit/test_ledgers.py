"""The audit reads the ledger of every gateway that has an address."""

from contextlib import AsyncExitStack
from typing import Any

import pytest
from pydantic import HttpUrl, SecretStr

from activities.adapters.gateway_ledger import HttpGatewayLedger
from activities.adapters.stripe.ledger import StripeLedger
from audit.__main__ import _ledgers
from bootstrap.settings import Settings

KEY = {"stripe_api_key": SecretStr("rk_test_1")}
URL = {"gateway_url": HttpUrl("https://gateway")}
STRIPE = {"gateway": "stripe", **KEY}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [HttpGatewayLedger]),
        (KEY, [HttpGatewayLedger, StripeLedger]),
        (STRIPE, [StripeLedger]),
        ({**STRIPE, **URL}, [HttpGatewayLedger, StripeLedger]),
    ],
)
async def test_payments_may_be_at_an_earlier_gateway(
    changes: dict[str, Any], expected: list[type]
) -> None:
    settings = Settings.model_construct(set(changes), **changes)
    async with AsyncExitStack() as stack:
        found = [each async for each in _ledgers(settings, stack)]

    assert [type(each) for each in found] == expected
