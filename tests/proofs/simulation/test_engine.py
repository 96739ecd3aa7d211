"""The in-process engine behaves as Temporal's time-skipping server does."""

import asyncio
from functools import partial
from uuid import uuid4

import pytest
from temporalio import workflow
from temporalio.api.testservice.v1 import UnlockTimeSkippingRequest
from temporalio.client import Client, WorkflowFailureError
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from domain.names import TASK_QUEUE
from tests.proofs.simulation.engine import clock
from tests.proofs.simulation.engine.server import InProcessServer
from tests.proofs.simulation.engine.worker import InProcessWorker
from tests.proofs.simulation.probe import WHATS, Probe, Probes
from tests.support.time_skipping import time_skipping

NOT_THE_SAME = "has_no_time_for_a_second_try_to_hang"
"""The test server restarts the schedule-to-close time with each try. A real server does not."""
SAME = [each for each in WHATS if each != NOT_THE_SAME]


async def told_by(client: Client, probes: Probes, what: str) -> tuple[str, list[str]]:
    """The result of a probe, and its tries."""
    probes.tries.clear()
    ending = await client.execute_workflow(Probe.run, what, id=str(uuid4()), task_queue=TASK_QUEUE)
    return ending, list(probes.tries)


def engine(*workflows: type, remembers: bool = True) -> tuple[Client, Probes]:
    server = InProcessServer(remembers=remembers)
    client = Client(server, data_converter=pydantic_data_converter)
    probes = Probes(client)
    server.worker = InProcessWorker(client, [probes.probe], workflows, [])
    return client, probes


def told_in_process(what: str, *, remembers: bool = True) -> tuple[str, list[str]]:
    async def tell() -> tuple[str, list[str]]:
        return await told_by(*engine(Probe, remembers=remembers), what)

    return clock.run(tell())


@pytest.mark.proof
@pytest.mark.timeout(600)  # some seconds on a quiet machine
async def test_a_server_does_the_same() -> None:
    async with time_skipping() as server:
        target = server.service_client.config.target_host
        client = await Client.connect(target, data_converter=pydantic_data_converter)
        await client.test_service.unlock_time_skipping(UnlockTimeSkippingRequest())
        probes = Probes(client)
        async with Worker(
            client,
            task_queue=TASK_QUEUE,
            activities=[probes.probe],
            workflows=[Probe],
            workflow_runner=UnsandboxedWorkflowRunner(),
        ):
            theirs = {what: await told_by(client, probes, what) for what in SAME}

    ours = {what: await asyncio.to_thread(told_in_process, what) for what in SAME}
    assert ours == theirs


def test_an_activity_is_tried_by_its_policy() -> None:
    assert told_in_process("succeeds_in_the_end") == (
        "5, 9 min",
        ["1 after 0 min", "2 after 1 min", "3 after 3 min", "4 after 6 min", "5 after 9 min"],
    )


def test_the_last_failure_is_reported_when_no_time_is_left() -> None:
    ending, tries = told_in_process("has_tries_left_but_no_time")

    assert ending == "ActivityError of probe < ApplicationError Probed a, 9 min"
    assert len(tries) == 5


def test_a_try_gets_no_more_time_than_is_left_for_all() -> None:
    ending, tries = told_in_process(NOT_THE_SAME)

    assert "TimeoutError SCHEDULE_TO_CLOSE < ApplicationError Probed a, 2 min" in ending
    assert tries == ["1 after 0 min", "2 after 1 min"]


@pytest.mark.parametrize("what", WHATS)
def test_a_worker_that_remembers_nothing_goes_on(what: str) -> None:
    assert told_in_process(what, remembers=False) == told_in_process(what)


def test_a_workflow_that_has_not_seen_everything_does_not_end() -> None:
    """Its last task is run again, with its local activity."""
    ending, tries = told_in_process("is_cancelled_in_its_last_task")

    assert ending == "1, and 1 cancellations, 0 min"
    assert tries == ["1 after 0 min", "1 after 0 min"]


def test_a_running_workflow_is_not_started_again() -> None:
    async def start_twice() -> None:
        client, _ = engine(Probe)
        start = partial(client.start_workflow, Probe.run, id="probe", task_queue=TASK_QUEUE)
        handle = await start("sleeps")
        with pytest.raises(WorkflowAlreadyStartedError):
            await start("sleeps")
        assert await handle.result() == "True, 60 min"
        assert await (await start("succeeds_locally")).result() == "1, 0 min"

    clock.run(start_twice())


@workflow.defn
class Fickle:
    """Does something else each time that it is run or replayed."""

    runs = 0

    @workflow.run
    async def run(self) -> None:
        type(self).runs += 1
        await workflow.sleep(type(self).runs)


@workflow.defn
class Parent:
    """Uses a command that no workflow of ours uses."""

    @workflow.run
    async def run(self) -> None:
        await workflow.start_child_workflow(Fickle.run, id="child")


@pytest.mark.parametrize("remembers", [True, False])
def test_a_workflow_that_is_not_deterministic_fails(remembers: bool) -> None:
    async def run() -> None:
        client, _ = engine(Fickle, remembers=remembers)
        with pytest.raises(WorkflowFailureError) as failure:
            await client.execute_workflow(Fickle.run, id="fickle", task_queue=TASK_QUEUE)
        assert "nondeterminism" in str(failure.value.cause)

    clock.run(run())


def test_an_unknown_command_is_not_ignored() -> None:
    async def run() -> None:
        client, _ = engine(Parent)
        await client.execute_workflow(Parent.run, id="parent", task_queue=TASK_QUEUE)

    with pytest.raises(NotImplementedError, match="start_child_workflow_execution"):
        clock.run(run())


@pytest.mark.timeout(10)
def test_a_timer_is_due_after_a_year_of_simulated_time() -> None:
    async def wait() -> None:
        await asyncio.sleep(2**25)
        await asyncio.sleep(0.1)

    clock.run(wait())


def test_nothing_is_waited_for_that_cannot_happen() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="Nothing is left"):
        clock.run(wait())
