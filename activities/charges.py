"""Money at the gateway: take it, find out what became of it, give it back.

All three are safe to repeat, because each key names one charge or one refund for ever.
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


class ChargeActivities:
    def __init__(self, gateway: PaymentGateway) -> None:
        self._gateway = gateway

    @activity.defn
    async def charge(self, request: ChargeRequest) -> Charge:
        """Charge once. From the second try on, ask first what became of the one before.

        If that cannot be learned, the request is sent again: its key names one charge for ever.
        """
        async with _heartbeat():
            tries = activity.info().attempt
            found = await self._earlier(request) if tries > 1 else None
            charge = found or await self._gateway.charge(request)
            return charge.model_copy(update={"tries": tries})

    async def _earlier(self, request: ChargeRequest) -> Charge | None:
        with suppress(PaymentError):
            return await self._gateway.find_charge(request.key, request.amount)
        return None

    @activity.defn
    async def find_charge(self, request: ChargeRequest) -> Charge | None:
        """Look up how the charge stands now; None if the gateway does not know its key."""
        return await self._gateway.find_charge(request.key, request.amount)

    @activity.defn(name="settle_charge")  # as running workflows and their histories call it
    async def resolve_charge(self, request: ChargeRequest | str) -> Charge:
        """Turn an unknown outcome into a definite one, without charging again.

        Workflows that version 0.1.0 started give only the key.
        """
        if isinstance(request, str):
            return await self._gateway.void_charge(request, None)
        return await self._gateway.void_charge(request.key, request.amount)

    @activity.defn
    async def refund_charge(self, request: RefundRequest) -> Charge:
        """Give back whatever was captured; that nothing was captured is success too."""
        charge = await self._gateway.void_charge(request.charge_key, request.amount)
        if charge.state is not ChargeState.CAPTURED:
            return charge
        require_made(await self._gateway.refund(request))
        return charge.model_copy(update={"state": ChargeState.REFUNDED})


@asynccontextmanager
async def _heartbeat() -> AsyncIterator[None]:
    """Tell Temporal that this worker lives, so that its death is noticed within seconds."""

    async def beat() -> None:
        while True:
            activity.heartbeat()
            await asyncio.sleep(HEARTBEAT_INTERVAL.total_seconds())

    beating = asyncio.create_task(beat())
    try:
        yield
    finally:
        beating.cancel()
