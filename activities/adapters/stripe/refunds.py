"""Refunds at Stripe. A refund has our key in its metadata, and is found in its payment's list.

https://docs.stripe.com/api/refunds. A refund may be pending, and may fail after it has succeeded.
"""

from collections.abc import AsyncIterator

from activities.adapters.stripe.client import Refusal, Reply, SpentKeyError, StripeClient
from activities.adapters.stripe.objects import MadeRefund, RefundPage
from activities.adapters.stripe.reading import AMOUNTS, StripeReader, refused
from domain.errors import ErrorCode, PaymentError
from domain.gateway import GatewayRefund, RefundRequest
from domain.money import Money

REFUNDS = "/v1/refunds"
MAX_PAGES = 20
"""The largest number of pages of 100 refunds that are read for one payment. Chosen, not
measured."""
NOT_FINAL = frozenset({"resource_missing", "balance_insufficient"})
"""The codes of refusals after which a refund may still be made: the API key belongs to another
account than the PaymentIntent, which operators correct, or the account has too little money."""


class StripeRefunds:
    """Every method may raise PaymentError(GATEWAY_UNAVAILABLE)."""

    def __init__(self, client: StripeClient, reader: StripeReader) -> None:
        self._client = client
        self._reader = reader

    async def make(self, request: RefundRequest) -> GatewayRefund:
        """Refund once. Returns the refund in its present state.

        The refund is looked up after the request, because a repeated response has its first state.
        Raises PaymentError if this request has no effect: PAYMENT_DISPUTED if the cardholder's
        bank has taken the money back, otherwise REFUND_REFUSED.
        """
        form = {
            "payment_intent": self._reader.reference(request.reference),
            "amount": str(_units(request.amount)),
            "metadata[key]": request.key,
            "metadata[charge_key]": request.charge_key,
        }
        reply = await self._post(form, request)
        if reply.refusal:
            raise self._refusal(reply.refusal)
        made = self._reader.refund(self._reader.read(reply.body, MadeRefund), request)
        body = await self._client.get(f"{REFUNDS}/{made.id}")
        present = self._reader.refund(self._reader.read(body, MadeRefund), request)
        if present.id != made.id:
            raise self._client.unavailable("the response is about another refund")
        return self._definite(present)

    async def find(self, request: RefundRequest) -> GatewayRefund | None:
        """The refund in its present state; None if the payment has none with this key."""
        refunds = self.of(self._reader.reference(request.reference))
        found = [each async for each in refunds if each.metadata.get("key") == request.key]
        if len(found) > 1:
            raise self._client.unavailable("there are two refunds with one key")
        return self._definite(self._reader.refund(found[0], request)) if found else None

    async def of(self, reference: str) -> AsyncIterator[MadeRefund]:
        """All refunds of a PaymentIntent, from the list: Stripe's search may be out of date."""
        query = {"payment_intent": reference, "limit": "100"}
        for _ in range(MAX_PAGES):
            body = await self._client.get(REFUNDS, **query)
            page = self._reader.read(body, RefundPage)
            for refund in page.data:
                if refund.payment_intent != reference:
                    raise self._client.unavailable("the list has another payment's refund")
                yield refund
            if not page.has_more or not page.data:
                return
            query["starting_after"] = page.data[-1].id
        raise self._client.unavailable(f"the list has more than {MAX_PAGES} pages")

    async def _post(self, form: dict[str, str], request: RefundRequest) -> Reply:
        """Post. Post again if the key is spent and this refunds the whole charge.

        The second request has no key. It is safe: Stripe refunds no more than was captured. If it
        is refused, the first one may have made the refund.
        """
        try:
            return await self._client.post(REFUNDS, form, request.key)
        except SpentKeyError:
            await self._reader.find_intent(request.whole_charge)  # raises if this is a part of it
        reply = await self._client.post(REFUNDS, form, None)
        if reply.refusal:
            raise self._client.unavailable(f"the refund waits: {reply.refusal.name}")
        return reply

    def _refusal(self, refusal: Refusal) -> PaymentError:
        if refusal.type != "invalid_request_error" or refusal.code in NOT_FINAL:
            return self._client.unavailable(f"the refund waits: {refusal.name}")
        is_disputed = refusal.code == "charge_disputed"
        code = ErrorCode.PAYMENT_DISPUTED if is_disputed else ErrorCode.REFUND_REFUSED
        return refused("the refund", refusal, code)

    def _definite(self, refund: MadeRefund) -> GatewayRefund:
        if refund.state is None:
            raise self._client.unavailable(f"the refund is {refund.status}")
        return GatewayRefund(state=refund.state, reference=refund.id)


def _units(amount: Money) -> int:
    """The amount in Stripe's minor unit. Raises PaymentError(REFUND_REFUSED) if there is none."""
    try:
        return AMOUNTS.minor_units(amount)
    except ValueError as error:
        raise PaymentError(ErrorCode.REFUND_REFUSED, f"The amount {error}.") from None
