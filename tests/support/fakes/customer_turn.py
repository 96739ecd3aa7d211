"""A fake reader of next actions, and a payment that waits for its customer."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

from domain.customer_action import Wait
from domain.errors import PaymentError
from domain.payment import Payment
from tests.support.fake_resources import PENDING

URL = "https://bank.example/3ds?secret=canary"
NOW = datetime.now(UTC)
WAIT = Wait(since=NOW, until=NOW + timedelta(days=1))
WAITING = PENDING.model_copy(
    update={"gateway": "stripe", "gateway_reference": "pi_1", "wait": WAIT}
)


class FakeTurn:
    """The response of the gateway. Tests set it."""

    def __init__(self) -> None:
        self.url: str | None = URL
        self.failure: PaymentError | None = None
        self.hangs = False
        self.asked: list[UUID] = []
        self.when_asked: Callable[[], object] = lambda: None

    async def __call__(self, payment: Payment) -> str | None:
        self.asked.append(payment.id)
        self.when_asked()
        if self.hangs:
            await asyncio.Event().wait()
        if self.failure:
            raise self.failure
        return self.url
