"""A fake of a gateway that opens: it finds a charge by its own id only, as Stripe and PayPal do.

It is as unkind as such a gateway may be. A repeated request opens another attempt, a declined
attempt can be charged again once the key is forgotten, and money that is authorized stays so until
somebody voids or captures it. What a caller may never do is written in `World.broken`.
"""

from dataclasses import dataclass

from activities.gateway_ports import OpeningGateway
from domain.dispute import Dispute, FoundDispute
from domain.errors import ErrorCode, PaymentError
from domain.gateway import (
    NOT_MADE,
    Charge,
    ChargeIdentity,
    ChargeRequest,
    ChargeState,
    GatewayRefund,
    RefundRequest,
    RefundState,
)
from tests.support.fakes.world import World, sum_of

AUTHORIZED = Charge(key="", state=ChargeState.AUTHORIZED)
WAITING = Charge(key="", state=ChargeState.WAITING)
NOT_AUTHENTICATED = Charge(
    key="", state=ChargeState.DECLINED, error_code=ErrorCode.INVALID_CARD, message="Refused."
)
NOT_AUTHORIZED = frozenset({ChargeState.OPEN, ChargeState.WAITING, ChargeState.DECLINED})


@dataclass
class Attempt:
    """One attempt to charge, as the gateway has it."""

    request: ChargeRequest
    charge: Charge

    def move(self, to: Charge) -> None:
        members = {"key": self.charge.key, "reference": self.charge.reference}
        self.charge = to.model_copy(update=members)

    def customer_confirms(self) -> None:
        """Authorize the attempt, if it waits for its customer."""
        if self.charge.state is ChargeState.WAITING:
            self.move(AUTHORIZED)

    def customer_refuses(self) -> None:
        """Decline the attempt, if it waits for the bank (3-D Secure).

        A hosted page goes on waiting, because the customer can try another card.
        """
        is_page = (self.charge.reference or "").startswith("cs_")
        if self.charge.state is ChargeState.WAITING and not is_page:
            self.move(NOT_AUTHENTICATED)


