"""One row for each step: what operators see, how long it may take, and how it is retried.

Two limits hold: one try takes at most `start_to_close`, all tries together `schedule_to_close`.
Running payments accept a changed row, unless `local_first` changes: that needs a new workflow
version.
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
from domain.names import TASK_QUEUE, TASK_QUEUE_EVENTS, TASK_QUEUE_READS, TASK_QUEUE_RECORDS

QUEUES: Mapping[ErrorCode, str] = MappingProxyType(
    {
        ErrorCode.ORDERING_UNAVAILABLE: TASK_QUEUE_READS,
        ErrorCode.INVENTORY_UNAVAILABLE: TASK_QUEUE_READS,
        ErrorCode.GATEWAY_UNAVAILABLE: TASK_QUEUE,
        ErrorCode.EVENTS_UNAVAILABLE: TASK_QUEUE_EVENTS,
        ErrorCode.DATABASE_UNAVAILABLE: TASK_QUEUE_RECORDS,
    }
)
"""The task queue of a step, by the system that the step waits for. Each queue has its own limit
(`workflows/queues.py`): a system that hangs delays no step that does not need it.

The gateway's steps are on the queue of the workflows: Temporal gives a step of that queue to the
worker with the response to its workflow task, if the server allows that (eager execution). Every
payment has such a step, the charge. The others are usually tried inside the workflow task."""


@dataclass(frozen=True)
class StepPolicy:
    """A step; `title` and `summary` are templates, in which `{0}` is the activity's argument."""

    title: str
    """Its row in the workflow's details, which the Web UI shows."""
    summary: str
    """Its line in the workflow's history, which the Web UI shows."""
    unavailable: ErrorCode
    """The error of a step whose time is over and whose outcome is unknown."""
    start_to_close: timedelta
    """Time limit of one try."""
    schedule_to_close: timedelta
    """Time limit of all tries together."""
    retry: RetryPolicy
    heartbeat: timedelta | None = None
    """Longest time between two heartbeats of a try; None for short steps, which send none."""
    local_first: bool = False
    """Try once inside the workflow task, which saves a round trip to the server. If that fails, go
    on as a regular activity, whose tries operators can see."""

    @property
    def queue(self) -> str:
        return QUEUES[self.unavailable]


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _policy(  # noqa: PLR0913 (each is a column of the table)
    title: str,
    summary: str,
    unavailable: ErrorCode,
    *,
    one_try: float,
    in_all: float,
    pauses: tuple[float, float],
    heartbeat: float | None = None,
    local_first: bool = False,
) -> StepPolicy:
    """A policy; times are in seconds. Each pause is twice the one before, within `pauses`."""
    initial, maximum = map(_seconds, pauses)
    return StepPolicy(
        title=title,
        summary=summary,
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
            "fetch order",
            "fetch the order from Ordering",
            ErrorCode.ORDERING_UNAVAILABLE,
            one_try=3,
            in_all=20,
            pauses=(0.1, 2),
            local_first=True,
        ),
        VerificationActivities.fetch_reservation: _policy(
            "verify reservation",
            "fetch the reservation from Inventory",
            ErrorCode.INVENTORY_UNAVAILABLE,
            one_try=3,
            in_all=20,
            pauses=(0.1, 2),
            local_first=True,
        ),
        RecordActivities.find_payment: _policy(
            "find payment",
            "read how the payment is recorded",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.1, 10),
        ),
        RecordActivities.record_pending: _policy(
            "record pending",
            "claim the order for this payment",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=60,
            pauses=(0.1, 5),
            local_first=True,
        ),
        ChargeActivities.charge: _policy(
            "charge",
            "charge {0.amount}",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=20,
            in_all=300,
            pauses=(0.2, 5),
            heartbeat=5,
        ),
        ChargeActivities.find_charge: _policy(
            "find charge",
            "look up what an earlier run has charged",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.5, 30),
        ),
        ChargeActivities.resolve_charge: _policy(
            "resolve charge",
            "find out what became of the charge",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.5, 30),
        ),
        RecordActivities.record_succeeded: _policy(
            "record succeeded",
            "record the success",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=6,
            in_all=12,
            pauses=(0.1, 5),
        ),
        RecordActivities.begin_event: _policy(
            "begin event",
            "record that the success stands",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.1, 10),
        ),
        RecordActivities.record_compensation: _policy(
            "record compensation",
            "record that the payment is being undone",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=15,
            in_all=600,
            pauses=(0.1, 10),
        ),
        RecordActivities.withdraw_event: _policy(
            "withdraw event",
            "record that the failure is not published",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.1, 10),
        ),
        EventActivities.publish_event: _policy(
            "publish {0.topic}",
            "publish {0.topic}",
            ErrorCode.EVENTS_UNAVAILABLE,
            one_try=20,
            in_all=600,
            pauses=(1, 30),
        ),
        ChargeActivities.refund_charge: _policy(
            "refund",
            "refund {0.amount}",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=20,
            in_all=600,
            pauses=(0.5, 30),
        ),
        RecordActivities.record_failed: _policy(
            "record failed",
            "record the failure",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.1, 10),
        ),
        RefundActivities.record_refund: _policy(
            "record pending",
            "set the amount aside",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=60,
            pauses=(0.1, 5),
            local_first=True,
        ),
        RefundActivities.make_refund: _policy(
            "refund",
            "refund {0.amount}",
            ErrorCode.GATEWAY_UNAVAILABLE,
            one_try=40,
            in_all=600,
            pauses=(0.5, 30),
        ),
        RefundActivities.record_refund_ended: _policy(
            "record {0.status}",
            "record that it has {0.status}",
            ErrorCode.DATABASE_UNAVAILABLE,
            one_try=10,
            in_all=600,
            pauses=(0.1, 10),
        ),
        RefundActivities.publish_refund: _policy(
            "publish {0.topic}",
            "publish {0.topic}",
            ErrorCode.EVENTS_UNAVAILABLE,
            one_try=20,
            in_all=600,
            pauses=(1, 30),
        ),
        # `in_all` is enough for 100,000 starts at 28 per second. A slow server does 70 to 200.
        ReconciliationActivities.resume_payments: _policy(
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

LOCAL_TRY = _seconds(2)
"""Time limit of a local try, which keeps the workflow task open. A task may take 10 s."""

CHARGE_TIME = _seconds(20)
"""How long a reservation must still hold when a charge begins: as long as one try may take."""

CHARGE_BUDGET = STEPS[ChargeActivities.charge].schedule_to_close
"""Time limit of all tries of a charge. After that the charge is resolved, not sent again."""

CHARGEABLE_FOR = timedelta(hours=23)
"""How long after its request a payment may be charged. Gateways know a charge's key for a day:
sent later, it would charge a second time."""

VERIFIED_FOR = _seconds(2)
"""How long an order counts as verified: longer than a usual charge takes, so that a quick payment
reads its order once, and shorter than a customer needs to change it. Chosen, not measured."""


class Pauses(NamedTuple):
    """The pauses between the rounds of a step. Each is twice the one before, up to the longest."""

    first: timedelta
    longest: timedelta


PAUSES = Pauses(_seconds(60), _seconds(3600))
"""For steps that are retried until they succeed. Chosen, not measured."""

CHECK_PAUSES = Pauses(_seconds(60), _seconds(600))
"""For requests to Ordering and Inventory after a capture. In a day they add some 2,000 events to
the history, which may have 51,200."""

RECORDING_PAUSES = Pauses(_seconds(5), _seconds(60))
"""For recording a success. The order is verified again after each pause. Chosen, not measured."""

RECORDING_TIME = _seconds(600)
"""How long recording a success is retried; after that, the capture is refunded. Longer than a
failover of PostgreSQL takes. Chosen, not measured."""
