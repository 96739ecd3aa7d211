"""The adapter for Stripe and the official client send requests to the double as a process."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from activities.adapters.gateway_ledger import HttpGatewayLedger
from activities.adapters.json_client import create_client
from activities.adapters.stripe.client import REQUESTS_PER_SECOND
from activities.audit_ports import LedgerEntry, Movement
from devstack.stack.stack import Stack
from domain import names
from domain.errors import ErrorCode
from domain.gateway import ChargeState, RefundState
from tests.support.json_neighbour import code_of
from tests.support.stripe_client import official_client
from tests.support.stripe_gateway import StripeDouble, on_http, refund_of


@pytest.fixture
async def double(own_stack: Stack) -> AsyncIterator[StripeDouble]:
    async with create_client(own_stack.environment()["STRIPE_URL"]) as http:
        double = StripeDouble(http)
        double.gateway = on_http(http, per_second=REQUESTS_PER_SECOND)
        yield double


async def test_a_payment_and_its_refund_are_in_the_ledger_that_the_audit_reads(
    double: StripeDouble,
) -> None:
    request = await double.captured(amount="150.00")
    refund = refund_of(request, "50.00")

    assert (await double.gateway.refund(refund)).state is RefundState.SUCCEEDED

    entries = [each async for each in HttpGatewayLedger(double.http).entries()]
    mine = [
        each
        for each in entries
        if isinstance(each, LedgerEntry) and each.effect.charge_key == request.key
    ]
    assert [(each.effect.movement, each.effect.key, str(each.effect.amount)) for each in mine] == [
        (Movement.CAPTURE, names.charge_key(request.payment_id), "150.00 USD"),
        (Movement.REFUND, refund.key, "50.00 USD"),
    ]
    assert mine[0].order_id == request.order_id


async def test_a_payment_goes_on_after_the_double_was_killed(
    own_stack: Stack, double: StripeDouble
) -> None:
    request = await double.authorized()

    await own_stack.kill("stripe")
    assert await code_of(double.gateway.capture(request)) is ErrorCode.GATEWAY_UNAVAILABLE
    await own_stack.up(["stripe"])

    assert (await double.gateway.capture(request)).state is ChargeState.CAPTURED
    assert (await double.gateway.charge(request)).state is ChargeState.CAPTURED


async def test_the_official_client_sees_what_the_adapter_did(double: StripeDouble) -> None:
    request = await double.captured()
    async with httpx.AsyncClient(base_url=double.http.base_url, trust_env=False) as http:
        intents = official_client(http).v1.payment_intents

        intent: Any = await intents.retrieve_async(str(request.reference))

    assert (intent.status, intent.amount_received) == ("succeeded", 15_000)
    assert intent.metadata.to_dict() == {
        "payment_id": str(request.payment_id),
        "order_id": str(request.order_id),
        "key": request.key,
    }
