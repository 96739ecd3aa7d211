"""One trace shows a payment from the request to the event, without what is secret."""

import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import pytest

from devstack.stack.ports import HOST, Ports
from domain import exact_json, names
from tests.integration.test_compensation import success_refused
from tests.support.agreement import assert_agreement
from tests.support.collector import Collector, FoundSpan, collecting, paths
from tests.support.system import System
from tests.support.waiting import eventually

pytestmark = pytest.mark.proof  # half a minute: API and worker are started again twice

TRACE = "ab" * 16
CANARY = "canary-5d41402abc4b2a76"
"""A text that no span may have."""
RUN = "RunWorkflow:PaymentWorkflow"


@pytest.fixture(scope="module")
async def collector(system: System) -> AsyncIterator[Collector]:
    """A collector that gets the traces of API and worker, which make them in the tests here."""
    port = Ports.free().shop
    environment = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{HOST}:{port}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    async with collecting(port) as collector:
        for name in ("worker", "api"):
            await system.stack.restart(name, environment=environment)
        yield collector
        for name in ("worker", "api"):
            await system.stack.restart(name, environment={})


async def complete(collector: Collector, payment_id: str) -> Sequence[FoundSpan]:
    """The spans of the payment's trace, when request and workflow have ended."""

    async def has_ended() -> bool:
        found = {each.name for each in collector.of_payment(payment_id)}
        return {REQUEST, RUN} <= found

    await eventually("the trace is complete", has_ended)
    return collector.of_payment(payment_id)


REQUEST = "POST /payments"
WORKFLOW = f"{REQUEST} > StartWorkflow:PaymentWorkflow > {RUN}"


def step(name: str, *spans: str) -> set[str]:
    """The paths of a step of the workflow, and of what it does."""
    path = f"{WORKFLOW} > StartActivity:{name} > RunActivity:{name}"
    return {path, *(f"{path} > {each}" for each in spans)}


BEGUN = {
    WORKFLOW,
    *step("fetch_order", "GET ordering"),
    *step("fetch_reservation", "GET inventory"),
    *step("record_pending", "PostgreSQL INSERT"),
    *step("charge", "POST gateway"),
}
FAILED = {
    *step("record_failed", "PostgreSQL INSERT"),
    *step("publish_event", "publish payment-failed", "PostgreSQL UPDATE"),
}


async def test_a_success_is_one_trace(system: System, collector: Collector) -> None:
    order = await system.an_order()
    answer = await system.pay(order, reservationId=await system.a_seat(order))

    spans = await complete(collector, answer.payment["id"])

    published = step("record_and_publish", "PostgreSQL UPDATE", "publish payment-succeeded")
    assert paths(spans) >= BEGUN | published
    assert {each.service for each in spans} == {"payment-api", "payment-worker"}
    [event] = await system.events(order)
    [publishing] = [each for each in spans if each.name.startswith("publish")]
    sent = f"00-{publishing.trace_id}-{publishing.span_id}-01"
    assert event.headers["traceparent"] == sent


async def test_a_decline_is_one_trace(system: System, collector: Collector) -> None:
    order = await system.an_order("10.13")
    answer = await system.pay(order, reservationId=await system.a_seat(order))

    spans = await complete(collector, answer.payment["id"])

    assert paths(spans) >= BEGUN | FAILED


async def test_a_compensation_is_one_trace(system: System, collector: Collector) -> None:
    order = await system.an_order()
    async with success_refused(system, order):
        answer = await system.pay(order, reservationId=await system.a_seat(order))

    spans = await complete(collector, answer.payment["id"])

    undone = {
        *step("record_and_publish", "PostgreSQL UPDATE (failed)"),
        *step("record_compensation", "PostgreSQL UPDATE"),
        *step("refund_charge", "POST gateway"),
    }
    assert paths(spans) >= BEGUN | undone | FAILED


async def test_the_trace_of_a_caller_goes_on_but_its_baggage_does_not(
    system: System, collector: Collector
) -> None:
    order = await system.an_order()
    headers = {
        "traceparent": f"00-{TRACE}-{'cd' * 8}-01",
        "tracestate": f"shop={CANARY}",
        "baggage": f"customer={CANARY}",
    }
    answer = await system.post(exact_json.dumps(order.request()), **headers)

    spans = await complete(collector, answer.payment["id"])

    assert {each.trace_id for each in spans} == {TRACE}
    handle = system.temporal.get_workflow_handle(names.workflow_id(UUID(order.id)))
    texts = [each.SerializeToString() for each in (await handle.fetch_history()).events]
    assert TRACE.encode() in texts[0]
    [event] = await system.events(order)
    texts += [str(event.headers).encode(), *collector.bodies]
    assert not any(CANARY.encode() in text for text in texts)


async def test_what_a_caller_sends_is_in_no_span(system: System, collector: Collector) -> None:
    order = await system.an_order()
    await system.get(f"/payments/{CANARY}?customerId={CANARY}")
    await system.post(f'{{"orderId": "{CANARY}"}}'.encode(), **{"user-agent": CANARY})
    answer = await system.pay(order)
    spans = await complete(collector, answer.payment["id"])

    sent = b"".join(collector.bodies)
    assert "GET /payments/{paymentId}" in {each.name for each in collector.spans}
    for secret in (CANARY, order.customer_id, str(order.amount), "payments:payments"):
        assert secret.encode() not in sent
    assert {each.attributes.get("order.id") for each in spans} <= {order.id, None}


async def test_a_workflow_that_another_worker_ends_is_exported_once(
    system: System, collector: Collector
) -> None:
    order = await system.an_order()
    handle = system.temporal.get_workflow_handle(names.workflow_id(UUID(order.id)))

    async def is_scheduled() -> bool:
        events = (await handle.fetch_history()).events
        scheduled = [each.activity_task_scheduled_event_attributes for each in events]
        return any(each.activity_type.name == "publish_event" for each in scheduled)

    async with system.without("kafka"):
        answer = await system.pay(order)
        await eventually("the steps before are completed", is_scheduled)
        await system.stack.kill("worker")
        await system.stack.up(["worker"])
    await system.until_published(order)

    spans = await complete(collector, answer.payment["id"])

    assert max(Counter(each.span_id for each in spans).values()) == 1
    assert len([each for each in spans if each.name == RUN]) == 1


async def test_log_lines_have_the_trace(system: System, collector: Collector) -> None:
    order = await system.an_order()
    answer = await system.pay(order)
    [trace_id] = {each.trace_id for each in await complete(collector, answer.payment["id"])}

    for process in ("api", "worker"):
        log = system.stack.site.directory / "logs" / f"{process}.log"
        lines = [json.loads(line) for line in log.read_text().splitlines()]
        own = [each for each in lines if each.get("payment_id") == answer.payment["id"]]
        assert own
        assert {each.get("trace_id") for each in own} == {trace_id}


async def test_payments_do_not_need_the_collector(system: System, collector: Collector) -> None:
    collector.status = 503
    try:
        order = await system.an_order()
        answer = await system.pay(order)
    finally:
        collector.status = 200

    assert answer.status == 200
    await assert_agreement(system, order, answer)
