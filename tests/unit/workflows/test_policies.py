"""Every activity has a name, a policy and a worker, and the times fit each other."""

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity

import activities
from activities.adapters import kafka
from activities.charges import HEARTBEAT_INTERVAL, ChargeActivities
from activities.events import EventActivities
from activities.records import RecordActivities
from activities.refunds import RefundActivities
from activities.verification import VerificationActivities
from db.engine import CONNECT_TIMEOUT_SECONDS, STATEMENT_TIMEOUT_SECONDS
from domain.errors import RULES
from domain.gateways import TERMS, GatewayName, GatewayTerms
from domain.names import TASK_QUEUE
from tests.support.fakes.ports import ports_of
from tests.support.fakes.world import World
from workflows.policies import CHARGE_BUDGET, LOCAL_TRY, STEPS
from workflows.start import RPC_TIMEOUT
from workflows.worker import GRACE, READ_SECONDS, payment_activities

WORKFLOW_TASK_TIMEOUT = timedelta(seconds=10)
SHORTEST_HOLD = timedelta(minutes=1)
GATEWAY_KEY_LIFETIME = timedelta(hours=24)
GATEWAY_SECONDS = TERMS[GatewayName.SIMULATOR].request_time.total_seconds()


def activity_methods() -> Iterator[Callable[..., Any]]:
    for module in pkgutil.iter_modules(activities.__path__, "activities."):
        if not module.ispkg:
            for _, each in inspect.getmembers(
                importlib.import_module(module.name), inspect.isclass
            ):
                if each.__module__ == module.name:
                    yield from filter(activity._Definition.from_callable, vars(each).values())


def name_of(method: Callable[..., Any]) -> str | None:
    return activity._Definition.must_from_callable(method).name


def test_activities_are_known_by_these_names() -> None:
    assert {name_of(each) for each in activity_methods()} == {
        "fetch_order",
        "fetch_reservation",
        "begin_event",
        "find_payment",
        "record_pending",
        "record_compensation",
        "withdraw_event",
        "charge",
        "open_charge",
        "authorize_charge",
        "capture_charge",
        "find_charge",
        "look_at_charge",
        "settle_charge",
        "refund_charge",
        "record_reference",
        "record_wait",
        "find_dispute",
        "record_succeeded",
        "record_failed",
        "record_and_publish",
        "publish_event",
        "record_refund",
        "make_refund",
        "find_refund",
        "record_refund_reference",
        "record_refund_failed_later",
        "record_refund_ended",
        "publish_refund",
        "resume_payments",
    }


def test_every_activity_has_a_policy() -> None:
    assert set(STEPS) == set(activity_methods())


def test_the_worker_runs_every_activity() -> None:
    run = payment_activities(ports_of(World()))

    assert sorted(map(str, map(name_of, run))) == sorted(map(str, map(name_of, STEPS)))


ONLY_LOCAL = EventActivities.record_and_publish


def test_only_what_goes_on_in_other_steps_is_tried_once() -> None:
    policy = STEPS[ONLY_LOCAL]

    assert policy.local_first
    assert policy.start_to_close == policy.schedule_to_close == LOCAL_TRY
    assert policy.retry.maximum_attempts == 1
    assert RULES[policy.unavailable].retryable


@pytest.mark.parametrize(
    "step", [each for each in STEPS if each is not ONLY_LOCAL], ids=lambda step: step.__name__
)
def test_a_step_is_tried_again_for_as_long_as_its_time_lasts(step: Callable[..., Any]) -> None:
    policy = STEPS[step]

    assert policy.start_to_close < policy.schedule_to_close
    assert policy.retry.maximum_attempts == 0
    assert policy.retry.non_retryable_error_types is None
    assert policy.retry.maximum_interval is not None
    assert policy.retry.initial_interval < policy.retry.maximum_interval
    assert RULES[policy.unavailable].retryable


