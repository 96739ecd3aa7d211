"""The log lines of workflows and steps have the ids of their payment, order and request."""

import asyncio
import json
import sys
from dataclasses import replace
from typing import Any

import pytest
import structlog
from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.worker import UnsandboxedWorkflowRunner

from bootstrap.worker_log_ids import LogIds
from domain import names
from domain.refund import Refund
from tests.support.attempts import by_token
from tests.support.log_lines import log_lines
from tests.support.repository import ROOT
from tests.support.saga_harness import FORWARD, SagaHarness
from tests.support.time_skipping import own_server, skipping_time
from tests.support.waiting import eventually
from tests.workflow.test_refund import asked, make
from workflows.start import TemporalWorkflowStarter, start_refund

WORKER = """
import asyncio, sys
from temporalio.client import Client
from bootstrap import logs, temporal
from bootstrap.process import run
from workflows.worker import build_worker
from activities.verification import VerificationActivities

async def main():
    logs.configure("INFO")
    client = await Client.connect(sys.argv[1], runtime=temporal.runtime("worker"))
    async with build_worker(client, [VerificationActivities(None, None).fetch_order]):
        await asyncio.sleep(1)

run(main())
"""
"""A worker whose core logs a warning at its start, because the test server lacks a capability."""


temporal = own_server


@pytest.fixture
def logging_harness(idle_harness: SagaHarness) -> SagaHarness:
    """A harness whose client and worker are those of production in what they log."""
    config = idle_harness.client.config()
    config["interceptors"] = [LogIds(), *config["interceptors"]]
    return replace(idle_harness, client=Client(**config))


async def test_every_step_of_a_payment_has_its_ids(logging_harness: SagaHarness) -> None:
    harness, seen = logging_harness, dict[str, Any]()
    for each in FORWARD:
        harness.world.before[each] = _noting(seen, each)
    instruction = harness.an_instruction()
    ids = {"payment_id": str(instruction.payment_id), "order_id": str(instruction.order_id)}

    with log_lines() as lines, structlog.contextvars.bound_contextvars(request_id="r-1"):
        async with harness.worker(workflow_runner=UnsandboxedWorkflowRunner()):
            await harness.pay(instruction)

    assert set(seen) == set(FORWARD)
    assert all(_ids(each) == {**ids, "request_id": "r-1"} for each in seen.values())
    assert (seen["charge"]["step"]["name"], seen["charge"]["step"]["attempt"]) == ("charge", 1)
    [ended] = [each for each in lines if each["event"] == "PaymentWorkflow has ended"]
    assert _ids(ended) == {**ids, "request_id": "r-1"}
    assert ended["status"] == "succeeded"
    assert "error_code" not in ended


async def test_the_ending_is_logged_once(logging_harness: SagaHarness) -> None:
    """The worker replays the history for each task, and logs nothing again."""
    harness = logging_harness
    uncached = {"workflow_runner": UnsandboxedWorkflowRunner(), "max_cached_workflows": 0}
    with log_lines() as lines:
        async with harness.worker(**uncached):
            await harness.pay()

    assert [each["event"] for each in lines].count("PaymentWorkflow has ended") == 1


async def test_a_refund_and_a_resumed_payment_have_their_ids(logging_harness: SagaHarness) -> None:
    harness, seen = logging_harness, dict[str, Any]()
    async with harness.worker(workflow_runner=UnsandboxedWorkflowRunner()):
        payment = await harness.pay()
        harness.world.before["refund"] = _noting(seen, "refund")
        refund = Refund.pending(payment, payment.amount, "key", harness.started_at)
        handle = await start_refund(harness.client, refund, WorkflowIDConflictPolicy.FAIL)
        await handle.result()
        harness.world.before["record_pending"] = _noting(seen, "record_pending")
        assert await TemporalWorkflowStarter(harness.client).resume(payment)
        resumed = harness.client.get_workflow_handle(names.workflow_id(payment.order_id))
        await resumed.result()

    ids = {"payment_id": str(payment.id), "order_id": str(payment.order_id)}
    assert _ids(seen["refund"]) == _ids(seen["record_pending"]) == ids


async def test_the_watch_of_a_refund_has_the_id_of_its_request(
    logging_harness: SagaHarness,
) -> None:
    harness, seen = logging_harness, dict[str, Any]()
    async with harness.worker(workflow_runner=UnsandboxedWorkflowRunner()):
        refund = asked(harness, await harness.pay(by_token(harness)))
        watch = harness.client.get_workflow_handle(names.refund_watch_id(refund.id))
        harness.world.before["find_refund"] = _noting(seen, "find_refund")
        with structlog.contextvars.bound_contextvars(request_id="r-2"):
            await make(harness, refund)

        async def has_looked() -> bool:
            """RefundWorkflow looks before the watch does."""
            return bool(seen["find_refund"]["step"]["workflow_id"] == watch.id)

        async with skipping_time(harness.client):
            await eventually("the watch looks", has_looked)
        await watch.cancel()

    assert seen["find_refund"]["request_id"] == "r-2"


async def test_the_core_of_the_sdk_logs_json_too(idle_harness: SagaHarness) -> None:
    address = idle_harness.client.service_client.config.target_host
    program = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER, address, cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, errors = await program.communicate()

    lines = [json.loads(line) for line in errors.splitlines()]
    assert program.returncode == 0
    assert any(each["logger"] == "temporalio.core" for each in lines)


def _noting(seen: dict[str, Any], operation: str) -> Any:
    async def note() -> None:
        seen[operation] = structlog.contextvars.get_contextvars()

    return note


def _ids(line: dict[str, Any]) -> dict[str, Any]:
    return {name: line[name] for name in ("payment_id", "order_id", "request_id") if name in line}
