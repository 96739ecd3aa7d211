"""Temporal has lost all its data. The database has the payments, and each order is paid once."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import pytest
from temporalio.client import WorkflowHandle

from domain.instruction import PaymentInstruction
from domain.names import workflow_id
from domain.payment import Payment
from tests.support.agreement import assert_agreement
from tests.support.builders import an_instruction
from tests.support.replica import time_skipping_system
from tests.support.system import System
from workflows.payment import PaymentWorkflow
from workflows.start import start_payment


@pytest.fixture
async def wiped(system: System) -> AsyncIterator[System]:
    """The system on an empty Temporal server."""
    async with time_skipping_system(system) as wiped:
        yield wiped


async def run(wiped: System, instruction: PaymentInstruction) -> Payment:
    """The result of the payment's workflow. Waits without skipping the server's time."""
    started = await start_payment(wiped.temporal, instruction)
    handle: WorkflowHandle[PaymentWorkflow, Payment] = wiped.temporal.get_workflow_handle_for(
        PaymentWorkflow.run, started.id
    )
    return await handle.result()


async def test_a_paid_order_is_returned_from_the_database(system: System, wiped: System) -> None:
    order = await system.an_order()
    first = await system.pay(order)

    second = await wiped.pay(order, paymentMethod="wallet")

    assert (second.status, second.text) == (200, first.text)
    assert len(await system.charges(order)) == 1
    await assert_agreement(system, order, second)


async def test_paid_order_is_not_charged_by_a_workflow_either(
    system: System, wiped: System
) -> None:
    order = await system.an_order()
    answer = await system.pay(order)

    again = an_instruction(order_id=UUID(order.id), customer_id=UUID(order.customer_id))
    payment = await run(wiped, again)

    assert str(payment.id) == answer.payment["id"]
    assert len(await system.charges(order)) == 1
    await assert_agreement(system, order, answer)


async def test_a_running_payment_is_resumed_where_it_was(system: System, wiped: System) -> None:
    order = await system.an_order()
    async with system.gateway(holdsResponses=True):
        paying = asyncio.create_task(system.pay(order))
        await system.until_captured(order)
        await system.temporal.get_workflow_handle(workflow_id(UUID(order.id))).terminate()
    await paying
    [row] = await system.rows(order)

    await run(wiped, resumed(row))

    answer = await wiped.pay(order)
    assert (answer.status, answer.payment["id"]) == (200, str(row["id"]))
    assert len(await system.charges(order)) == 1
    await assert_agreement(system, order, answer)


def resumed(row: dict[str, Any]) -> PaymentInstruction:
    """The payment that the reconciliation would resume from a pending row."""
    return an_instruction(
        payment_id=UUID(str(row["id"])),
        order_id=UUID(str(row["order_id"])),
        customer_id=UUID(str(row["customer_id"])),
        requested_at=row["created_at"],
        resumed=True,
    )
