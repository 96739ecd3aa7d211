"""Names that other processes store. Changing one loses running payments."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import pytest
from temporalio import workflow
from temporalio.common import SearchAttributeKey

from domain import names
from tests.support.builders import an_instruction
from workflows import operator_view
from workflows.dispute_watch import DisputeWatch
from workflows.payment import PaymentWorkflow
from workflows.refund import RefundWorkflow
from workflows.refund_watch import RefundWatch
from workflows.stray_attempt import StrayAttemptWorkflow

ID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")


@pytest.mark.parametrize(
    ("name", "pinned"),
    [
        (names.TASK_QUEUE, "payments"),
        (names.TASK_QUEUE_READS, "payments-reads"),
        (names.TASK_QUEUE_GATEWAY, "payments-gateway"),
        (names.TASK_QUEUE_EVENTS, "payments-events"),
        (names.TASK_QUEUE_RECORDS, "payments-records"),
        (names.DATABASE_SCHEMA, "bc_payment"),
        (names.TOPIC_SUCCEEDED, "payment-succeeded"),
        (names.TOPIC_FAILED, "payment-failed"),
        (names.RECONCILIATION, "payment-reconciliation"),
        (names.SIGNAL_LOOK_AGAIN, "look_again"),
        (names.stray_attempt_id("pi_1"), "stray-attempt-pi_1"),
        (names.dispute_watch_id("du_1"), "dispute-du_1"),
        (names.MEMO_FINGERPRINT, "fingerprint"),
        (names.MEMO_PAYMENT_ID, "paymentId"),
        (names.workflow_id(ID), "payment-0f8fad5b-d9cb-469f-a165-70867728950e"),
        (names.charge_key(ID), "pay_0f8fad5b-d9cb-469f-a165-70867728950e_charge"),
        (names.open_key(ID), "pay_0f8fad5b-d9cb-469f-a165-70867728950e_open"),
        (names.capture_key(ID), "pay_0f8fad5b-d9cb-469f-a165-70867728950e_capture"),
        (names.TOPIC_REFUNDED, "payment-refunded"),
        (names.refund_workflow_id(ID), "refund-0f8fad5b-d9cb-469f-a165-70867728950e"),
        (names.refund_watch_id(ID), "watched-refund-0f8fad5b-d9cb-469f-a165-70867728950e"),
        (str(names.refund_id(ID, "key")), "f9a488a2-26b2-5dc5-8a57-daa6e490642a"),
        (
            names.requested_refund_key(ID, UUID(int=1)),
            "pay_0f8fad5b-d9cb-469f-a165-70867728950e_refund_00000000-0000-0000-0000-000000000001",
        ),
        (str(names.event_id(ID, "payment-refunded")), "13816828-8b96-53b6-965a-b2ce3a8ac233"),
        (names.refund_key(ID), "pay_0f8fad5b-d9cb-469f-a165-70867728950e_refund"),
        (
            str(names.event_id(ID, "payment-succeeded")),
            "d357c793-79cc-5e94-9690-ae14e2c54250",
        ),
        (str(names.event_id(ID, "payment-failed")), "86879735-be9a-5eea-924d-a894fd18e928"),
        (names.PAYMENT_WORKFLOW, "PaymentWorkflow"),
        (names.REFUND_WORKFLOW, "RefundWorkflow"),
        (names.REFUND_WATCH, "RefundWatch"),
        (names.STRAY_ATTEMPT_WORKFLOW, "StrayAttemptWorkflow"),
        (names.DISPUTE_WATCH, "DisputeWatch"),
    ],
)
def test_names_are_kept_for_ever(name: str, pinned: str) -> None:
    assert name == pinned


@pytest.mark.parametrize(
    ("name", "started"),
    [
        (names.PAYMENT_WORKFLOW, PaymentWorkflow),
        (names.REFUND_WORKFLOW, RefundWorkflow),
        (names.REFUND_WATCH, RefundWatch),
        (names.STRAY_ATTEMPT_WORKFLOW, StrayAttemptWorkflow),
        (names.DISPUTE_WATCH, DisputeWatch),
    ],
)
def test_a_workflow_is_started_by_its_name(name: str, started: type) -> None:
    assert workflow._Definition.must_from_class(started).name == name


def test_search_attributes_are_kept_for_ever() -> None:
    assert set(operator_view.SEARCH_ATTRIBUTES) == {
        SearchAttributeKey.for_keyword("OrderId"),
        SearchAttributeKey.for_keyword("CustomerId"),
        SearchAttributeKey.for_keyword("PaymentStatus"),
        SearchAttributeKey.for_keyword("PaymentFailureCode"),
        SearchAttributeKey.for_bool("PaymentNeedsAttention"),
    }


def test_a_payment_starts_with_what_operators_look_for() -> None:
    instruction = an_instruction(order_id=UUID(int=1), customer_id=UUID(int=2))
    found = {pair.key.name: pair.value for pair in operator_view.search_attributes(instruction)}

    assert found == {
        "OrderId": "00000000-0000-0000-0000-000000000001",
        "CustomerId": "00000000-0000-0000-0000-000000000002",
        "PaymentStatus": "pending",
    }
    assert operator_view.summary(instruction) == (
        "150.00 USD · order 00000000-0000-0000-0000-000000000001 · credit_card"
    )


@pytest.mark.parametrize(
    ("read", "make"),
    [
        (names.order_of, names.workflow_id),
        (names.refund_of, names.refund_workflow_id),
        (names.payment_of, names.charge_key),
        (names.undone_payment_of, names.refund_key),
        (names.requested_refund_of, partial(names.requested_refund_key, UUID(int=3))),
    ],
)
def test_an_id_is_read_from_its_name_and_from_no_other(
    read: Callable[[str], UUID | None], make: Callable[[UUID], str]
) -> None:
    assert read(make(ID)) == ID
    others = {names.workflow_id(ID), names.refund_workflow_id(ID), names.charge_key(ID)}
    others |= {names.refund_key(ID), names.requested_refund_key(UUID(int=3), ID)}
    for other in (*(others - {make(ID)}), str(ID), make(ID).upper(), f"{make(ID)}x", ""):
        assert read(other) is None
