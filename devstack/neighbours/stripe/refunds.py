"""How requests change refunds, and how the cardholder's bank changes disputes.

The functions have no side effects, as those of `machine`.

https://docs.stripe.com/refunds and https://docs.stripe.com/disputes/how-disputes-work.
"""

from typing import Any

from devstack.neighbours.stripe.checkout_records import (
    CHARGED_BACK,
    CLOSED,
    Dispute,
    DisputeStatus,
)
from devstack.neighbours.stripe.currencies import check_decimals
from devstack.neighbours.stripe.errors import StripeError
from devstack.neighbours.stripe.machine import Changes, new_id
from devstack.neighbours.stripe.params import RefundCreate
from devstack.neighbours.stripe.records import Charge, Refund, RefundStatus


def refund(charge: Charge | None, params: RefundCreate, status: RefundStatus, now: int) -> Changes:
    """Refund an amount, or the rest. `status` is the first status of the refund."""
    if charge is None or not charge.captured:
        message = "This PaymentIntent does not have a successful charge to refund."
        raise StripeError(400, message)
    if charge.charged_back:
        message = f"Charge {charge.id} has been charged back; cannot issue a refund."
        raise StripeError(400, message, code="charge_disputed")
    if not charge.refundable:
        message = f"Charge {charge.id} has already been refunded."
        raise StripeError(400, message, code="charge_already_refunded")
    amount = params.amount or charge.refundable
    if amount > charge.refundable:
        message = f"Refund amount ({amount}) is greater than unrefunded amount on charge "
        raise StripeError(400, f"{message}({charge.refundable})", param="amount")
    check_decimals(amount, charge.currency)
    made = Refund(
        id=new_id("re"),
        amount=amount,
        created=now,
        charge=charge.id,
        status=status,
        reason=params.reason,
        metadata=params.metadata,
        pending_reason="processing" if status == "pending" else None,
        failure_reason="unknown" if status == "failed" else None,
        **charge.model_dump(include={"currency", "payment_intent"}),
    )
    return Changes(charge=_with_refund(charge, amount if status != "failed" else 0), refund=made)


def end_refund(charge: Charge, refund: Refund, status: RefundStatus) -> Changes:
    """End a pending refund, or let a refund fail that has succeeded."""
    update: dict[str, Any] = {"status": status, "pending_reason": None}
    if status == "failed":
        update["failure_reason"] = "unknown"
        charge = _with_refund(charge, -refund.amount)
    return Changes(charge=charge, refund=refund.model_copy(update=update))


def dispute(charge: Charge, status: DisputeStatus, now: int) -> Changes:
    """The cardholder's bank disputes the whole charge, or asks about it (`warning_…`)."""
    made = Dispute(
        id=new_id("du"),
        created=now,
        charge=charge.id,
        status=status,
        **charge.model_dump(include={"amount", "currency", "payment_intent"}),
    )
    return Changes(charge=_disputed(charge, status), dispute=made)


def change_dispute(charge: Charge, disputed: Dispute, status: DisputeStatus) -> Changes:
    """The bank decides, or an inquiry becomes a chargeback.

    Raises StripeError (400) if the dispute is closed.
    """
    if disputed.status in CLOSED:
        raise StripeError(400, f"The dispute {disputed.id} is closed: {disputed.status}.")
    changed = disputed.model_copy(update={"status": status})
    return Changes(charge=_disputed(charge, status), dispute=changed)


def _disputed(charge: Charge, status: DisputeStatus) -> Charge:
    update = {"disputed": True, "charged_back": status in CHARGED_BACK}
    return charge.model_copy(update=update)


def _with_refund(charge: Charge, amount: int) -> Charge:
    return charge.model_copy(update={"amount_refunded": charge.amount_refunded + amount})
