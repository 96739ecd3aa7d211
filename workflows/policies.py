"""How each step is executed, how long it may take and how it is retried: the one table to tune.

A step is bounded twice: one try by `start_to_close`, all tries together by `schedule_to_close`.
Changing a row changes nothing but timing; it needs no new workflow version.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any, NamedTuple

from temporalio.common import RetryPolicy

from activities.charges import ChargeActivities
from activities.events import EventActivities
from activities.reconciliation import ReconciliationActivities
from activities.records import RecordActivities
from activities.refunds import RefundActivities
from activities.verification import VerificationActivities
from domain.errors import ErrorCode
from domain.names import TASK_QUEUE, TASK_QUEUE_EVENTS, TASK_QUEUE_GATEWAY, TASK_QUEUE_READS

QUEUES: Mapping[ErrorCode, str] = MappingProxyType(
    {
        ErrorCode.ORDERING_UNAVAILABLE: TASK_QUEUE_READS,
        ErrorCode.INVENTORY_UNAVAILABLE: TASK_QUEUE_READS,
        ErrorCode.GATEWAY_UNAVAILABLE: TASK_QUEUE_GATEWAY,
        ErrorCode.EVENTS_UNAVAILABLE: TASK_QUEUE_EVENTS,
        ErrorCode.DATABASE_UNAVAILABLE: TASK_QUEUE,
    }
)
"""By the system that a step waits for, its task queue. Each queue has a limit of its own
(`workflows/queues.py`): a system that hangs holds up no step that does not need it."""


@dataclass(frozen=True)
class StepPolicy:
    unavailable: ErrorCode
    """What a step is reported as when time runs out and its outcome is unknown."""
    start_to_close: timedelta
    schedule_to_close: timedelta
    retry: RetryPolicy
    heartbeat: timedelta | None = None
    local_first: bool = False
    """Try once inside the workflow task, which saves a round trip to the server; if that does
    not succeed, go on as a regular activity, whose tries operators can see."""

    @property
    def queue(self) -> str:
        return QUEUES[self.unavailable]


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _policy(
    unavailable: ErrorCode,
    *,
    one_try: float,
    in_all: float,
    pauses: tuple[float, float],
    heartbeat: float | None = None,
    local_first: bool = False,
) -> StepPolicy:
    """A policy in seconds; the pauses between tries grow from the first to the second of two."""
    initial, maximum = map(_seconds, pauses)
    return StepPolicy(
        unavailable=unavailable,
        start_to_close=_seconds(one_try),
        schedule_to_close=_seconds(in_all),
        retry=RetryPolicy(initial_interval=initial, maximum_interval=maximum),
        heartbeat=_seconds(heartbeat) if heartbeat else None,
        local_first=local_first,
    )


STEPS: Mapping[Callable[..., Any], StepPolicy] = MappingProxyType(
    {
        VerificationActivities.fetch_order: _policy(
            ErrorCode.ORDERING_UNAVAILABLE, one_try=3, in_all=20, pauses=(0.1, 2), local_first=True
        ),
        VerificationActivities.fetch_reservation: _policy(
            ErrorCode.INVENTORY_UNAVAILABLE, one_try=3, in_all=20, pauses=(0.1, 2), local_first=True
        ),
        RecordActivities.find_payment: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=10, in_all=600, pauses=(0.1, 10)
        ),
        RecordActivities.record_pending: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=10, in_all=60, pauses=(0.1, 5), local_first=True
        ),
        ChargeActivities.charge: _policy(
            ErrorCode.GATEWAY_UNAVAILABLE, one_try=20, in_all=300, pauses=(0.2, 5), heartbeat=5
        ),
        ChargeActivities.find_charge: _policy(
            ErrorCode.GATEWAY_UNAVAILABLE, one_try=10, in_all=600, pauses=(0.5, 30)
        ),
        ChargeActivities.resolve_charge: _policy(
            ErrorCode.GATEWAY_UNAVAILABLE, one_try=10, in_all=600, pauses=(0.5, 30)
        ),
        RecordActivities.record_succeeded: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=6, in_all=12, pauses=(0.1, 5)
        ),
        RecordActivities.begin_event: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=10, in_all=600, pauses=(0.1, 10)
        ),
        RecordActivities.record_compensation: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=15, in_all=600, pauses=(0.1, 10)
        ),
        RecordActivities.withdraw_event: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=10, in_all=600, pauses=(0.1, 10)
        ),
        EventActivities.publish_event: _policy(
            ErrorCode.EVENTS_UNAVAILABLE, one_try=20, in_all=600, pauses=(1, 30)
        ),
        ChargeActivities.refund_charge: _policy(
            ErrorCode.GATEWAY_UNAVAILABLE, one_try=20, in_all=600, pauses=(0.5, 30)
        ),
        RecordActivities.record_failed: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=10, in_all=600, pauses=(0.1, 10)
        ),
        RefundActivities.record_refund: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=10, in_all=60, pauses=(0.1, 5), local_first=True
        ),
        RefundActivities.make_refund: _policy(
            ErrorCode.GATEWAY_UNAVAILABLE, one_try=40, in_all=600, pauses=(0.5, 30)
        ),
        RefundActivities.record_refund_ended: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=10, in_all=600, pauses=(0.1, 10)
        ),
        RefundActivities.publish_refund: _policy(
            ErrorCode.EVENTS_UNAVAILABLE, one_try=20, in_all=600, pauses=(1, 30)
        ),
        # In all enough for 100,000 starts at 28 a second; a slow server does 70 to 200.
        ReconciliationActivities.resume_payments: _policy(
            ErrorCode.DATABASE_UNAVAILABLE, one_try=540, in_all=3600, pauses=(1, 60), heartbeat=30
        ),
    }
)

LOCAL_TRY = _seconds(2)
"""How long a `local_first` step may hold up the workflow task."""

CHARGE_TIME = _seconds(20)
"""How long a reservation must still hold when a charge begins."""

CHARGE_BUDGET = STEPS[ChargeActivities.charge].schedule_to_close
"""How long a charge is tried; after that the gateway is only asked what became of it."""

CHARGEABLE_FOR = timedelta(hours=23)
"""How long after its request a payment may be charged. Gateways know a charge's key for a day:
sent later, it would charge a second time."""

VERIFIED_FOR = _seconds(2)
"""How long an order counts as verified: longer than a usual charge takes, so that a quick payment
reads its order once, and shorter than a customer needs to change it. Chosen, not measured."""


class Pauses(NamedTuple):
    """Between the rounds of a step: the first pause is doubled each time, up to the longest."""

    first: timedelta
    longest: timedelta


PAUSES = Pauses(_seconds(60), _seconds(3600))
"""For steps that are retried until they succeed. Chosen, not measured."""

PAUSES_OF_A_CHECK = Pauses(_seconds(60), _seconds(600))
"""For requests to Ordering and Inventory after a capture. In a day they add some 2,000 events to
the history, which may have 51,200."""

RECORDING_PAUSES = Pauses(_seconds(5), _seconds(60))
"""For recording a success. The order is verified again after each pause. Chosen, not measured."""

RECORDING_TIME = _seconds(600)
"""How long recording a success is retried; after that, the capture is refunded. Longer than a
failover of PostgreSQL takes. Chosen, not measured."""
