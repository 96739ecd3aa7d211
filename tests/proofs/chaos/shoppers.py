"""The load: customers who order, pay, and pay again until they are told how it ended."""

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
from tests.support.system import JSON

PATIENCE_SECONDS = 300
"""Longer than two outages, one after the other."""
PAUSE = (0.2, 3.0)
SECONDS = 20
"""How long a customer waits for one answer."""
WITH_SEAT, WITH_KEY, TWICE = 0.7, 0.5, 0.1
IMPATIENT = 0.3
"""How often a customer who was not told the end pays in another way the next time."""
AGAIN = 0.4
"""How often a customer who was told the end pays once more, and then once more again."""
METHODS = ("credit_card", "debit_card", "wallet", "bank_transfer")


class Wish(NamedTuple):
    """A request to pay, and the Idempotency-Key that it is sent under, if any."""

    request: dict[str, Any]
    key: str | None


class Success(NamedTuple):
    """A payment that was answered as paid, on the monotonic clock."""

    asked: float
    answered: float


@dataclass
class Shoppers:
    """All customers of a run. What each was told is kept, for the audit to compare."""

    api: httpx.AsyncClient
    neighbours: httpx.AsyncClient
    addresses: Mapping[str, str]
    seed: int
    answers: dict[UUID, list[ApiResponse]] = field(default_factory=lambda: defaultdict(list))
    successes: list[Success] = field(default_factory=list)
    purchases: int = 0
    paid_again: int = 0
    """Requests of customers who had been told how their payment ended."""
    unanswered: int = 0
    """Requests whose connection broke or timed out."""
    left: int = 0
    """Customers who went without having been told how their payment ended."""

    async def buy(self, number: int) -> None:
        """Order something and pay it, for as long as it takes or patience lasts."""
        dice = Random(f"{self.seed}:{number}")
        request = await self._order(dice)
        wish = Wish(request, f"purchase-{number}" if dice.random() < WITH_KEY else None)
        clicks = 2 if dice.random() < TWICE else 1
        await asyncio.gather(*(self._pay(wish, dice) for _ in range(clicks)))
        self.purchases += 1

    async def _order(self, dice: Random) -> dict[str, Any]:
        order, customer = _id(dice), _id(dice)
        amount = Decimal(dice.randint(100, 99_999)) / 100
        placed = {"id": order, "customerId": customer, "totalAmount": amount}
        await self._tell("ORDERING_URL", "/orders", placed)
        request = {"orderId": order, "customerId": customer, "amount": amount}
        request["paymentMethod"] = dice.choice(METHODS)
        if dice.random() < WITH_SEAT:
            request["reservationId"] = _id(dice)
            seat = {"id": request["reservationId"], "orderId": order, "customerId": customer}
            await self._tell("INVENTORY_URL", "/reservations", seat)
        return request

    async def _tell(self, neighbour: str, path: str, body: object) -> None:
        """Until it has been accepted: the neighbours are struck as well."""
        url, content = self.addresses[neighbour] + path, exact_json.dumps(body)
        while True:
            try:
                answer = await self.neighbours.post(url, content=content, headers=JSON)
            except httpx.TransportError:
                await asyncio.sleep(PAUSE[0])
            else:
                if answer.status_code != HTTPStatus.CONFLICT:  # which says that it is there
                    answer.raise_for_status()
                return

    async def _pay(self, wish: Wish, dice: Random) -> None:
        """Pay until told how it ended; an impatient customer tries another way meanwhile."""
        ends_at = time.monotonic() + PATIENCE_SECONDS
        tried = wish
        while time.monotonic() < ends_at:
            if await self._try(tried):
                await self._pay_once_more(wish, dice)
                return
            tried = _varied(wish, dice) if dice.random() < IMPATIENT else wish
            await asyncio.sleep(dice.uniform(*PAUSE))
        self.left += 1

    async def _pay_once_more(self, wish: Wish, dice: Random) -> None:
        """As who did not like the answer, or pressed the button again."""
        while dice.random() < AGAIN:
            self.paid_again += 1
            await self._try(_varied(wish, dice))

    async def _try(self, wish: Wish) -> bool:
        """Whether the customer has been told how it ended."""
        asked = time.monotonic()
        headers = JSON | ({"idempotency-key": wish.key} if wish.key else {})
        content = exact_json.dumps(wish.request)
        try:
            answer = await self.api.post("/payments", content=content, headers=headers)
            told = _told(answer.status_code, exact_json.loads(answer.content), asked)
        except (httpx.TransportError, ValueError):
            self.unanswered += 1
            return False
        self.answers[wish.request["orderId"]].append(told)
        if told.status == HTTPStatus.OK:
            self.successes.append(Success(asked, told.received_at))
        return is_definite(told)


def _varied(wish: Wish, dice: Random) -> Wish:
    """The same or another payment method, under the same key, a new one or none."""
    method = dice.choice(METHODS)
    key = dice.choice((wish.key, f"again-{_id(dice)}", None))
    return Wish({**wish.request, "paymentMethod": method}, key)


def _told(status: int, body: Mapping[str, Any], asked: float) -> ApiResponse:
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
