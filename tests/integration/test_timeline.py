"""The timeline of a real payment has the entries of all sources, sorted by time."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.service import RPCError, RPCStatusCode

from activities.adapters.kafka_timeline import KafkaTimeline
from benchmarks.load.counters import METRICS_PORT, REQUEST, SETTLE_SECONDS
from db.payments import PaymentStore
from db.refunds import RefundStore
from devstack.stack.ports import HOST
from domain.names import refund_workflow_id, workflow_id
from domain.payment import Payment
from tests.support.builders import an_instruction
from tests.support.stacks import kafka_of
from tests.support.system import System
from tests.support.waiting import eventually
from workflows.start import start_payment, start_refund


async def timeline_of(
    system: System, payment_id: str, *, silent: Sequence[str] = (), ended_runs: int = 0
) -> list[dict[str, Any]]:
    """The entries, in the order of the response.

    Waits until exactly the sources in `silent` have not responded: a busy source may respond too
    late. Waits also until `ended_runs` workflows are shown as completed: the API may respond before
    a workflow ends.
    """

    async def are_shown() -> list[dict[str, Any]] | None:
        answer = await system.get(f"/payments/{payment_id}/timeline")
        if answer.status != HTTPStatus.OK or answer.body["silent"] != [*silent]:
            return None
        shown: list[dict[str, Any]] = answer.body["timeline"]
        ended = [each["event"] for each in shown].count("workflow completed")
        return shown if ended >= ended_runs else None

    return await eventually("all entries are shown", are_shown)


async def shown_events(
    system: System, payment_id: str, *, silent: Sequence[str] = (), ended_runs: int = 1
) -> dict[str, list[str]]:
    """The events of each source that is not silent. Waits as `timeline_of` does."""
    entries = await timeline_of(system, payment_id, silent=silent, ended_runs=ended_runs)
    assert [each["at"] for each in entries] == sorted(each["at"] for each in entries)
    shown: dict[str, list[str]] = {}
    for each in entries:
        shown.setdefault(each["source"], []).append(each["event"])
    return shown


@pytest.mark.parametrize("amount", ["1.00", None])
async def test_every_source_shows_a_payment_and_its_refund(
    system: System, amount: str | None
) -> None:
    order = await system.an_order()
    payment_id = (await system.pay(order)).payment["id"]
    await system.refund(payment_id, amount, "key")

    shown = await shown_events(system, payment_id, ended_runs=2)

    assert shown["postgresql"] == [
        "payment is pending",
        "payment is succeeded",
        "refund is pending",
        "refund is succeeded",
    ]
    assert shown["gateway"] == ["charge is captured", "refund is succeeded"]
    assert sorted(shown["kafka"]) == ["record of payment-refunded", "record of payment-succeeded"]
    steps = ["charge done", "record_and_publish done"]
    assert [each for each in shown["temporal"] if each in steps] == steps
    assert shown["temporal"].count("workflow completed") == 2


async def test_a_compensated_payment_shows_its_reason(system: System) -> None:
    order = await system.an_order("150.13")
    payment_id = (await system.pay(order)).payment["id"]

    entries = await timeline_of(system, payment_id)

    failed = [each for each in entries if each["event"] == "payment is failed"]
    assert [each["detail"] for each in failed] == ["CARD_DECLINED"]
    assert "charge is declined" in [each["event"] for each in entries]


async def test_a_source_that_is_down_is_named_and_the_others_are_shown(system: System) -> None:
    order = await system.an_order()
    payment_id = (await system.pay(order)).payment["id"]

    async with system.without("gateway", "kafka"):
        shown = await shown_events(system, payment_id, silent=["gateway", "kafka"])

    assert shown.keys() == {"postgresql", "temporal"}
    assert shown["postgresql"] == ["payment is pending", "payment is succeeded"]


async def test_only_the_requested_payment_is_shown(system: System) -> None:
    order = await system.an_order()
    async with system.gateway(successRate=0):
        first = (await system.pay(order)).payment["id"]
    await system.until_ended(order)
    assert (await system.pay(order)).payment["id"] != first

    shown = await shown_events(system, first)

    assert shown["temporal"].count("workflow started") == 1
    assert shown["kafka"] == ["record of payment-failed"]


@pytest.mark.proof  # Temporal deletes a run when it has time, often after 20 s
async def test_every_run_of_a_payment_is_shown_until_temporal_deletes_it(
    system: System, store: PaymentStore
) -> None:
    payment, lost = await a_payment_that_loses_its_workflow(system, store)
    resumed = await start_payment(system.temporal, payment.to_resume())
    await resumed.result()
    another = an_instruction(order_id=payment.order_id, customer_id=payment.customer_id)
    await (await start_payment(system.temporal, another)).result()

    runs = (await shown_events(system, str(payment.id)))["temporal"]
    assert runs.count("workflow started") == 2
    assert runs.count("workflow was terminated") == runs.count("workflow completed") == 1

    await delete(system, workflow_id(payment.order_id), lost)
    runs = (await shown_events(system, str(payment.id)))["temporal"]
    assert runs.count("workflow started") == 1


async def a_payment_that_loses_its_workflow(
    system: System, store: PaymentStore
) -> tuple[Payment, str]:
    """A payment whose workflow was terminated after the charge, and the id of that run."""
    order = await system.an_order()
    running = system.temporal.get_workflow_handle(workflow_id(UUID(order.id)))
    async with system.gateway(holdsResponses=True):
        paying = asyncio.create_task(system.pay(order))
        await system.until_captured(order)
        run_id = (await running.describe()).run_id
        await running.terminate()
    await paying
    payment = await store.find_live(UUID(order.id))
    assert payment is not None
    return payment, run_id


async def delete(system: System, workflow: str, run_id: str) -> None:
    """Let Temporal delete a run, as it does after the retention period. Waits until it is gone."""
    execution = WorkflowExecution(workflow_id=workflow, run_id=run_id)
    await system.temporal.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=system.temporal.namespace, workflow_execution=execution
        )
    )
    run = system.temporal.get_workflow_handle(workflow, run_id=run_id)

    async def is_gone() -> bool:
        await asyncio.sleep(0.5)
        try:
            await run.describe()
        except RPCError as error:
            return error.status is RPCStatusCode.NOT_FOUND
        return False

    await eventually("the run is deleted", is_gone, seconds=90)


async def test_every_run_of_a_refund_is_shown(system: System, engine: AsyncEngine) -> None:
    payment_id = (await system.pay(await system.an_order())).payment["id"]
    await system.refund(payment_id, "1.00", "key")
    [refund] = await RefundStore(engine).of_payment(UUID(payment_id))
    await system.temporal.get_workflow_handle(refund_workflow_id(refund.id)).result()

    resumed = await start_refund(system.temporal, refund, WorkflowIDConflictPolicy.FAIL)
    await resumed.result()

    runs = (await shown_events(system, payment_id, ended_runs=3))["temporal"]
    assert runs.count("workflow started") == 3


async def test_temporal_is_asked_for_no_list(system: System) -> None:
    """Temporal allows ten requests for lists a second, of everybody together."""
    payment_id = (await system.pay(await system.an_order())).payment["id"]
    before = await settled_lists(system)

    await shown_events(system, payment_id)
    _ = [run async for run in system.temporal.list_workflows("WorkflowId = 'none'")]

    assert await settled_lists(system) == before + 1


async def settled_lists(system: System) -> int:
    """The number of requests for a list of workflows that Temporal has counted.

    Temporal updates this metric with a delay, so it is read until it no longer changes.
    """
    earlier, count = None, await lists(system)
    while count != earlier:
        await asyncio.sleep(SETTLE_SECONDS)
        earlier, count = count, await lists(system)
    return count


async def lists(system: System) -> int:
    port = METRICS_PORT.search(system.stack.log("temporal").read_text())
    assert port
    async with httpx.AsyncClient(trust_env=False) as http:
        metrics = (await http.get(f"http://{HOST}:{port[1]}/metrics")).text
    return sum(
        int(count)
        for name, count in REQUEST.findall(metrics)
        if name.startswith(("List", "Scan", "Count")) and "Workflow" in name
    )


@pytest.mark.parametrize("minutes", [-1, 1])
async def test_record_is_found_although_clocks_differ(system: System, minutes: int) -> None:
    order = await system.an_order()
    shown = (await system.pay(order)).payment
    await system.until_published(order)
    at = datetime.now(UTC) + timedelta(minutes=minutes)
    instruction = an_instruction(order_id=order.id, payment_id=shown["id"], requested_at=at)
    payment = Payment.pending(instruction).succeeded(at).announced()

    entries = await KafkaTimeline(kafka_of(system.stack))(payment, [])

    assert [each.event for each in entries] == ["record of payment-succeeded"]
