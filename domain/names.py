"""Names and ids that other processes know too. They must never change: a test compares them."""

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

TASK_QUEUE: Final = "payments"
TASK_QUEUE_READS: Final = "payments-reads"
TASK_QUEUE_GATEWAY: Final = "payments-gateway"
TASK_QUEUE_EVENTS: Final = "payments-events"
TASK_QUEUE_RECORDS: Final = "payments-records"
PAYMENT_WORKFLOW: Final = "PaymentWorkflow"
REFUND_WORKFLOW: Final = "RefundWorkflow"
REFUND_WATCH: Final = "RefundWatch"
DISPUTE_WATCH: Final = "DisputeWatch"
STRAY_ATTEMPT_WORKFLOW: Final = "StrayAttemptWorkflow"
RECONCILIATION: Final = "payment-reconciliation"
DATABASE_SCHEMA: Final = "bc_payment"
TOPIC_SUCCEEDED: Final = "payment-succeeded"
TOPIC_FAILED: Final = "payment-failed"
TOPIC_REFUNDED: Final = "payment-refunded"
TOPICS: Final = (TOPIC_SUCCEEDED, TOPIC_FAILED, TOPIC_REFUNDED)
SIGNAL_LOOK_AGAIN: Final = "look_again"
"""Tells a workflow that something has changed at the gateway, which it then reads. The signal has
no argument. Temporal accepts a signal that a workflow does not know, and drops it."""
MEMO_FINGERPRINT: Final = "fingerprint"
MEMO_PAYMENT_ID: Final = "paymentId"

_EVENT_NAMESPACE = uuid5(NAMESPACE_URL, "urn:payment-service:event")
_REFUND_NAMESPACE = uuid5(NAMESPACE_URL, "urn:payment-service:refund")


def workflow_id(order_id: UUID) -> str:
    return f"payment-{order_id}"


def refund_workflow_id(refund_id: UUID) -> str:
    return f"refund-{refund_id}"


def refund_watch_id(refund_id: UUID) -> str:
    """The id of the workflow that checks whether a refund fails after it has succeeded."""
    return f"watched-refund-{refund_id}"


def stray_attempt_id(reference: str) -> str:
    """The id of the workflow that undoes an attempt which an ended payment does not count.

    `reference` is the gateway's id of the attempt.
    """
    return f"stray-attempt-{reference}"


def dispute_watch_id(reference: str) -> str:
    """The id of the workflow that shows operators a dispute. `reference` is the gateway's id."""
    return f"dispute-{reference}"


def refund_id(payment_id: UUID, key: str) -> UUID:
    """The id of a refund: the same for the same payment and the same idempotency key."""
    return uuid5(_REFUND_NAMESPACE, f"{payment_id}/{key}")


def charge_key(payment_id: UUID) -> str:
    """The idempotency key that we send to the gateway for a payment's only charge."""
    return f"pay_{payment_id}_charge"


def open_key(payment_id: UUID) -> str:
    """The idempotency key for opening a payment's attempt, at a gateway that opens."""
    return f"pay_{payment_id}_open"


def capture_key(payment_id: UUID) -> str:
    """The idempotency key for capturing a payment's attempt, at a gateway that opens."""
    return f"pay_{payment_id}_capture"


def refund_key(payment_id: UUID) -> str:
    """The idempotency key that we send to the gateway for the refund of a compensation."""
    return f"pay_{payment_id}_refund"


def requested_refund_key(payment_id: UUID, refund_id: UUID) -> str:
    """The idempotency key that we send to the gateway for a refund that a caller requested."""
    return f"pay_{payment_id}_refund_{refund_id}"


def event_id(subject: UUID, topic: str) -> UUID:
    """The id of an event. Each payment or refund (`subject`) has at most one event per topic."""
    return uuid5(_EVENT_NAMESPACE, f"{subject}/{topic}")


def order_of(workflow_id: str) -> UUID | None:
    """The order whose payment has this workflow id; None if the id is not one of ours."""
    return _id_between("payment-", workflow_id, "")


def refund_of(workflow_id: str) -> UUID | None:
    """The refund that has this workflow id; None if the id is not one of ours."""
    return _id_between("refund-", workflow_id, "")


def payment_of(charge_key: str) -> UUID | None:
    """The payment whose charge has this key; None if the key is not one of ours."""
    return _id_between("pay_", charge_key, "_charge")


def undone_payment_of(refund_key: str) -> UUID | None:
    """The payment whose compensation made the refund with this key; None if it is not one of ours.

    The inverse of `refund_key`.
    """
    return _id_between("pay_", refund_key, "_refund")


def requested_refund_of(requested_refund_key: str) -> UUID | None:
    """The refund that a caller requested under this key; None if the key is not one of ours."""
    payment, _, refund = requested_refund_key.removeprefix("pay_").partition("_refund_")
    payment_id, refund_id = parsed_id(payment), parsed_id(refund)
    if payment_id is None or refund_id is None:
        return None
    is_ours = requested_refund_key == f"pay_{payment_id}_refund_{refund_id}"
    return refund_id if is_ours else None


def parsed_id(text: str) -> UUID | None:
    """The UUID in `text`; None if `text` is not a UUID as `str(UUID)` writes it."""
    return _id_between("", text, "")


def _id_between(prefix: str, name: str, suffix: str) -> UUID | None:
    text = name.removeprefix(prefix).removesuffix(suffix)
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if f"{prefix}{found}{suffix}" == name else None
