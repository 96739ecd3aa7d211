"""How each step is executed, how long it may take and how it is retried: the one table to tune.

A step is bounded twice: one try by `start_to_close`, all tries together by `schedule_to_close`.
Changing a row changes nothing but timing; it needs no new workflow version.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from types import MappingProxyType
from typing import Any

from temporalio.common import RetryPolicy

from activities.charges import ChargeActivities
from activities.events import EventActivities
from activities.records import RecordActivities
from activities.verification import VerificationActivities
from domain.errors import ErrorCode


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


def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _retry(initial: float, maximum: float) -> RetryPolicy:
    return RetryPolicy(initial_interval=_seconds(initial), maximum_interval=_seconds(maximum))


STEPS: Mapping[Callable[..., Any], StepPolicy] = MappingProxyType(
    {
        VerificationActivities.fetch_order: StepPolicy(
            unavailable=ErrorCode.ORDERING_UNAVAILABLE,
            start_to_close=_seconds(3),
            schedule_to_close=_seconds(20),
            retry=_retry(initial=0.1, maximum=2),
            local_first=True,
        ),
        VerificationActivities.fetch_reservation: StepPolicy(
            unavailable=ErrorCode.INVENTORY_UNAVAILABLE,
            start_to_close=_seconds(3),
            schedule_to_close=_seconds(20),
            retry=_retry(initial=0.1, maximum=2),
            local_first=True,
        ),
        RecordActivities.record_pending: StepPolicy(
            unavailable=ErrorCode.DATABASE_UNAVAILABLE,
            start_to_close=_seconds(5),
            schedule_to_close=_seconds(60),
            retry=_retry(initial=0.1, maximum=5),
            local_first=True,
        ),
        ChargeActivities.charge: StepPolicy(
            unavailable=ErrorCode.GATEWAY_UNAVAILABLE,
            start_to_close=_seconds(10),
            schedule_to_close=_seconds(300),
            retry=_retry(initial=0.2, maximum=5),
            heartbeat=_seconds(5),
        ),
        ChargeActivities.settle_charge: StepPolicy(
            unavailable=ErrorCode.GATEWAY_UNAVAILABLE,
            start_to_close=_seconds(10),
            schedule_to_close=_seconds(600),
            retry=_retry(initial=0.5, maximum=30),
        ),
        RecordActivities.record_succeeded: StepPolicy(
            unavailable=ErrorCode.DATABASE_UNAVAILABLE,
            start_to_close=_seconds(5),
            schedule_to_close=_seconds(600),
            retry=_retry(initial=0.1, maximum=10),
        ),
        EventActivities.publish_event: StepPolicy(
            unavailable=ErrorCode.EVENTS_UNAVAILABLE,
            start_to_close=_seconds(15),
            schedule_to_close=_seconds(600),
            retry=_retry(initial=0.2, maximum=30),
        ),
        ChargeActivities.refund_charge: StepPolicy(
            unavailable=ErrorCode.GATEWAY_UNAVAILABLE,
            start_to_close=_seconds(20),
            schedule_to_close=_seconds(600),
            retry=_retry(initial=0.5, maximum=30),
        ),
        RecordActivities.record_failed: StepPolicy(
            unavailable=ErrorCode.DATABASE_UNAVAILABLE,
            start_to_close=_seconds(5),
            schedule_to_close=_seconds(600),
            retry=_retry(initial=0.1, maximum=10),
        ),
    }
)

LOCAL_TRY = _seconds(2)
"""How long a `local_first` step may hold up the workflow task."""

CHARGE_TIME = _seconds(20)
"""How long a reservation must still hold when a charge begins."""

CHARGE_BUDGET = STEPS[ChargeActivities.charge].schedule_to_close
"""How long a charge is tried; after that the gateway is only asked what became of it."""

PAUSE_AFTER_FAILURE = _seconds(60)
LONGEST_PAUSE = _seconds(3600)
"""Between rounds of a step that must not be given up: a first pause, doubled up to the longest."""
