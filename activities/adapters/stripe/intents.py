"""Payments at Stripe with a card token: PaymentIntents with manual capture.

https://docs.stripe.com/payments/place-a-hold-on-a-payment-method. A PaymentIntent is opened without
a card, then confirmed, then captured. Its id is the reference. It can be captured once, and a
lookup by its id is up to date. A response counts only if it is about this payment.
"""

from activities.adapters.stripe.client import Refusal, Reply, SpentKeyError, StripeClient
from activities.adapters.stripe.declines import MESSAGES, read_decline
from activities.adapters.stripe.objects import Intent
from activities.adapters.stripe.opening import metadata, open_at, units
from activities.adapters.stripe.reading import (
    EXPANDED,
    INTENTS,
    StripeReader,
    refused,
    units_or_none,
)
from activities.adapters.stripe.refunds import StripeRefunds
from domain import names
from domain.customer_action import CustomerAction
from domain.errors import ErrorCode, PaymentError
from domain.gateway import (
    ENDED,
    Charge,
    ChargeIdentity,
    ChargeRequest,
    ChargeState,
    GatewayRefund,
    RefundRequest,
    RefundState,
)

_TOKEN_PARAMS = frozenset({"payment_method", "confirmation_token"})
_NOT_CHARGED = frozenset({ChargeState.DECLINED, ChargeState.VOIDED})


