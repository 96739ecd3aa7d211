"""The common part of opening PaymentIntents and Checkout Sessions."""

from collections.abc import Mapping
from typing import Any

from activities.adapters.stripe.client import SpentKeyError, StripeClient
from activities.adapters.stripe.reading import AMOUNTS, refused
from domain.errors import ErrorCode, PaymentError
from domain.gateway import ChargeRequest
from domain.gateways import AmountTooLargeError
from domain.money import Money


async def open_at(client: StripeClient, path: str, form: Mapping[str, str], key: str) -> Any:
    """Open an object. Returns it. If the key is spent, the request is sent again without a key.

    That is safe, because opening moves no money. Raises PaymentError: AMOUNT_TOO_LARGE or
    PROCESSOR_ERROR if Stripe refuses.
    """
    try:
        reply = await client.post(path, form, key)
    except SpentKeyError:
        reply = await client.post(path, form, None)
    if reply.refusal:
        is_too_large = reply.refusal.code == "amount_too_large"
        code = ErrorCode.AMOUNT_TOO_LARGE if is_too_large else ErrorCode.PROCESSOR_ERROR
        raise refused("the payment", reply.refusal, code)
    return reply.body


def metadata(member: str, request: ChargeRequest) -> dict[str, str]:
    """The parameters that set the metadata of the new object. `member` is the name before them."""
    return {
        f"{member}[payment_id]": str(request.payment_id),
        f"{member}[order_id]": str(request.order_id),
        f"{member}[key]": request.key,
    }


def units(amount: Money) -> int:
    """The amount in Stripe's minor unit.

    Raises PaymentError: AMOUNT_TOO_LARGE, or PROCESSOR_ERROR if Stripe does not take such amounts.
    """
    try:
        return AMOUNTS.minor_units(amount)
    except AmountTooLargeError as error:
        raise PaymentError(ErrorCode.AMOUNT_TOO_LARGE, f"The amount {error}.") from None
    except ValueError as error:
        raise PaymentError(ErrorCode.PROCESSOR_ERROR, f"The amount {error}.") from None
