"""What the gateway tells of a payment: its charge and its refunds, looked up by their keys."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Any

from pydantic import Field, ValidationError

from activities.adapters.http import Answer, Neighbour
from domain import names
from domain.gateway import ChargeState
from domain.payment import Payment
from domain.refund import Refund
from domain.timeline import Entry, Source

GIVEN_BACK: Mapping[str, str] = {ChargeState.REFUNDED: ChargeState.CAPTURED}
"""A charge is told as it was made: that it was given back, its refund tells."""


class Movement(Answer):
    state: str
    created_at: datetime = Field(validation_alias="createdAt")
    amount: str | None = None
    currency: str | None = None

    def entry(self, kind: str) -> Entry:
        detail = f"{self.amount} {self.currency}" if self.amount else None
        state = GIVEN_BACK.get(self.state, self.state)
        return Entry(self.created_at, Source.GATEWAY, f"{kind} is {state}", detail)


class GatewayTimeline:
    """Raises only PaymentError(GATEWAY_UNAVAILABLE)."""

    def __init__(self, neighbour: Neighbour) -> None:
        self._neighbour = neighbour

    async def __call__(self, payment: Payment, refunds: Sequence[Refund]) -> list[Entry]:
        return [entry async for entry in self._entries(payment, refunds)]

    async def _entries(self, payment: Payment, refunds: Sequence[Refund]) -> AsyncIterator[Entry]:
        keys = [names.refund_key(payment.id), *(refund.request.key for refund in refunds)]
        if charge := await self._look_up(f"/charges/{names.charge_key(payment.id)}"):
            yield charge.entry("charge")
        for key in keys:
            if refund := await self._look_up(f"/refunds/{key}"):
                yield refund.entry("refund")

    async def _look_up(self, path: str) -> Movement | None:
        status, answer = await self._neighbour.ask("GET", path)
        return None if status == HTTPStatus.NOT_FOUND else self._movement(answer)

    def _movement(self, answer: Any) -> Movement:
        try:
            return Movement.model_validate(answer)
        except ValidationError as error:
            raise self._neighbour.unavailable("its answer is no charge or refund") from error
