"""Reads all captures and refunds of a Stripe account, page by page, for the audit.

Only payments of this service are read. Others in the account have no `key` in their metadata, or
one of another form.
"""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import ValidationError

from activities.adapters.stripe.client import StripeClient
from activities.adapters.stripe.objects import IntentId, MadeRefund, StripeObject, Units
from activities.adapters.stripe.reading import AMOUNTS, INTENTS
from activities.adapters.stripe.refunds import REFUNDS
from activities.audit_ports import Effect, LedgerEntry, Movement, UnreadableEntry
from domain import names
from domain.gateway import RefundState
from domain.text import Upper

PAGE_SIZE = "50"
"""The number of objects per request: about 100 kB, less than the limit of a response."""


class LedgerIntent(StripeObject):
    """A PaymentIntent in a list."""

    id: IntentId
    created: Units
    currency: Upper
    amount_received: Units
    metadata: dict[str, str]


class AnyRefund(StripeObject):
    """A refund in Stripe's list, made by any program.

    `payment_intent` is None if its charge was made without a PaymentIntent. Such a charge is never
    ours.
    """

    object: Literal["refund"]
    payment_intent: str | None = None


class StripeLedger:
    """Implements `GatewayLedger`. May raise PaymentError(GATEWAY_UNAVAILABLE), or ValueError."""

    def __init__(self, client: StripeClient) -> None:
        self._client = client

    async def entries(self) -> AsyncIterator[LedgerEntry | UnreadableEntry]:
        """The captures, then the refunds that have succeeded."""
        keys: dict[str, str] = {}
        async for item in self._items(INTENTS):
            for entry in _captures(item, keys):
                yield entry
        async for item in self._items(REFUNDS):
            for entry in _refunds(item, keys):
                yield entry

    async def _items(self, path: str) -> AsyncIterator[Any]:
        query = {"limit": PAGE_SIZE}
        while True:
            page = await self._client.get(path, **query)
            if not isinstance(page, dict) or not isinstance(items := page.get("data"), list):
                raise ValueError("The response is not a page of a list.")  # noqa: TRY004 (JSON of another shape)
            for item in items:
                yield item
            if not items or page.get("has_more") is not True:
                return
            query["starting_after"] = str(items[-1]["id"])


def _captures(item: Any, keys: dict[str, str]) -> Iterator[LedgerEntry | UnreadableEntry]:
    """The capture of one PaymentIntent, if it is ours. Adds its key to `keys`."""
    try:
        intent = LedgerIntent.model_validate(item)
        key = intent.metadata.get("key", "")
        if names.payment_of(key) is None or not intent.amount_received:
            return
        keys[intent.id] = key
        money = AMOUNTS.money(intent.amount_received, intent.currency)
        effect = Effect(Movement.CAPTURE, key, key, money)
        yield LedgerEntry(effect, UUID(intent.metadata["order_id"]), _time(intent.created))
    except (ValidationError, ValueError, KeyError) as error:
        yield UnreadableEntry(f"a PaymentIntent in Stripe's list ({type(error).__name__})")


def _refunds(item: Any, keys: dict[str, str]) -> Iterator[LedgerEntry | UnreadableEntry]:
    """Yield the entry of a refund that has moved money of a charge in `keys`.

    For other refunds nothing is yielded. Stripe also lists released authorizations as refunds, but
    these have moved no money.
    """
    try:
        charge_key = keys.get(AnyRefund.model_validate(item).payment_intent or "")
        if charge_key is None:
            return
        refund = MadeRefund.model_validate(item)
        if refund.state is not RefundState.SUCCEEDED:
            return
        money = AMOUNTS.money(refund.amount, refund.currency)
        key = refund.metadata.get("key", refund.id)
        effect = Effect(Movement.REFUND, key, charge_key, money)
        yield LedgerEntry(effect, None, _time(refund.created))
    except (ValidationError, ValueError) as error:
        yield UnreadableEntry(f"a refund in Stripe's list ({type(error).__name__})")


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