class FakeOpeningGateway(OpeningGateway):
    def __init__(self, world: World) -> None:
        self._world = world

    async def open(self, request: ChargeRequest) -> Charge:
        return await self._world.perform("open_charge", lambda: self._open(request))

    async def charge(self, request: ChargeRequest) -> Charge:
        return await self._world.perform("authorize", lambda: self._authorize(request))

    async def capture(self, request: ChargeRequest) -> Charge:
        return await self._world.perform("capture", lambda: self._capture(request))

    async def find_charge(self, charge: ChargeIdentity) -> Charge | None:
        return await self._world.perform("find_charge", lambda: self._present_state(charge))

    async def void_charge(self, charge: ChargeIdentity) -> Charge:
        return await self._world.perform("void_charge", lambda: self._void(charge))

    async def refund(self, request: RefundRequest) -> GatewayRefund:
        return await self._world.perform("refund", lambda: self._make_refund(request))

    async def find_refund(self, request: RefundRequest) -> GatewayRefund | None:
        return await self._world.perform("find_refund", lambda: self._refund(request))

    async def can_still_refund(self, request: RefundRequest) -> bool:
        return await self._world.perform("can_still_refund", lambda: self._has_left(request))

    async def find_dispute(self, dispute: Dispute) -> FoundDispute | None:
        return await self._world.perform(
            "find_dispute", lambda: self._world.disputes.get(dispute.reference)
        )

    def _open(self, request: ChargeRequest) -> Charge:
        kind = "cs" if request.has_page else "pi"
        reference = f"{kind}_{len(self._world.attempts) + 1}_{request.payment_id.hex}"
        charge = Charge(key=request.key, state=ChargeState.OPEN, reference=reference)
        self._world.attempts[reference] = attempt = Attempt(request, charge)
        if request.has_page:
            attempt.move(WAITING)
        return charge

    def _authorize(self, request: ChargeRequest) -> Charge:
        attempt = self._attempt(request.identity)
        self._require_record(request, "charged")
        if request.token is None:
            raise PaymentError(ErrorCode.PROCESSOR_ERROR, "There is no card to charge.")
        is_new = request.key not in self._world.used_keys - self._world.forgotten_keys
        self._world.used_keys.add(request.key)
        if attempt.charge.state is ChargeState.OPEN or (
            attempt.charge.state is ChargeState.DECLINED and is_new
        ):
            attempt.move(self._answer_to(request))
        return self._present_state(request.identity)

    def _answer_to(self, request: ChargeRequest) -> Charge:
        """The attempt after the bank has responded.

        If the bank wants to ask the customer, a payment that cannot wait is declined.
        """
        if self._world.bank_asks:
            return WAITING if request.customer_action else NOT_AUTHENTICATED
        return self._world.decline or AUTHORIZED

    def _capture(self, request: ChargeRequest) -> Charge:
        attempt = self._attempt(request.identity)
        self._require_record(request, "captured")
        if attempt.charge.state in NOT_AUTHORIZED:
            raise PaymentError(ErrorCode.PROCESSOR_ERROR, "Nothing is authorized.")
        if attempt.charge.state is ChargeState.AUTHORIZED:
            self._world.captures.append(attempt.request)
            captured = {"state": ChargeState.CAPTURED, "transaction_id": request.reference}
            attempt.move(attempt.charge.model_copy(update=captured))
        return self._present_state(request.identity)

    def _void(self, charge: ChargeIdentity) -> Charge:
        attempt = self._attempt(charge)
        if attempt.charge.state in NOT_MADE | {ChargeState.DECLINED}:
            attempt.move(Charge(key="", state=ChargeState.VOIDED))
        return self._present_state(charge)

    def _present_state(self, charge: ChargeIdentity) -> Charge:
        """The charge, as an adapter reads it: a partial refund is an error."""
        attempt = self._attempt(charge)
        if attempt.charge.state is not ChargeState.CAPTURED:
            return attempt.charge
        refunded = sum_of(each for each in self._world.refunds if each.charge_key == charge.key)
        if refunded not in {0, attempt.request.amount.minor_units}:
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "It is refunded in part.")
        state = ChargeState.REFUNDED if refunded else ChargeState.CAPTURED
        return attempt.charge.model_copy(update={"state": state})

    def _attempt(self, charge: ChargeIdentity) -> Attempt:
        attempt = self._world.attempts.get(charge.reference or "")
        if attempt is None or (charge.key, charge.amount) != (
            attempt.request.key,
            attempt.request.amount,
        ):
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "There is no such attempt.")
        return attempt

    def _require_record(self, request: ChargeRequest, what: str) -> None:
        payment = self._world.payments.get(request.payment_id)
        recorded = payment.gateway_reference if payment is not None else None
        if recorded != request.reference:
            self._world.broken.append(f"{request.reference} was {what}, and {recorded} is recorded")

    def _make_refund(self, request: RefundRequest) -> GatewayRefund:
        if known := self._refund(request):
            return known
        if not self._has_left(request):
            raise PaymentError(ErrorCode.REFUND_REFUSED, "Too little is left to refund.")
        self._world.refund_states[request.key] = (request, self._world.next_refund)
        self._world.settle_refund(request.key, self._world.next_refund)
        return GatewayRefund(state=self._world.next_refund, reference=f"re_{request.key}")

    def _refund(self, request: RefundRequest) -> GatewayRefund | None:
        known, state = self._world.refund_states.get(request.key, (request, None))
        if known != request:
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "This is another refund.")
        return GatewayRefund(state=state, reference=f"re_{request.key}") if state else None

    def _has_left(self, request: RefundRequest) -> bool:
        attempt = self._world.attempts.get(request.reference or "")
        if attempt is None or attempt.request.key != request.charge_key:
            raise PaymentError(ErrorCode.GATEWAY_UNAVAILABLE, "There is no such attempt.")
        if attempt.charge.state is not ChargeState.CAPTURED:
            return False
        taken = sum_of(
            other
            for other, state in self._world.refund_states.values()
            if other.charge_key == request.charge_key and state is not RefundState.FAILED
        )
        left = attempt.request.amount.minor_units - taken
        return left >= request.amount.minor_units
