"""Record the histories that `test_replay.py` replays: `python -m tests.replay.record`.

Record anew only together with a `workflow.patched()` branch that still replays the old ones:
payments that are running during a deployment have histories like these.
"""

import asyncio
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory
from temporalio.common import WorkflowIDConflictPolicy

from domain.errors import ErrorCode
from domain.gateway import Charge, ChargeState
from domain.refund import Refund
from tests.fakes import World, refusal
from tests.workflow.conftest import Desk, server_time, time_skipping
from workflows.start import start_refund

HISTORIES = Path(__file__).with_name("histories")
OUTAGE = timedelta(hours=2)


def _succeeds(_: World) -> None:
    """Every step does what it should."""


def _declined(world: World) -> None:
    code = ErrorCode.CARD_DECLINED
    world.decline = Charge(key="", state=ChargeState.DECLINED, error_code=code, message="Declined.")


def _rejected(world: World) -> None:
    world.before["fetch_order"] = refusal(ErrorCode.ORDER_NOT_FOUND)


def _refunded(world: World) -> None:
    world.before["record_succeeded"] = refusal(ErrorCode.RECORD_REFUSED)
    world.before["refund"] = world.times(2, refusal(ErrorCode.REFUND_REFUSED))


def _gateway_dark(world: World) -> None:
    for operation in ("charge", "find_charge", "void_charge"):
        world.before[operation] = world.down_for(operation, OUTAGE)


SCENARIOS: dict[str, Callable[[World], None]] = {
    "succeeded": _succeeds,
    "declined": _declined,
    "rejected": _rejected,
    "refunded": _refunded,
    "gateway-dark": _gateway_dark,
}
REFUND = "refund-on-request"


async def record() -> None:
    HISTORIES.mkdir(exist_ok=True)
    async with time_skipping() as client:
        for name, arrange in SCENARIOS.items():
            desk = Desk(client, await server_time(client))
            arrange(desk.world)
            async with desk.worker():
                handle = await desk.start(desk.an_instruction())
                await handle.result()
                history = await handle.fetch_history()
            _keep(name, history)
        _keep(REFUND, await _refund_on_request(Desk(client, await server_time(client))))


async def _refund_on_request(desk: Desk) -> WorkflowHistory:
    async with desk.worker():
        payment = await desk.pay()
        desk.world.before["refund"] = desk.world.down_for("refund", OUTAGE)
        refund = Refund.pending(payment, payment.amount, "key", desk.opened_at)
        handle = await start_refund(desk.client, refund, WorkflowIDConflictPolicy.FAIL)
        await handle.result()
        return await handle.fetch_history()


def _keep(name: str, history: WorkflowHistory) -> None:
    (HISTORIES / f"{name}.json").write_text(_without_stack_traces(history.to_json()))


def _without_stack_traces(history: str) -> str:
    def drop(members: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in members.items() if name != "stackTrace"}

    return json.dumps(json.loads(history, object_hook=drop), indent=1) + "\n"


if __name__ == "__main__":
    asyncio.run(record())
