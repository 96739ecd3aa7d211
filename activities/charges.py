"""The steps of a payment at the gateway: charge, look up the charge, resolve it, refund it.

Each is safe to repeat, because an idempotency key names one charge or one refund for ever.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from temporalio import activity

from activities.ports import PaymentGateway
from activities.refunds import require_made
from domain.errors import PaymentError
from domain.gateway import Charge, ChargeRequest, ChargeState, RefundRequest

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""A fifth of the heartbeat timeout of a charge (`workflows/policies.py`). Chosen, not measured."""


class ChargeActivities:
    """Every step may raise the errors of the port `PaymentGateway`."""

    def __init__(self, gateway: PaymentGateway) -> None:
        self._gateway = gateway

    @activity.defn
    async def charge(self, request: ChargeRequest) -> Charge:
        """Charge once. From the second try on, look up the charge of an earlier try first.

        If the look-up fails, the request is sent again: its key names one charge for ever.
        """
        async with _heartbeat():
            tries = activity.info().attempt
            found = await self._find_earlier(request) if tries > 1 else None
            charge = found or await self._gateway.charge(request)
            return charge.model_copy(update={"tries": tries})

    async def _find_earlier(self, request: ChargeRequest) -> Charge | None:
        with suppress(PaymentError):
            return await self._gateway.find_charge(request.key, request.amount)
        return None

    @activity.defn
    async def find_charge(self, request: ChargeRequest) -> Charge | None:
        """The charge in its present state; None if the gateway does not know its key."""
        return await self._gateway.find_charge(request.key, request.amount)

    @activity.defn(name="settle_charge")  # as running workflows and their histories call it
    async def resolve_charge(self, request: ChargeRequest | str) -> Charge:
        """Void the charge, unless it was captured before. Returns its final state.

        This turns an unknown outcome into a definite one. Workflows of version 0.1.0 give only the
        key.
        """
        if isinstance(request, str):
            return await self._gateway.void_charge(request, None)
        return await self._gateway.void_charge(request.key, request.amount)

    @activity.defn
    async def refund_charge(self, request: RefundRequest) -> Charge:
        """Refund the whole charge. Also succeeds if nothing was captured.

        May also raise the errors of `require_made`.
        """
        charge = await self._gateway.void_charge(request.charge_key, request.amount)
        if charge.state is not ChargeState.CAPTURED:
            return charge
        require_made(await self._gateway.refund(request))
        return charge.model_copy(update={"state": ChargeState.REFUNDED})


@asynccontextmanager
async def _heartbeat() -> AsyncIterator[None]:
    """Send heartbeats to Temporal, so that it notices within seconds when this worker dies."""

    async def beat() -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())
            activity.heartbeat()

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
