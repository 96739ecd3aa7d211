"""The adapter for Stripe in tests. It sends its requests to a handler or to the double."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
from pydantic import SecretStr

from activities.adapters.json_client import JsonClient
from activities.adapters.stripe.client import RequestPace, StripeClient
from activities.adapters.stripe.gateway import StripeGateway
from domain import names
from domain.customer_action import CustomerAction
from domain.errors import ErrorCode
from domain.gateway import ChargeRequest, RefundRequest
from domain.gateways import GatewayName
from domain.instruction import PAGE_TIME
from domain.money import Money
from tests.support.builders import an_instruction
from tests.support.json_neighbour import Handler
from tests.support.stripe_client import API_KEY

UNHURRIED = 1_000_000
"""The limit of requests per second in tests. It is so high that no request waits."""
HEADERS = {"authorization": f"Bearer {API_KEY}", "stripe-version": "2026-08-26.dahlia"}
"""The headers of requests that a test sends without the adapter."""


def on_http(
    http: httpx.AsyncClient,
    *,
    livemode: bool = False,
    seconds: float = 30,
    per_second: float = UNHURRIED,
) -> StripeGateway:
    """An adapter that sends its requests with this HTTP client."""
    client = JsonClient(http, "Stripe", ErrorCode.GATEWAY_UNAVAILABLE, seconds)
    pace = RequestPace(per_second)
    return StripeGateway(StripeClient(client, SecretStr(API_KEY), pace), livemode=livemode)


def on_handler(handler: Handler, **options: Any) -> StripeGateway:
    """An adapter whose requests get the responses of this handler."""
    transport = httpx.MockTransport(handler)
    http = httpx.AsyncClient(transport=transport, base_url="https://stripe")
    return on_http(http, **options)


VISA = "pm_card_visa"
ASKS = "pm_card_authenticationRequired"
"""A card whose bank asks the customer."""


def a_charge(amount: str = "150.00", currency: str = "USD", **changes: Any) -> ChargeRequest:
    """The request of a new payment. Its reference is missing until it is opened."""
    instruction = an_instruction(amount=Money.parse(amount, currency))
    return ChargeRequest(
        **{
            "key": names.charge_key(instruction.payment_id),
            "payment_id": instruction.payment_id,
            "order_id": instruction.order_id,
            "amount": instruction.amount,
            "payment_method": "credit_card",
            "gateway": GatewayName.STRIPE,
            "token": VISA,
            **changes,
        }
    )


def a_question(**changes: Any) -> ChargeRequest:
    """A payment whose bank asks the customer."""
    return a_charge(token=ASKS, customer_action=asking(), **changes)


def a_page(**changes: Any) -> ChargeRequest:
    """A payment on Stripe's own page."""
    until = datetime.now(UTC) + PAGE_TIME
    return a_charge(token=None, customer_action=asking(hosted=True), page_until=until, **changes)


def asking(*, hosted: bool = False) -> CustomerAction:
    return CustomerAction(return_url="https://shop.example/p", wait_seconds=600, hosted=hosted)


def refund_of(charge: ChargeRequest, amount: str = "50.00", number: int = 1) -> RefundRequest:
    """A refund of a part of the charge, as a caller requests it."""
    return RefundRequest(
        key=names.requested_refund_key(charge.payment_id, UUID(int=number)),
        charge_key=charge.key,
        amount=charge.amount.parse_same(amount),
        gateway=GatewayName.STRIPE,
        reference=charge.reference,
    )


class StripeDouble:
    """The adapter on the double, and requests to the double without the adapter."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http
        self.gateway = on_http(http)

    async def confirmation_token(self, card: str) -> str:
        """A ConfirmationToken of this test card, as Stripe.js makes it."""
        made = await self.http.post(
            "/v1/test_helpers/confirmation_tokens",
            data={"payment_method": card},
            headers=HEADERS,
        )
        token: str = made.json()["id"]
        return token

    async def next_action(self, request: ChargeRequest) -> str | None:
        """The type of the next action of the attempt; None if the customer need not act."""
        read = await self.http.get(f"/v1/payment_intents/{request.reference}", headers=HEADERS)
        action = read.json()["next_action"]
        return action and str(action["type"])

    async def opened(self, request: ChargeRequest | None = None, **changes: Any) -> ChargeRequest:
        """The request of a payment whose attempt is open, with its reference."""
        request = request or a_charge(**changes)
        charge = await self.gateway.open(request)
        return request.model_copy(update={"reference": charge.reference})

    async def authorized(self, **changes: Any) -> ChargeRequest:
        request = await self.opened(**changes)
        await self.gateway.charge(request)
        return request

    async def captured(self, **changes: Any) -> ChargeRequest:
        request = await self.authorized(**changes)
        await self.gateway.capture(request)
        return request

    async def put(self, path: str, **members: Any) -> None:
        assert (await self.http.put(path, json=members)).status_code == 200

    async def post(self, path: str, **members: Any) -> None:
        assert (await self.http.post(path, json=members)).status_code == 200

    async def is_locked(self, request: ChargeRequest) -> None:
        """Wait until the double is changing the attempt."""
        executor = self.http._transport.app.state.stripe.executor  # type: ignore[attr-defined]
        while request.reference not in executor._locked:  # noqa: ASYNC110 - as clients do
            await asyncio.sleep(0.001)

    async def ledger(self) -> list[str]:
        """The types of the ledger's entries, oldest first."""
        return [each["type"] for each in (await self.http.get("/ledger")).json()]

    async def states(self, request: ChargeRequest) -> list[str]:
        """The state of each attempt of the payment, oldest first."""
        found = await self.http.get(f"/charges?paymentId={request.payment_id}")
        return [each["state"] for each in found.json()]
