"""The logs of the real processes: JSON in every line, with ids of payment, order and request."""

import json
from typing import Any
from uuid import uuid4

import pytest

from domain import exact_json
from tests.support.system import System
from tests.support.waiting import eventually

WHO_RESPONDS = ("api", "responded")
WHO_PAYS = ("worker", "PaymentWorkflow has ended")


@pytest.mark.parametrize("who", [WHO_RESPONDS, WHO_PAYS])
async def test_a_payment_is_found_in_the_logs_by_each_of_its_ids(
    system: System, who: tuple[str, str]
) -> None:
    order, request_id = await system.an_order(), str(uuid4())

    answer = await system.post(exact_json.dumps(order.request()), **{"x-request-id": request_id})

    process, event = who
    ids = {"order_id": order.id, "payment_id": answer.payment["id"], "request_id": request_id}
    line = await eventually("the line is written", lambda: _line(system, process, event, order.id))
    assert {name: line[name] for name in ids} == ids


@pytest.mark.parametrize("process", ["api", "worker"])
async def test_every_line_is_json(system: System, process: str) -> None:
    answer = await system.pay(await system.an_order())

    assert answer.status == 200
    assert _lines(system, process)


async def _line(system: System, process: str, event: str, order_id: str) -> Any:
    found = [
        each
        for each in _lines(system, process)
        if each["event"] == event and each.get("order_id") == order_id
    ]
    return found[0] if found else None


def _lines(system: System, process: str) -> list[dict[str, Any]]:
    log = system.stack.site.directory / "logs" / f"{process}.log"
    return [json.loads(line) for line in log.read_text().splitlines()]
