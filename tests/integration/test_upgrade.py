"""Payments and refunds that the former version has begun are completed by this one, each once."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import httpx
import pytest
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.service import RPCError

from audit.__main__ import read_ended
from audit.invariants import violations
from devstack.stack import process, startup
from devstack.stack.ports import Ports
from devstack.stack.process import Process
from devstack.stack.stack import NEIGHBOURS, SERVERS, Stack
from domain.names import RECONCILIATION, workflow_id
from tests.integration.conftest import PATIENCE, end
from tests.support import former
from tests.support.agreement import assert_agreement
from tests.support.stacks import settings_of
from tests.support.system import Answer, Order, System
from tests.support.topics import following
from tests.support.waiting import eventually

pytestmark = pytest.mark.proof

OURS = ("prepare", "worker", "api")
HEALED_WITHIN = 60
REFUSE = """
CREATE FUNCTION public.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'by a test' USING ERRCODE = TG_ARGV[0];
END $$
"""
PASSING = "40001"
"""A SQLSTATE that is retried: the success is recorded later."""
FINAL = "23514"
"""A SQLSTATE that is a refusal: the payment is undone."""


@pytest.fixture(params=former.COMMITS.values(), ids=[*former.COMMITS])
async def former_tree(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return former.unpack(tmp_path / "former", request.param)


@pytest.fixture
async def former_system(
    tmp_path: Path, former_tree: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[System]:
    """A system of its own, with the worker and the API of the former version."""
    stack = Stack(tmp_path / "stack", Ports.free(), durable=False, ephemeral=True)
    try:
        await stack.up([*SERVERS, *NEIGHBOURS])
        with monkeypatch.context() as patched:
            patched.setattr(process, "ROOT", former_tree)
            if not (former_tree / "workflows" / "prepare.py").exists():
                patched.setattr(startup, "PREPARE_MODULE", "bootstrap.prepare")
            await stack.up(OURS)
        async with AsyncExitStack() as opened:
            yield await _system(stack, opened)
    finally:
        await end(stack)


async def _system(stack: Stack, opened: AsyncExitStack) -> System:
    environment = stack.environment()
    return System(
        stack,
        await opened.enter_async_context(
            httpx.AsyncClient(
                base_url=environment["PAYMENT_API_URL"], timeout=PATIENCE, trust_env=False
            )
        ),
        await opened.enter_async_context(httpx.AsyncClient(timeout=PATIENCE, trust_env=False)),
        await opened.enter_async_context(
            asyncpg.create_pool(environment["DATABASE_URL"], min_size=1)
        ),
        await opened.enter_async_context(following(environment["KAFKA_BOOTSTRAP_SERVERS"])),
        await Client.connect(
            environment["TEMPORAL_ADDRESS"], data_converter=pydantic_data_converter
        ),
    )


async def refuse_success(system: System, order: Order, sqlstate: str) -> str:
    """Make PostgreSQL refuse to record the order's success. Returns the trigger's name."""
    name = f"refuse_{sqlstate}_{order.id.replace('-', '')}"
    await system.database.execute(
        f"""CREATE TRIGGER {name} BEFORE UPDATE ON bc_payment.payments FOR EACH ROW
            WHEN (NEW.order_id = '{order.id}' AND NEW.status = 'succeeded')
            EXECUTE FUNCTION public.refuse('{sqlstate}')"""
    )
    return name


async def accept_success(system: System, trigger: str) -> None:
    await system.database.execute(f"DROP TRIGGER {trigger} ON bc_payment.payments")


async def until_ended(system: System, order: Order) -> Answer:
    """The response, once the payment of the order has ended and is published."""

    async def ended() -> bool:
        rows = await system.rows(order)
        return (
            bool(rows)
            and all(row["announcement"] in {"made", "none"} for row in rows)
            and all(row["status"] != "pending" for row in rows)
        )

    await eventually(f"the payment of {order.id} has ended", ended, seconds=HEALED_WITHIN)
    [row] = await system.rows(order)
    answer = await system.get(f"/payments/{row['id']}")
    await assert_agreement(system, order, answer)
    return answer


async def until_tried(system: System, workflow_id: str, step: str) -> None:
    """Wait until the workflow is running this step."""
    handle = system.temporal.get_workflow_handle(workflow_id)

    async def is_tried() -> bool:
        try:
            pending = (await handle.describe()).raw_description.pending_activities
        except RPCError:
            return False  # it has not been started yet
        return any(each.activity_type.name == step for each in pending)

    await eventually(f"{workflow_id} is at {step}", is_tried)


async def assert_audit_finds_nothing(system: System) -> None:
    settings = settings_of(system.stack)
    await system.temporal.get_schedule_handle(RECONCILIATION).trigger()  # the audit wants a round

    async def is_clean() -> bool:
        now = datetime.now(UTC)
        books = await read_ended(settings, now - timedelta(hours=1), now)
        return bool(books) and not [found for each in books for found in violations(each)]

    await eventually("the audit finds nothing", is_clean, seconds=HEALED_WITHIN)


@pytest.mark.timeout(300)
async def test_what_the_former_version_has_begun_is_ended(former_system: System) -> None:
    system = former_system
    await system.database.execute(REFUSE)
    running, due, undone, refunded = [await system.an_order() for _ in range(4)]
    paid = await system.pay(refunded)
    held = {each.id: await refuse_success(system, each, PASSING) for each in (due, undone)}
    asking = [asyncio.create_task(system.pay(each)) for each in (due, undone)]
    for each in (due, undone):
        await system.until_retried(each, "record_succeeded")
    with system.frozen("gateway"):
        asking.append(asyncio.create_task(system.pay(running)))
        asking.append(asyncio.create_task(system.refund(paid.payment["id"], None, "a refund")))
        await refuse_success(system, undone, FINAL)
        await accept_success(system, held[undone.id])
        await until_tried(system, workflow_id(UUID(running.id)), "charge")
        await until_tried(system, workflow_id(UUID(undone.id)), "refund_charge")
        await system.stack.up(["prepare"])
        with system.frozen("kafka"):
            await accept_success(system, held[due.id])
            await system.until_announced(due, "due")
            await asyncio.gather(system.stack.stop("worker"), system.stack.stop("api"))
            await system.stack.up(["worker", "api"])
    await asyncio.gather(*asking, return_exceptions=True)

    statuses = [(await until_ended(system, each)).payment["status"] for each in (running, due)]
    assert statuses == ["succeeded", "succeeded"]
    assert (await until_ended(system, undone)).payment["errorCode"] == "RECORD_REFUSED"
    await eventually("the refund is made", lambda: is_given_back(system, refunded))
    await assert_audit_finds_nothing(system)


async def is_given_back(system: System, order: Order) -> bool:
    return [charge["state"] for charge in await system.charges(order)] == ["refunded"]


@pytest.mark.timeout(300)
async def test_both_versions_side_by_side_end_what_either_has_begun(former_system: System) -> None:
    system = former_system
    await system.database.execute(REFUSE)
    await system.stack.up(["prepare"])
    present = Process(system.stack.site.directory, "present-worker")
    environment = {**os.environ, **system.stack.environment()}
    present.start([sys.executable, "-m", "workflows.worker"], environment, ephemeral=True)
    try:
        await eventually("the present worker runs", lambda: is_ready(present))
        orders = [await system.an_order() for _ in range(12)]
        for each in orders[:4]:
            await refuse_success(system, each, FINAL)
        async with system.gateway(latencyMs=2500):
            await asyncio.gather(*(system.pay(each) for each in orders))
        answers = await asyncio.gather(*(until_ended(system, each) for each in orders))
    finally:
        await present.stop(signal.SIGTERM, 30)
    await system.stack.restart("worker")

    assert [answer.payment["status"] for answer in answers] == ["failed"] * 4 + ["succeeded"] * 8
    await assert_audit_finds_nothing(system)


async def is_ready(worker: Process) -> bool:
    return "the worker is ready" in worker.log.read_text()
