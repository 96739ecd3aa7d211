"""The load: customers who order, pay, and repeat the request until they know the ending."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from http import HTTPStatus
from random import Random
from typing import Any, NamedTuple
from uuid import UUID

import httpx

from audit.api_responses import is_definite
from audit.books import ApiResponse
from domain import exact_json
from tests.proofs.chaos.stripe_customers import StripeCustomer
from tests.support.system import JSON

PATIENCE_SECONDS = 300
"""How long a customer tries to pay: longer than two outages, one after the other."""
PAUSE = (0.2, 3.0)
SECONDS = 20
"""How long a customer waits for one answer."""
WITH_SEAT, WITH_KEY, TWICE = 0.7, 0.5, 0.1
IMPATIENT = 0.3
"""Probability that a customer who does not know the ending pays in another way the next time."""
AGAIN = 0.4
"""Probability that a customer who knows the ending sends another request, and then another."""
METHODS = ("credit_card", "debit_card", "wallet", "bank_transfer")


class PaymentRequest(NamedTuple):
    """The body of a payment request, and its Idempotency-Key if it has one."""

    request: dict[str, Any]
    key: str | None


class Success(NamedTuple):
    """A request that was answered with a success. Times are of the monotonic clock."""

    asked: float
    answered: float


@dataclass
class Shoppers:
    """All customers of a run. Keeps every response, which the audit compares with the books."""

    api: httpx.AsyncClient
    neighbours: httpx.AsyncClient
    addresses: Mapping[str, str]
    seed: int
    with_cards: bool = False
    """Whether the gateway is Stripe: customers bring a card's token, or pay on the hosted page."""
    answers: dict[UUID, list[ApiResponse]] = field(default_factory=lambda: defaultdict(list))
    successes: list[Success] = field(default_factory=list)
    purchases: int = 0
    paid_again: int = 0
    """Requests of customers who knew the ending already."""
    unanswered: int = 0
    """Requests without a response: the connection broke or timed out."""
    left: int = 0
    """Customers who stopped without knowing the ending."""

    async def buy(self, number: int) -> None:
        """Place an order and pay it. Ends with a definite response, or after `PATIENCE_SECONDS`."""
        dice = Random(f"{self.seed}:{number}")
        request = await self._order(dice)
        wanted = PaymentRequest(request, f"purchase-{number}" if dice.random() < WITH_KEY else None)
        clicks = 2 if dice.random() < TWICE else 1
        await asyncio.gather(*(self._pay(wanted, dice) for _ in range(clicks)))
        self.purchases += 1

    async def _order(self, dice: Random) -> dict[str, Any]:
        order, customer = _id(dice), _id(dice)
        amount = Decimal(dice.randint(100, 99_999)) / 100
        placed = {"id": order, "customerId": customer, "totalAmount": amount}
        await self._send("ORDERING_URL", "/orders", placed)
        request = {"orderId": order, "customerId": customer, "amount": amount}
        request["paymentMethod"] = dice.choice(METHODS)
        if self.with_cards:
            request |= await self._as_at_stripe(order, dice)
        if dice.random() < WITH_SEAT:
            request["reservationId"] = _id(dice)
            seat = {"id": request["reservationId"], "orderId": order, "customerId": customer}
            await self._send("INVENTORY_URL", "/reservations", seat)
        return request

    async def _as_at_stripe(self, order: UUID, dice: Random) -> dict[str, Any]:
        """Tell the double what the customer will do. Returns more members of the payment request.

        There are none if the customer pays on Stripe's page.
        """
        customer = StripeCustomer.drawn(dice)
        await self._send("STRIPE_URL", f"/settings/{order}", customer.behaviour, method="PUT")
        return {"paymentMethodToken": customer.token} if customer.token else {}

    async def _send(self, neighbour: str, path: str, body: object, *, method: str = "POST") -> None:
        """Send the body until it is accepted: the neighbours have faults, too."""
        url, content = self.addresses[neighbour] + path, exact_json.dumps(body)
        while True:
            try:
                answer = await self.neighbours.request(method, url, content=content, headers=JSON)
            except httpx.TransportError:
                await asyncio.sleep(PAUSE[0])
            else:
                if answer.status_code != HTTPStatus.CONFLICT:  # which says that it is there
                    answer.raise_for_status()
                return

    async def _pay(self, wanted: PaymentRequest, dice: Random) -> None:
        """Repeat the request until the ending is known. Some customers change it meanwhile."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        tried = wanted
        while time.monotonic() < ends_at:
            if await self._try(tried):
                await self._pay_once_more(wanted, dice)
                return
            tried = _varied(wanted, dice) if dice.random() < IMPATIENT else wanted
            await asyncio.sleep(dice.uniform(*PAUSE))
        self.left += 1

    async def _pay_once_more(self, wanted: PaymentRequest, dice: Random) -> None:
        """Send more requests after the ending is known."""
        while dice.random() < AGAIN:
            self.paid_again += 1
            await self._try(_varied(wanted, dice))

    async def _try(self, wanted: PaymentRequest) -> bool:
        """Send a request. Returns whether the response says how the payment ended."""
        asked = time.monotonic()
        headers = JSON | ({"idempotency-key": wanted.key} if wanted.key else {})
        content = exact_json.dumps(wanted.request)
        try:
            answer = await self.api.post("/payments", content=content, headers=headers)
            response = _response(answer.status_code, exact_json.loads(answer.content), asked)
        except (httpx.TransportError, ValueError):
            self.unanswered += 1
            return False
        self.answers[wanted.request["orderId"]].append(response)
        if response.status == HTTPStatus.OK:
            self.successes.append(Success(asked, response.received_at))
        return is_definite(response)


def _varied(wanted: PaymentRequest, dice: Random) -> PaymentRequest:
    """The request with any payment method, and with the same key, a new one or none."""
    method = dice.choice(METHODS)
    key = dice.choice((wanted.key, f"again-{_id(dice)}", None))
    return PaymentRequest({**wanted.request, "paymentMethod": method}, key)


def _response(status: int, body: Mapping[str, Any], asked: float) -> ApiResponse:
    payment = body.get("payment") or {}
    return ApiResponse(
        status,
        UUID(payment["id"]) if payment else None,
        payment.get("status"),
        body.get("code"),
        asked,
        time.monotonic(),
    )


def _id(dice: Random) -> UUID:
    return UUID(int=dice.getrandbits(128), version=4)
