"""The gateway's part of a payment's timeline: its charge and its refunds, found by their keys."""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, ValidationError

from activities.adapters.gateway import NO_CHARGE, NO_REFUND, is_refusal
from activities.adapters.json_client import JsonClient
from activities.adapters.response_body import ResponseBody, in_utc
from domain import names
from domain.gateway import ChargeState
from domain.payment import Payment
from domain.refund import Refund
from domain.text import Text
from domain.timeline import Entry, Source

SHOWN_STATES: Mapping[str, str] = {ChargeState.REFUNDED: ChargeState.CAPTURED}
"""Shows a refunded charge as captured, because its refund is an entry of its own."""


class MovementResponse(ResponseBody):
    """The members that charges and refunds have in common."""

    key: str
    state: Text
    created_at: Annotated[datetime, AfterValidator(in_utc)] = Field(validation_alias="createdAt")
    amount: Text | None = None
    currency: Text | None = None

    def entry(self, kind: str) -> Entry:
        detail = f"{self.amount} {self.currency}" if self.amount else None
        state = SHOWN_STATES.get(self.state, self.state)
        return Entry(self.created_at, Source.GATEWAY, f"{kind} is {state}", detail)


class GatewayTimeline:
    """Reads the payment's charge and its refunds. Raises only PaymentError(GATEWAY_UNAVAILABLE)."""

    def __init__(self, client: JsonClient) -> None:
        self._client = client

    async def __call__(self, payment: Payment, refunds: Sequence[Refund]) -> list[Entry]:
        return [entry async for entry in self._entries(payment, refunds)]

    async def _entries(self, payment: Payment, refunds: Sequence[Refund]) -> AsyncIterator[Entry]:
        keys = [names.refund_key(payment.id), *(refund.request.key for refund in refunds)]
        if charge := await self._find("charges", names.charge_key(payment.id)):
            yield charge.entry("charge")
        for key in keys:
            if refund := await self._find("refunds", key):
                yield refund.entry("refund")

    async def _find(self, kind: str, key: str) -> MovementResponse | None:
        status, body = await self._client.request("GET", f"/{kind}/{key}")
        if is_refusal(status, body, key, NO_CHARGE | NO_REFUND):
            return None
        return self._read(body, key)

    def _read(self, body: Any, key: str) -> MovementResponse:
        try:
            movement = MovementResponse.model_validate(body)
        except ValidationError as error:
            raise self._client.unavailable("the response is not a charge or refund") from error
        if movement.key != key:
            raise self._client.unavailable("the response is about another charge or refund")
        return movement
