"""Names and ids that other processes know too. They must never change: a test compares them."""

from typing import Final
from uuid import NAMESPACE_URL, UUID, uuid5

TASK_QUEUE: Final = "payments"
TASK_QUEUE_READS: Final = "payments-reads"
TASK_QUEUE_GATEWAY: Final = "payments-gateway"
TASK_QUEUE_EVENTS: Final = "payments-events"
TASK_QUEUE_RECORDS: Final = "payments-records"
RECONCILIATION: Final = "payment-reconciliation"
DATABASE_SCHEMA: Final = "bc_payment"
TOPIC_SUCCEEDED: Final = "payment-succeeded"
TOPIC_FAILED: Final = "payment-failed"
TOPIC_REFUNDED: Final = "payment-refunded"
TOPICS: Final = (TOPIC_SUCCEEDED, TOPIC_FAILED, TOPIC_REFUNDED)
MEMO_FINGERPRINT: Final = "fingerprint"
MEMO_PAYMENT_ID: Final = "paymentId"

_EVENT_NAMESPACE = uuid5(NAMESPACE_URL, "urn:payment-service:event")
_REFUND_NAMESPACE = uuid5(NAMESPACE_URL, "urn:payment-service:refund")


def workflow_id(order_id: UUID) -> str:
    return f"payment-{order_id}"


def refund_workflow_id(refund_id: UUID) -> str:
    return f"refund-{refund_id}"


def refund_id(payment_id: UUID, key: str) -> UUID:
    """The id of a refund: the same for the same payment and the same idempotency key."""
    return uuid5(_REFUND_NAMESPACE, f"{payment_id}/{key}")


def charge_key(payment_id: UUID) -> str:
    """The idempotency key that we send to the gateway for a payment's only charge."""
    return f"pay_{payment_id}_charge"


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
