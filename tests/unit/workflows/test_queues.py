"""The workers of a process: their queues, and how they start and stop together."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar, Self, cast

import pytest
from temporalio.client import Client

from activities.charges import ChargeActivities
from domain.names import TASK_QUEUE
from tests.support.fakes.ports import ports_of
from tests.support.fakes.world import World
from workflows import worker
from workflows.policies import LOCAL_TRY, STEPS
from workflows.queues import LIMITS, LOCAL_ACTIVITIES, WORKFLOW_TASKS
from workflows.worker import GRACE, WORKFLOWS, build_worker, payment_activities


class FakeWorker:
    """A worker of the SDK without a server. It stops only when `shutdown` is called on all."""

    made: ClassVar[list["FakeWorker"]]
    stopping: ClassVar[asyncio.Barrier]

    def __init__(self, _: Client, **options: Any) -> None:
        self.options = options
        self.is_running = False
        self.made.append(self)

    async def __aenter__(self) -> Self:
        self.is_running = True
        return self

    async def __aexit__(self, *_: object) -> None:
        assert not self.is_running

    async def shutdown(self) -> None:
        await self.stopping.wait()
        self.is_running = False


@pytest.fixture
def activities(monkeypatch: pytest.MonkeyPatch) -> list[Callable[..., Any]]:
    FakeWorker.made, FakeWorker.stopping = [], asyncio.Barrier(len(LIMITS))
    monkeypatch.setattr(worker, "Worker", FakeWorker)
    return payment_activities(ports_of(World()))


def built(activities: list[Callable[..., Any]], **options: Any) -> list[dict[str, Any]]:
    build_worker(cast("Client", None), activities, **options)
    return [each.options for each in FakeWorker.made]


def test_each_queue_of_a_step_is_polled(activities: list[Callable[..., Any]]) -> None:
    polled = {each["task_queue"] for each in built(activities)}

    assert {policy.queue for policy in STEPS.values()} <= polled


def test_each_queue_has_a_limit_of_its_own(activities: list[Callable[..., Any]]) -> None:
    limits = {each["task_queue"]: each["max_concurrent_activities"] for each in built(activities)}

    assert limits == LIMITS


def test_a_step_that_was_scheduled_on_any_queue_is_run(
    activities: list[Callable[..., Any]],
) -> None:
    assert all(each["activities"] == activities for each in built(activities))


def test_workflows_run_where_they_are_started_and_begin_last(
    activities: list[Callable[..., Any]],
) -> None:
    *others, last = built(activities)

    assert last["task_queue"] == TASK_QUEUE
    assert last["workflows"] == WORKFLOWS
    assert [each for each in others if "workflows" in each] == []


def test_every_worker_knows_its_grace(activities: list[Callable[..., Any]]) -> None:
    assert {each["graceful_shutdown_timeout"] for each in built(activities)} == {GRACE}


def test_options_count_for_every_worker(activities: list[Callable[..., Any]]) -> None:
    none = timedelta(0)

    found = built(activities, graceful_shutdown_timeout=none, max_cached_workflows=0)

    assert {each["graceful_shutdown_timeout"] for each in found} == {none}
    assert {each["max_cached_workflows"] for each in found} == {0}


def test_a_task_has_two_local_tries_and_a_second_s_payments_fit() -> None:
    payments = 100

    assert 2 * WORKFLOW_TASKS == LOCAL_ACTIVITIES
    assert payments * LOCAL_TRY.total_seconds() <= WORKFLOW_TASKS


async def test_workers_stop_at_once_and_not_one_after_the_other(
    activities: list[Callable[..., Any]],
) -> None:
    async with asyncio.timeout(10), build_worker(cast("Client", None), activities):
        running = [each.is_running for each in FakeWorker.made]

    assert running == [True] * len(LIMITS)
    assert not any(each.is_running for each in FakeWorker.made)


def test_looks_at_waiting_attempts_take_no_place_of_another_step() -> None:
    look = ChargeActivities.look_at_charge

    assert [each for each in STEPS if STEPS[each].queue == STEPS[look].queue] == [look]
