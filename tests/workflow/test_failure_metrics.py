"""What Temporal's SDK counts when a workflow fails, under the names that the alerts use."""

from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from bootstrap.temporal import runtime
from devstack.stack.ports import HOST, Ports
from tests.support.observability import OF_SDK_AFTER_FAILURE
from tests.support.time_skipping import own_server
from tests.support.waiting import eventually

temporal = own_server
QUEUE = "failing"


@workflow.defn
class Fails:
    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("it has failed")


@workflow.defn
class HasABug:
    @workflow.run
    async def run(self) -> None:
        raise ValueError


@workflow.defn
class Changes:
    """Its steps differ from those of its first task."""

    has_changed = False

    @workflow.run
    async def run(self) -> None:
        if not Changes.has_changed:
            Changes.has_changed = True
            await workflow.sleep(1)
        await workflow.wait_condition(lambda: False)


@pytest.fixture
async def address(temporal: Client) -> AsyncIterator[str]:
    """Where a worker with these workflows, which keeps none in memory, serves its metrics."""
    address = f"{HOST}:{Ports.free().api}"
    target = temporal.service_client.config.target_host
    client = await Client.connect(target, runtime=runtime("worker", address))
    async with Worker(
        client,
        task_queue=QUEUE,
        workflows=[Fails, HasABug, Changes],
        workflow_runner=UnsandboxedWorkflowRunner(),
        max_cached_workflows=0,
    ):
        for each in (HasABug, Changes):
            await client.start_workflow(each.run, id=each.__name__, task_queue=QUEUE)
        with pytest.raises(WorkflowFailureError):
            await client.execute_workflow(Fails.run, id="Fails", task_queue=QUEUE)
        with pytest.raises(RPCError):
            await client.get_workflow_handle("nobody").describe()
        yield address
        for each in (HasABug, Changes):
            await client.get_workflow_handle(each.__name__).terminate()


async def test_failures_are_counted_with_their_reasons(address: str) -> None:
    labels: dict[str, dict[str, set[str]]] = {}

    async def are_counted() -> bool:
        async with httpx.AsyncClient(trust_env=False) as http:
            text = (await http.get(f"http://{address}/metrics")).text
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                for name, value in sample.labels.items():
                    labels.setdefault(sample.name, {}).setdefault(name, set()).add(value)
        reasons = labels.get("temporal_workflow_task_execution_failed_total", {})
        return reasons.get("failure_reason") == {"NonDeterminismError", "WorkflowError"}

    await eventually("each kind of failure is counted", are_counted)
    assert labels["temporal_workflow_failed_total"]["workflow_type"] == {"Fails"}
    for name, expected in OF_SDK_AFTER_FAILURE.items():
        assert labels[name].keys() - {"process"} == expected
