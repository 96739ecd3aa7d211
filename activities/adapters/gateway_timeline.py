"""What the gateway tells of a payment: its charge and its refunds, looked up by their keys."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from activities.adapters.gateway import NO_CHARGE, NO_REFUND, refuses
from activities.adapters.http import Answer, Neighbour, in_utc
from domain import names
from domain.gateway import ChargeState
from domain.payment import Payment
from domain.refund import Refund
from domain.text import Text
from domain.timeline import Entry, Source

GIVEN_BACK: Mapping[str, str] = {ChargeState.REFUNDED: ChargeState.CAPTURED}
"""A charge is told as it was made: that it was given back, its refund tells."""


class Movement(Answer):
    key: str
    state: Text
    created_at: Annotated[datetime, AfterValidator(in_utc)] = Field(validation_alias="createdAt")
    amount: Text | None = None
    currency: Text | None = None

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
        if charge := await self._look_up("charges", names.charge_key(payment.id)):
            yield charge.entry("charge")
        for key in keys:
            if refund := await self._look_up("refunds", key):
                yield refund.entry("refund")

    async def _look_up(self, kind: str, key: str) -> Movement | None:
        status, answer = await self._neighbour.ask("GET", f"/{kind}/{key}")
        if refuses(status, answer, key, NO_CHARGE | NO_REFUND):
            return None
        return self._movement(answer, key)

    def _movement(self, answer: Any, key: str) -> Movement:
        try:
            movement = Movement.model_validate(answer)
        except ValidationError as error:
            raise self._neighbour.unavailable("its answer is no charge or refund") from error
        if movement.key != key:
            raise self._neighbour.unavailable("its answer is about another charge or refund")
        return movement
