"""What operators see of a payment in the Temporal Web UI, read as the Web UI reads it."""

from typing import Any
from uuid import UUID

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from benchmarks.load.costs import CHANGE_VERSION, is_of_a_version
from domain import names
from tests.support.system import Order, System
from tests.support.waiting import eventually
from workflows.versions import SAGA_4

STEPS = ["record pending", "fetch order", "verify reservation", "charge", "record and publish"]


def workflow_of(system: System, order: Order) -> WorkflowHandle[object, object]:
    return system.temporal.get_workflow_handle(names.workflow_id(UUID(order.id)))


async def details_of(system: System, order: Order) -> str:
    question = "__temporal_workflow_metadata"
    metadata = await workflow_of(system, order).query(question, result_type=WorkflowMetadata)
    assert isinstance(metadata, WorkflowMetadata)
    return metadata.current_details


async def pay(system: System, order: Order, **changes: Any) -> None:
    await system.pay(order, **changes)
    await system.until_ended(order)


async def test_workflow_has_a_summary_and_search_attributes(system: System) -> None:
    order = await system.an_order()
    await pay(system, order)

    workflow = await workflow_of(system, order).describe()

    assert workflow.id == f"payment-{order.id}"
    assert await workflow.static_summary() == f"150.00 USD · order {order.id} · credit_card"
    attributes = {
        pair.key.name: pair.value
        for pair in workflow.typed_search_attributes
        if pair.key.name != "BuildIds"
    }
    assert attributes == {
        "OrderId": order.id,
        "CustomerId": order.customer_id,
        "PaymentStatus": "succeeded",
        CHANGE_VERSION: [SAGA_4],
    }


async def test_payment_is_found_by_its_order(system: System) -> None:
    order = await system.an_order()
    await pay(system, order)

    found = await found_by(system, f'OrderId = "{order.id}" AND PaymentStatus = "succeeded"')

    assert found == [f"payment-{order.id}"]


async def test_a_declined_payment_is_found_by_its_reason_and_its_workflow_has_not_failed(
    system: System,
) -> None:
    order = await system.an_order("10.13")
    await pay(system, order)

    workflow = await workflow_of(system, order).describe()
    found = await found_by(
        system, f'CustomerId = "{order.customer_id}" AND PaymentFailureCode = "CARD_DECLINED"'
    )

    assert workflow.status is WorkflowExecutionStatus.COMPLETED
    assert found == [f"payment-{order.id}"]


async def found_by(system: System, query: str) -> list[str]:
    """The ids of the payments that match the query. Waits until there is one."""

    async def found() -> list[str]:
        return [workflow.id async for workflow in system.temporal.list_workflows(query)]

    return await eventually(f"a workflow is found by {query}", found)


async def test_every_step_has_a_summary(system: System) -> None:
    order = await system.an_order()
    await pay(system, order, reservationId=await system.a_seat(order))

    history = await workflow_of(system, order).fetch_history()
    steps = {
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_MARKER_RECORDED,  # a step that was executed locally
    }
    summaries = [
        event.user_metadata.summary
        for event in history.events
        if event.event_type in steps and not is_of_a_version(event)
    ]

    assert sorted(map(text_of, summaries)) == [
        "charge 150.00 USD",
        "claim the order for this payment",
        "fetch the order from Ordering",
        "fetch the reservation from Inventory",
        "record the success and publish it",
    ]


def text_of(payload: Payload) -> str:
    return payload.data.decode().strip('"')


async def test_details_are_a_table_of_the_steps(system: System) -> None:
    order = await system.an_order()
    await pay(system, order, reservationId=await system.a_seat(order))

    details = await details_of(system, order)

    assert details.startswith(f"**150.00 USD** for order `{order.id}`: succeeded")
    for step in STEPS:
        assert f"| {step}\N{EM SPACE}| ✓ done" in details


async def test_details_say_why_a_step_failed(system: System) -> None:
    order = await system.an_order("10.66")
    await pay(system, order)

    details = await details_of(system, order)

    assert "failed · INSUFFICIENT_FUNDS: The account has insufficient funds." in details
    assert f"| publish {names.TOPIC_FAILED}\N{EM SPACE}| ✓ done" in details
