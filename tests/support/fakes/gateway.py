"""A fake of the gateway, with the rules of keys, charges and refunds."""

from activities.gateway_ports import PaymentGateway
from domain.errors import ErrorCode, PaymentError
from domain.gateway import (
    Charge,
    ChargeIdentity,
    ChargeRequest,
    ChargeState,
    GatewayRefund,
    RefundRequest,
    RefundState,
)
from domain.money import Money
from tests.support.fakes.world import CAPTURED, World, sum_of

MADE = GatewayRefund(state=RefundState.SUCCEEDED)


class FakeGateway(PaymentGateway):
    def __init__(self, world: World) -> None:
        self._world = world

    async def charge(self, request: ChargeRequest) -> Charge:
        return await self._world.perform("charge", lambda: self._capture(request))

    async def find_charge(self, charge: ChargeIdentity) -> Charge | None:
        return await self._world.perform(
            "find_charge", lambda: self._present_state(charge.key, charge.amount)
        )

    async def void_charge(self, charge: ChargeIdentity) -> Charge:
        return await self._world.perform(
            "void_charge", lambda: self._void(charge.key, charge.amount)
        )

    async def refund(self, request: RefundRequest) -> GatewayRefund:
        return await self._world.perform("refund", lambda: self._make_refund(request))

    async def find_refund(self, request: RefundRequest) -> GatewayRefund | None:
        return await self._world.perform("find_refund", lambda: self._refund(request))

    async def can_still_refund(self, request: RefundRequest) -> bool:
        return await self._world.perform("can_still_refund", lambda: self._has_left(request))

    def _present_state(self, key: str, amount: Money | None) -> Charge | None:
        """The charge, as the adapter reads it: another amount or a partial refund is an error."""
        captured = {each.amount for each in self._world.captures if each.key == key}
        charge = self._world.charges.get(key)
        is_kept = charge is not None and charge.state is ChargeState.CAPTURED
        is_partly_refunded = is_kept and any(each.charge_key == key for each in self._world.refunds)
        if is_partly_refunded or (captured and amount and captured != {amount}):
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "This is about another amount.")
        return charge

    def _void(self, key: str, amount: Money | None) -> Charge:
        self._world.charges.setdefault(key, Charge(key=key, state=ChargeState.VOIDED))
        charge = self._present_state(key, amount)
        assert charge is not None
        return charge

    def _capture(self, request: ChargeRequest) -> Charge:
        known = self._world.charges.get(request.key)
        if known is not None and request.key not in self._world.forgotten_keys:
            if any(each.key == request.key and each != request for each in self._world.captures):
                raise PaymentError(ErrorCode.PROCESSOR_ERROR, "The key is another charge's.")
            return self._first_response(known)
        charge = self._world.charges[request.key] = self._decide(request)
        if charge.state is ChargeState.CAPTURED:
            self._world.captures.append(request)
        return charge

    def _first_response(self, charge: Charge) -> Charge:
        """The response to a repeated request, which may not show the refund. A look-up does."""
        is_changed = charge.state is ChargeState.REFUNDED
        if not (is_changed and self._world.replays_first_answer):
            return charge
        return charge.model_copy(update={"state": ChargeState.CAPTURED})

    def _decide(self, request: ChargeRequest) -> Charge:
        return (self._world.decline or CAPTURED).model_copy(update={"key": request.key})

    def _refund(self, request: RefundRequest) -> GatewayRefund | None:
        for known in self._world.refunds:
            if known.key == request.key and known != request:
                raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "This is another refund.")
        return MADE if request in self._world.refunds else None

    def _has_left(self, request: RefundRequest) -> bool:
        if request.charge_key not in self._world.charges:
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "There is no such charge.")
        refunded = (each for each in self._world.refunds if each.charge_key == request.charge_key)
        captured = [each for each in self._world.captures if each.key == request.charge_key]
        return sum_of(captured[:1]) - sum_of(refunded) >= request.amount.minor_units

    def _make_refund(self, request: RefundRequest) -> GatewayRefund:
        if known := self._refund(request):
            return known
        if request.charge_key not in self._world.charges or not self._has_left(request):
            raise PaymentError(ErrorCode.REFUND_REFUSED, "Too little is left to refund.")
        self._world.refunds.append(request)
        charge = self._world.charges[request.charge_key]
        if self._is_refunded(request.charge_key):
            charge = charge.model_copy(update={"state": ChargeState.REFUNDED})
        self._world.charges[request.charge_key] = charge
        return MADE

    def _is_refunded(self, key: str) -> bool:
        captured = (each for each in self._world.captures if each.key == key)
        refunded = (each for each in self._world.refunds if each.charge_key == key)
        return sum_of(captured) == sum_of(refunded)