LONGEST_STATEMENT = CONNECT_TIMEOUT_SECONDS + STATEMENT_TIMEOUT_SECONDS
LONGEST_PUBLISH = (
    kafka.START_TIMEOUT_SECONDS
    + 2 * kafka.TOPIC_TIMEOUT_SECONDS
    + kafka.SEND_TIMEOUT_SECONDS
    + kafka.STOP_TIMEOUT_SECONDS
)


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        (VerificationActivities.fetch_order, READ_SECONDS),
        (VerificationActivities.fetch_reservation, READ_SECONDS),
        (ChargeActivities.charge, GATEWAY_SECONDS),
        (ChargeActivities.charge, 2 * GATEWAY_SECONDS),
        (ChargeActivities.find_charge, GATEWAY_SECONDS),
        (ChargeActivities.resolve_charge, GATEWAY_SECONDS),
        (ChargeActivities.refund_charge, 2 * GATEWAY_SECONDS),
        (RefundActivities.make_refund, 4 * GATEWAY_SECONDS),
        (RecordActivities.record_pending, LONGEST_STATEMENT),
        (RecordActivities.record_reference, 2 * LONGEST_STATEMENT),
        (RecordActivities.record_succeeded, LONGEST_STATEMENT),
        (RecordActivities.record_failed, LONGEST_STATEMENT),
        (RecordActivities.record_compensation, 2 * LONGEST_STATEMENT),
        (RecordActivities.find_payment, LONGEST_STATEMENT),
        (RecordActivities.withdraw_event, LONGEST_STATEMENT),
        (EventActivities.publish_event, LONGEST_PUBLISH),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_step_ends_by_itself_before_it_is_given_up(
    step: Callable[..., Any], seconds: float
) -> None:
    assert STEPS[step].start_to_close > timedelta(seconds=seconds)


CHARGES = [
    ChargeActivities.charge,
    ChargeActivities.authorize_charge,
    ChargeActivities.capture_charge,
]
OPENING = [each for each in TERMS.values() if each.opens]


@pytest.mark.parametrize("terms", OPENING)
def test_a_step_at_a_gateway_that_opens_ends_by_itself(terms: GatewayTerms) -> None:
    """A try of a charge sends two requests and reads the token. One of a refund sends four."""
    assert terms.charge_try is not None
    assert terms.refund_try is not None
    for step in (ChargeActivities.authorize_charge, ChargeActivities.capture_charge):
        assert STEPS[step].start_to_close == terms.charge_try
    assert 2 * terms.request_time + RPC_TIMEOUT < terms.charge_try <= terms.holds_for
    assert 4 * terms.request_time < terms.refund_try
    assert terms.request_time < STEPS[ChargeActivities.open_charge].start_to_close


@pytest.mark.parametrize("step", CHARGES)
def test_a_stopping_worker_completes_its_charges(step: Callable[..., Any]) -> None:
    assert STEPS[step].start_to_close <= GRACE


@pytest.mark.parametrize("step", CHARGES)
def test_a_dead_worker_is_noticed_before_the_try_is_over(step: Callable[..., Any]) -> None:
    policy = STEPS[step]

    assert policy.heartbeat is not None
    assert 2 * HEARTBEAT_INTERVAL < policy.heartbeat < policy.start_to_close


def test_a_charge_is_over_long_before_the_gateway_forgets_its_key() -> None:
    assert CHARGE_BUDGET <= GATEWAY_KEY_LIFETIME / 2


@pytest.mark.parametrize("terms", TERMS.values(), ids=TERMS)
def test_a_reservation_outlives_a_try_of_the_charge_and_can_be_had(terms: GatewayTerms) -> None:
    one_try = terms.charge_try or STEPS[ChargeActivities.charge].start_to_close

    assert one_try <= terms.holds_for < SHORTEST_HOLD


def test_a_local_try_leaves_time_for_the_workflow_task() -> None:
    assert LOCAL_TRY < WORKFLOW_TASK_TIMEOUT / 2


def test_a_charge_can_come_with_the_response_to_a_workflow_task() -> None:
    """Temporal gives a worker only activities of the queue of the workflow in this way."""
    assert STEPS[ChargeActivities.charge].queue == TASK_QUEUE
