"""The steps of a payment at its gateway: charge, look up the charge, resolve it, refund it.

Each is safe to repeat, because an idempotency key, or the gateway's reference, names one charge.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

from temporalio import activity

from activities.gateway_ports import PaymentGateway
from activities.gateways import Gateways
from activities.ports import StartInputs
from activities.refunds import require_made
from domain.errors import ErrorCode, PaymentError
from domain.gateway import (
    NOT_MADE,
    Charge,
    ChargeIdentity,
    ChargeRequest,
    ChargeState,
    RefundRequest,
)
from domain.gateways import GatewayName

HEARTBEAT_INTERVAL = timedelta(seconds=1)
"""A fifth of the heartbeat timeout of a charge (`workflows/policies.py`). Chosen, not measured."""
NOT_CHARGED = frozenset({ChargeState.OPEN})
"""The states of an attempt for which no request to charge has had an effect."""


class ChargeActivities:
    """Every step may raise the errors of the port `PaymentGateway`.

    `open_charge`, `authorize_charge` and `capture_charge` are for gateways that open; `charge` is
    for the others.
    """

    def __init__(self, gateways: Gateways, start_inputs: StartInputs) -> None:
        self._gateways = gateways
        self._start_inputs = start_inputs

    @activity.defn
    async def charge(self, request: ChargeRequest) -> Charge:
        """Charge once. From the second try on, look up the charge of an earlier try first.

        If the look-up fails, the request is sent again: its key names one charge for ever.
        """
        gateway = self._gateways.of(request.gateway)
        async with _heartbeat():
            return await _once(gateway, request, gateway.charge)

    @activity.defn
    async def open_charge(self, request: ChargeRequest) -> str:
        """Open an attempt, which moves no money. Returns the gateway's id of it, the reference.

        Raises PaymentError(GATEWAY_UNAVAILABLE) also if the gateway gives no id.
        """
        opened = await self._gateways.opening(request.gateway).open(request)
        if not opened.reference:
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "The attempt has no reference.")
        return opened.reference

    @activity.defn
    async def authorize_charge(self, request: ChargeRequest) -> Charge:
        """Charge the open attempt. From the second try on, look it up first.

        The request is sent again only if no earlier one has had an effect, or if the look-up fails.
        That is safe, because one attempt captures once. May also raise the errors of `StartInputs`.
        """
        gateway = self._gateways.opening(request.gateway)
        info = activity.info()
        run = (info.workflow_id or "", info.workflow_run_id or "")
        async with _heartbeat():
            token = await self._start_inputs.token_of(*run, request.payment_id)
            with_token = request.model_copy(update={"token": token})
            return await _once(gateway, with_token, gateway.charge, before=NOT_CHARGED)

    @activity.defn
    async def capture_charge(self, request: ChargeRequest) -> Charge:
        """Take the money of the authorized attempt. From the second try on, look it up first."""
        gateway = self._gateways.opening(request.gateway)
        async with _heartbeat():
            return await _once(gateway, request, gateway.capture, before=NOT_MADE)

    @activity.defn
    async def find_charge(self, request: ChargeRequest) -> Charge | None:
        """The charge in its present state; None if the gateway does not know it."""
        return await self._gateways.of(request.gateway).find_charge(request.identity)

    @activity.defn
    async def look_at_charge(self, request: ChargeRequest) -> Charge | None:
        """The same as `find_charge`, for an attempt that waits for its customer."""
        return await self.find_charge(request)

    @activity.defn(name="settle_charge")  # as running workflows and their histories call it
    async def resolve_charge(self, request: ChargeRequest | str) -> Charge:
        """Void the charge, unless it was captured before. Returns its final state.

        This turns an unknown outcome into a definite one. Workflows of version 0.1.0 give only the
        key.
        """
        if isinstance(request, str):
            identity = ChargeIdentity(key=request, amount=None)
            return await self._gateways.of(GatewayName.SIMULATOR).void_charge(identity)
        return await self._gateways.of(request.gateway).void_charge(request.identity)

    @activity.defn
    async def refund_charge(self, request: RefundRequest) -> Charge:
        """Refund the whole charge. Also succeeds if nothing was captured.

        May also raise the errors of `require_made`.
        """
        gateway = self._gateways.of(request.gateway)
        charge = await gateway.void_charge(request.whole_charge)
        if charge.state is not ChargeState.CAPTURED:
            return charge
        require_made(await gateway.refund(request))
        return charge.model_copy(update={"state": ChargeState.REFUNDED})


async def _once(
    gateway: PaymentGateway,
    request: ChargeRequest,
    send: Callable[[ChargeRequest], Awaitable[Charge]],
    before: frozenset[ChargeState] = frozenset(),
) -> Charge:
    """Send the request, unless an earlier try has left the charge in a state not in `before`.

    Returns the charge with the number of tries.
    """
    tries = activity.info().attempt
    found = await _find_earlier(gateway, request) if tries > 1 else None
    charge = await send(request) if found is None or found.state in before else found
    return charge.model_copy(update={"tries": tries})


async def _find_earlier(gateway: PaymentGateway, request: ChargeRequest) -> Charge | None:
    with suppress(PaymentError):
        return await gateway.find_charge(request.identity)
    return None


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
