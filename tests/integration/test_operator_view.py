"""What operators see of a payment in the Temporal Web UI, read as the Web UI reads it."""

from typing import Any
from uuid import UUID

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import EventType
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import WorkflowExecutionStatus, WorkflowHandle

from domain import names
from tests.support.shop import Order, Shop
from tests.support.waiting import eventually

STEPS = ["record pending", "fetch order", "verify reservation", "charge", "record succeeded"]


def workflow_of(shop: Shop, order: Order) -> WorkflowHandle[object, object]:
    return shop.temporal.get_workflow_handle(names.workflow_id(UUID(order.id)))


async def details_of(shop: Shop, order: Order) -> str:
    question = "__temporal_workflow_metadata"
    metadata = await workflow_of(shop, order).query(question, result_type=WorkflowMetadata)
    assert isinstance(metadata, WorkflowMetadata)
    return metadata.current_details


async def pay(shop: Shop, order: Order, **changes: Any) -> None:
    await shop.pay(order, **changes)
    await shop.until_ended(order)


async def test_workflow_has_a_summary_and_search_attributes(shop: Shop) -> None:
    order = await shop.an_order()
    await pay(shop, order)

    workflow = await workflow_of(shop, order).describe()

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
    }


async def test_payment_is_found_by_its_order(shop: Shop) -> None:
    order = await shop.an_order()
    await pay(shop, order)

    found = await found_by(shop, f'OrderId = "{order.id}" AND PaymentStatus = "succeeded"')

    assert found == [f"payment-{order.id}"]


async def test_declined_payment_is_found_by_its_reason_and_is_not_red(shop: Shop) -> None:
    order = await shop.an_order("10.13")
    await pay(shop, order)

    workflow = await workflow_of(shop, order).describe()
    found = await found_by(
        shop, f'CustomerId = "{order.customer_id}" AND PaymentFailureCode = "CARD_DECLINED"'
    )

    assert workflow.status is WorkflowExecutionStatus.COMPLETED
    assert found == [f"payment-{order.id}"]


async def found_by(shop: Shop, query: str) -> list[str]:
    """The ids of the payments that the query finds, once it finds any."""

    async def found() -> list[str]:
        return [workflow.id async for workflow in shop.temporal.list_workflows(query)]

    return await eventually(f"a workflow is found by {query}", found)


async def test_every_step_has_a_summary(shop: Shop) -> None:
    order = await shop.an_order()
    await pay(shop, order, reservationId=await shop.a_seat(order))

    history = await workflow_of(shop, order).fetch_history()
    steps = {
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        EventType.EVENT_TYPE_MARKER_RECORDED,  # a step that was executed locally
    }
    summaries = [
        event.user_metadata.summary for event in history.events if event.event_type in steps
    ]

    assert sorted(map(text_of, summaries)) == [
        "charge 150.00 USD",
        "claim the order for this payment",
        "fetch the order from Ordering",
        "fetch the reservation from Inventory",
        "publish payment-succeeded",
        "record the success",
    ]


def text_of(payload: Payload) -> str:
    return payload.data.decode().strip('"')


async def test_details_are_a_table_of_the_steps(shop: Shop) -> None:
    order = await shop.an_order()
    await pay(shop, order, reservationId=await shop.a_seat(order))

    details = await details_of(shop, order)

    assert details.startswith(f"**150.00 USD** for order `{order.id}`: succeeded")
    for step in [*STEPS, "publish payment-succeeded"]:
        assert f"| {step}\N{EM SPACE}| ✓ done" in details


async def test_details_say_why_a_step_failed(shop: Shop) -> None:
    order = await shop.an_order("10.66")
    await pay(shop, order)

    details = await details_of(shop, order)

    assert "failed · INSUFFICIENT_FUNDS: The account has insufficient funds." in details
    assert f"| publish {names.TOPIC_FAILED}\N{EM SPACE}| ✓ done" in details
