"""Temporal after changes by hand: search attributes are removed, or workflows are started."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import httpx
import pytest
from temporalio.api.operatorservice.v1 import RemoveSearchAttributesRequest

from domain import exact_json, names
from tests.support.builders import an_instruction
from tests.support.stacks import another_server
from tests.support.system import JSON, System
from tests.support.waiting import eventually
from workflows.operator_view import CUSTOMER_ID
from workflows.payment import PaymentWorkflow
from workflows.prepare import add_search_attributes


@asynccontextmanager
async def without_customer_id(system: System) -> AsyncIterator[None]:
    request = RemoveSearchAttributesRequest(
        namespace=system.temporal.namespace, search_attributes=[CUSTOMER_ID.name]
    )
    await system.temporal.operator_service.remove_search_attributes(request)
    try:
        yield
    finally:
        await add_search_attributes(system.temporal, [CUSTOMER_ID])


async def test_a_missing_search_attribute_makes_the_api_not_ready(
    system: System, caplog: pytest.LogCaptureFixture
) -> None:
    order = await system.an_order()
    content = exact_json.dumps(order.request())
    async with another_server(system.stack) as url, httpx.AsyncClient(base_url=url) as api:

        async def readiness(status: int) -> Any:
            answer = await api.get("/ready")
            return answer.json() if answer.status_code == status else None

        async with without_customer_id(system):
            report = await eventually("the API is not ready", lambda: readiness(503))
            refused = await api.post("/payments", content=content, headers=JSON)
        await eventually("the API is ready again", lambda: readiness(200))

    assert report["dependencies"]["searchAttributes"] == "down"
    assert report["dependencies"]["temporal"] == "up"
    assert refused.status_code == 503
    assert "CustomerId" in caplog.text
    assert (await system.until_accepted(order)).status == 200


async def test_workflow_that_was_started_by_hand_is_another_payment(system: System) -> None:
    order = await system.an_order()
    instruction = an_instruction(order_id=UUID(order.id))
    workflow_id = names.workflow_id(instruction.order_id)
    by_hand = await system.temporal.start_workflow(
        PaymentWorkflow.run, instruction, id=workflow_id, task_queue="nobody's"
    )

    refused = await system.pay(order)
    await by_hand.terminate()
    paid = await system.until_accepted(order)

    assert (refused.status, refused.body["code"]) == (409, "PAYMENT_IN_PROGRESS")
    assert paid.body["success"]