class StripeIntents:
    """Implements `ChargingGateway`."""

    def __init__(self, client: StripeClient, reader: StripeReader) -> None:
        self._client = client
        self._reader = reader
        self._refunds = StripeRefunds(client, reader)

    async def open(self, request: ChargeRequest) -> Charge:
        form = {
            "amount": str(units(request.amount)),
            "currency": request.amount.currency.lower(),
            "capture_method": "manual",
            "payment_method_types[]": "card",
            **metadata("metadata", request),
            **EXPANDED,
        }
        body = await open_at(self._client, INTENTS, form, names.open_key(request.payment_id))
        identity = request.identity.model_copy(update={"reference": None})
        intent = self._reader.intent(body, identity)
        if intent.state is not ChargeState.OPEN:
            raise self._client.unavailable(f"the new attempt is {intent.status}")
        return _charge(intent, identity, ChargeState.OPEN)

    async def charge(self, request: ChargeRequest) -> Charge:
        """Confirm the PaymentIntent with the card.

        If the bank wants to authenticate the customer, the charge is WAITING, or DECLINED if the
        payment may not wait for that.
        """
        if not request.token:
            return await self._charge_without_token(request)
        kind = "confirmation_token" if request.token.startswith("ctoken_") else "payment_method"
        form = {kind: request.token, **_asking(request.customer_action), **EXPANDED}
        key = names.charge_key(request.payment_id)
        reply = await self._post_if(ChargeState.OPEN, request.identity, "confirm", form, key)
        if reply.refusal:
            return await self._charge_after_refusal(reply, reply.refusal, request)
        charge = await self._present_charge(reply, request.identity)
        if charge.state is ChargeState.OPEN:
            raise self._client.unavailable("the charge is still open")
        return charge

    async def capture(self, request: ChargeRequest) -> Charge:
        key = names.capture_key(request.payment_id)
        reply = await self._post_if(
            ChargeState.AUTHORIZED, request.identity, "capture", EXPANDED, key
        )
        charge = await self._present_charge(reply, request.identity)
        if charge.state in ENDED:
            return charge
        if reply.refusal and charge.state is not ChargeState.AUTHORIZED:
            raise refused("to capture", reply.refusal)
        raise self._client.unavailable(f"the charge is {charge.state}")

    async def find_charge(self, charge: ChargeIdentity) -> Charge | None:
        return await self._find(charge)

    async def void_charge(self, charge: ChargeIdentity) -> Charge:
        """Cancel the PaymentIntent, without an idempotency key.

        With a key, Stripe would repeat a refusal after its reason is gone.
        """
        reply = await self._post(charge, "cancel", EXPANDED, None)
        ended = await self._present_charge(reply, charge)
        if ended.state not in ENDED:
            raise self._client.unavailable(f"the charge is {ended.state}")
        return ended

    async def refund(self, request: RefundRequest) -> GatewayRefund:
        return await self._refunds.make(request)

    async def find_refund(self, request: RefundRequest) -> GatewayRefund | None:
        return await self._refunds.find(request)

    async def can_still_refund(self, request: RefundRequest) -> bool:
        """Also false if the charge is disputed: Stripe does not refund a disputed charge."""
        identity = request.whole_charge.model_copy(update={"amount": None})
        intent = await self._reader.find_intent(identity)
        if intent.currency != request.amount.currency:
            raise self._client.unavailable("the response is in another currency")
        charge = intent.latest_charge
        if intent.status != "succeeded" or charge is None or charge.disputed:
            return False
        rest = charge.amount_captured - charge.amount_refunded
        units = units_or_none(request.amount)
        return units is not None and rest >= units

    async def _post_if(
        self,
        state: ChargeState,
        charge: ChargeIdentity,
        action: str,
        form: dict[str, str],
        key: str,
    ) -> Reply:
        """Post. Post again if the key is spent and the charge is still in this state.

        The second request has no key. It is safe: Stripe authorizes and captures a PaymentIntent
        once.
        """
        try:
            return await self._post(charge, action, form, key)
        except SpentKeyError:
            if (await self._find(charge)).state is not state:
                raise
            return await self._post(charge, action, form, None)

    async def _post(
        self, charge: ChargeIdentity, action: str, form: dict[str, str], key: str | None
    ) -> Reply:
        reference = self._reader.reference(charge.reference)
        return await self._client.post(f"{INTENTS}/{reference}/{action}", form, key)

    async def _find(self, charge: ChargeIdentity) -> Charge:
        return await self.charge_of(await self._reader.find_intent(charge), charge)

    async def _present_charge(self, reply: Reply, charge: ChargeIdentity) -> Charge:
        """The charge in its present state.

        It is looked up after a refusal, and if the response repeats an earlier one.
        """
        if reply.refusal or reply.is_replayed:
            return await self._find(charge)
        return await self.charge_of(self._reader.intent(reply.body, charge), charge)

    async def charge_of(self, intent: Intent, charge: ChargeIdentity) -> Charge:
        """The charge, whose state follows from its PaymentIntent.

        Raises PaymentError(GATEWAY_UNAVAILABLE) if the state is not definite.
        """
        if intent.state is None:
            raise self._client.unavailable(f"the charge is {intent.status}")
        if intent.state is ChargeState.REFUNDED:
            refunds = [each async for each in self._refunds.of(intent.id)]
            counted = [each for each in refunds if each.state is not RefundState.FAILED]
            is_waiting = any(each.state is not RefundState.SUCCEEDED for each in counted)
            if is_waiting or sum(each.amount for each in counted) != intent.amount:
                raise self._client.unavailable("the charge is refunded in part, or not yet")
        return _charge(intent, charge, intent.state)

    async def _charge_without_token(self, request: ChargeRequest) -> Charge:
        """Look up the charge: the workflow that had the token was lost, and may have charged.

        Raises PaymentError(PROCESSOR_ERROR) if it has not.
        """
        found = await self._find(request.identity)
        if found.state is ChargeState.OPEN:
            raise PaymentError(ErrorCode.PROCESSOR_ERROR, "The payment has no card token.")
        return found

    async def _charge_after_refusal(
        self, reply: Reply, refusal: Refusal, request: ChargeRequest
    ) -> Charge:
        """The charge after Stripe has refused to confirm it.

        A new decline is final. After any other refusal the charge is looked up, because an earlier
        request may have charged. Raises PaymentError(PROCESSOR_ERROR) if none has.
        """
        if refusal.type == "card_error" and not reply.is_replayed:
            return self._declined(request, refusal)
        found = await self._find(request.identity)
        if found.state is not ChargeState.OPEN:
            return found
        if refusal.param in _TOKEN_PARAMS:
            code = ErrorCode.INVALID_CARD
            return self._declined_charge(request, code, MESSAGES[code])
        raise refused("the card", refusal)

    def _declined(self, request: ChargeRequest, refusal: Refusal) -> Charge:
        intent = refusal.payment_intent
        if intent is None or intent.id != request.reference:
            raise self._client.unavailable("the decline is about another charge")
        if intent.status != "requires_payment_method":
            raise self._client.unavailable(f"the declined charge is {intent.status}")
        return self._declined_charge(request, *read_decline(refusal))

    def _declined_charge(self, request: ChargeRequest, code: ErrorCode, message: str) -> Charge:
        return Charge(
            key=request.key,
            state=ChargeState.DECLINED,
            reference=request.reference,
            transaction_id=request.reference,
            error_code=code,
            message=message,
            is_simulated=not self._reader.livemode,
        )


def _charge(intent: Intent, charge: ChargeIdentity, state: ChargeState) -> Charge:
    """A declined or voided charge has the reason why its last card was not charged."""
    failed_try = intent.last_payment_error if state in _NOT_CHARGED else None
    code, message = read_decline(failed_try) if failed_try else (None, None)
    return Charge(
        key=charge.key,
        state=state,
        reference=intent.id,
        transaction_id=intent.id,
        error_code=code,
        message=message,
        is_simulated=not intent.livemode,
    )


def _asking(action: CustomerAction | None) -> dict[str, str]:
    """The parameters for the case that the bank wants to authenticate the customer.

    Without `use_stripe_sdk`, Stripe.js would do that for a ConfirmationToken
    (https://docs.stripe.com/api/confirmation_tokens/object). We send the customer to an address.
    """
    if action is None:
        return {"error_on_requires_action": "true"}
    return {"return_url": action.return_url, "use_stripe_sdk": "false"}
