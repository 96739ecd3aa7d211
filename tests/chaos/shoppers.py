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

from audit.books import Answer
from domain import exact_json
from domain.errors import ErrorCode

JSON = {"content-type": "application/json"}
TRIES = 30
PAUSE = (0.2, 3.0)
SECONDS = 20
"""How long a customer waits for one answer."""
WITH_SEAT, WITH_KEY, TWICE = 0.7, 0.5, 0.1
DEFINITE = {
    HTTPStatus.OK,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.UNPROCESSABLE_ENTITY,
}


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
    answers: dict[UUID, list[Answer]] = field(default_factory=lambda: defaultdict(list))
    successes: list[Success] = field(default_factory=list)
    unanswered: int = 0
    """Requests whose connection broke or timed out."""
    left: int = 0
    """Customers who went without having been told how their payment ended."""

    async def buy(self, number: int) -> None:
        """Order something and pay it, for as long as it takes or patience lasts."""
        dice = Random(f"{self.seed}:{number}")
        request = await self._order(dice)
        key = {"idempotency-key": f"purchase-{number}"} if dice.random() < WITH_KEY else {}
        clicks = 2 if dice.random() < TWICE else 1
        await asyncio.gather(*(self._pay(request, key, dice) for _ in range(clicks)))

    async def _order(self, dice: Random) -> dict[str, Any]:
        order, customer = _id(dice), _id(dice)
        amount = Decimal(dice.randint(100, 99_999)) / 100
        placed = {"id": order, "customerId": customer, "totalAmount": amount}
        await self._tell("ORDERING_URL", "/orders", placed)
        request = {"orderId": order, "customerId": customer, "amount": amount}
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

    async def _pay(self, request: dict[str, Any], key: dict[str, str], dice: Random) -> None:
        for _ in range(TRIES):
            if await self._try(request, key):
                return
            await asyncio.sleep(dice.uniform(*PAUSE))
        self.left += 1

    async def _try(self, request: dict[str, Any], key: dict[str, str]) -> bool:
        """Whether the customer has been told how it ended."""
        asked = time.monotonic()
        content = exact_json.dumps(request)
        try:
            answer = await self.api.post("/payments", content=content, headers=JSON | key)
            body = exact_json.loads(answer.content)
        except (httpx.TransportError, ValueError):
            self.unanswered += 1
            return False
        self.answers[request["orderId"]].append(_told(answer.status_code, body))
        if answer.status_code == HTTPStatus.OK:
            self.successes.append(Success(asked, time.monotonic()))
        return answer.status_code in DEFINITE or body.get("code") == ErrorCode.PAYMENT_CANCELLED


def _told(status: int, body: Mapping[str, Any]) -> Answer:
    payment = body.get("payment")
    if payment is None:
        return Answer(status, None, None)
    return Answer(status, UUID(payment["id"]), payment["status"])


def _id(dice: Random) -> UUID:
    return UUID(int=dice.getrandbits(128), version=4)
