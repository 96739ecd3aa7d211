"""One row for each step: what operators see, how long it may take, and how it is retried.

Two limits hold: one try takes at most `start_to_close`, all tries together `schedule_to_close`.
Running payments accept a changed row, unless `local_first` changes: that needs a new workflow
version.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from temporalio.common import RetryPolicy

from activities.charges import ChargeActivities
from activities.disputes import DisputeActivities
from activities.events import EventActivities
from activities.reconciliation import ReconciliationActivities
from activities.records import RecordActivities
from activities.refunds import RefundActivities
from activities.verification import VerificationActivities
from domain.errors import ErrorCode
from domain.names import TASK_QUEUE_GATEWAY
from workflows.step_policy import StepPolicy, policy, record

LOCAL_TRY = timedelta(seconds=2)
"""Time limit of a local try, which keeps the workflow task open. A task may take 10 s."""

STEPS: Mapping[Callable[..., Any], StepPolicy] = MappingProxyType(
    {
        VerificationActivities.fetch_order: policy(
            "fetch order",
            "fetch the order from Ordering",
            ErrorCode.ORDERING_UNAVAILABLE,
            one_try=3,
            in_all=20,
            pauses=(0.1, 2),
            local_first=True,
        ),
        VerificationActivities.fetch_reservation: policy(
            "verify reservation",
            "fetch the reservation from Inventory",
            ErrorCode.INVENTORY_UNAVAILABLE,
            one_try=3,
            in_all=20,
            pauses=(0.1, 2),
            local_first=True,
        ),
        RecordActivities.find_payment: record("find payment", "read how the payment is recorded"),
        RecordActivities.record_pending: policy(
            "record pending",
            "claim the order for this payment",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=60,
            pauses=(0.1, 5),
            local_first=True,
        ),
        ChargeActivities.charge: policy(
            "charge",
            "charge {0.amount}",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=20,
            in_all=300,
            pauses=(0.2, 5),
            heartbeat=5,
        ),
        ChargeActivities.open_charge: policy(
            "open charge",
            "open an attempt of {0.amount}; nothing is charged yet",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=20,
            in_all=300,
            pauses=(0.2, 5),
        ),
        RecordActivities.record_reference: policy(
            "record reference",
            "record the gateway's id of the attempt",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=15,
            in_all=60,
            pauses=(0.1, 5),
            local_first=True,
        ),
        RecordActivities.record_wait: policy(
            "record wait",
            "record that the customer has time until {0.wait.until:%Y-%m-%d %H:%M:%S} UTC",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=15,
            in_all=60,
            pauses=(0.1, 5),
            local_first=True,
        ),
        ChargeActivities.authorize_charge: policy(
            "authorize",
            "authorize {0.amount}",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=40,
            in_all=300,
            pauses=(0.2, 5),
            heartbeat=5,
        ),
        ChargeActivities.capture_charge: policy(
            "capture",
            "capture {0.amount}",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=40,
            in_all=300,
            pauses=(0.2, 5),
            heartbeat=5,
        ),
        ChargeActivities.find_charge: policy(
            "find charge",
            "look up what an earlier run has charged",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.5, 30),
        ),
        ChargeActivities.look_at_charge: policy(
            "look at the attempt",
            "look whether the customer has acted",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=10,
            in_all=30,
            pauses=(0.5, 30),
            queue=TASK_QUEUE_GATEWAY,
        ),
        ChargeActivities.resolve_charge: policy(
            "resolve charge",
            "find out what became of the charge",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.5, 30),
        ),
        EventActivities.record_and_publish: StepPolicy(
            "record and publish",
            "record the success and publish it",
            ErrorCode.EVENTS_UNAVAILABLE,
            start_to_close=LOCAL_TRY,
            schedule_to_close=LOCAL_TRY,
            retry=RetryPolicy(maximum_attempts=1),
            local_first=True,
        ),
        RecordActivities.record_succeeded: policy(
            "record succeeded",
            "record the success",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=6,
            in_all=12,
            pauses=(0.1, 5),
        ),
        RecordActivities.begin_event: record("begin event", "record that the success stands"),
        RecordActivities.record_compensation: record(
            "record compensation", "record that the payment is being undone", one_try=15
        ),
        RecordActivities.withdraw_event: record(
            "withdraw event", "record that the failure is not published"
        ),
        EventActivities.publish_event: policy(
            "publish {0.topic}",
            "publish {0.topic}",
            ErrorCode.EVENTS_UNAVAILABLE,
            one_try=20,
            in_all=600,
            pauses=(1, 30),
        ),
        ChargeActivities.refund_charge: policy(
            "refund",
            "refund {0.amount}",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=20,
            in_all=600,
            pauses=(0.5, 30),
        ),
        RecordActivities.record_failed: record("record failed", "record the failure"),
        RefundActivities.record_refund: policy(
            "record pending",
            "set the amount aside",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=60,
            pauses=(0.1, 5),
            local_first=True,
        ),
        RefundActivities.make_refund: policy(
            "refund",
            "refund {0.amount}",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=40,
            in_all=600,
            pauses=(0.5, 30),
        ),
        RefundActivities.record_refund_ended: record(
            "record {0.status}", "record that it has {0.status}"
        ),
        RefundActivities.record_refund_reference: record(
            "record reference", "record the gateway's id of the refund"
        ),
        RefundActivities.find_refund: policy(
            "look at the refund",
            "look whether the refund has failed since",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=80,
            in_all=600,
            pauses=(0.5, 30),
        ),
        RefundActivities.record_refund_failed_later: record(
            "record the failure", "record that the refund has failed since"
        ),
        RefundActivities.publish_refund: policy(
            "publish {0.topic}",
            "publish {0.topic}",
            ErrorCode.EVENTS_UNAVAILABLE,
            one_try=20,
            in_all=600,
            pauses=(1, 30),
        ),
        DisputeActivities.find_dispute: policy(
            "look at the dispute",
            "look how the dispute stands",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=80,
            in_all=600,
            pauses=(0.5, 30),
        ),
        # `in_all` is enough for 100,000 starts at 28 per second. A slow server does 70 to 200.
        ReconciliationActivities.resume_payments: policy(
            "resume payments",
            "start workflows that were lost",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=540,
            in_all=3600,
            pauses=(1, 60),
            heartbeat=30,
        ),
    }
)

LOOK_TIME = STEPS[ChargeActivities.look_at_charge].schedule_to_close
"""Time limit of all tries of one look. Meanwhile a payment that waits for its customer notices
neither a signal nor a cancellation. Chosen, not measured."""

CHARGE_BUDGET = STEPS[ChargeActivities.charge].schedule_to_close
"""Time limit of all tries of a charge. After that the charge is resolved, not sent again."""
