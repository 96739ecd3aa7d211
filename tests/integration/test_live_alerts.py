"""Alerts fire on a system that breaks, with a real Prometheus, and are silent before.

All times of the rules are divided by `FACTOR`: windows, `for`, offsets, and ages that are compared.
"""

import asyncio
import re
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from devstack.stack import prometheus
from devstack.stack.ports import HOST, Ports
from devstack.stack.stack import Stack
from domain import exact_json
from tests.integration.conftest import end
from tests.support.observability import FOLDER, RULES
from tests.support.programs import PROMTOOL
from tests.support.system import System
from tests.support.waiting import eventually

FACTOR = 5
"""All times in the rules are divided by this number. It is not larger, because the API reads the
gauges only every 15 s: alerts about old gauges would fire between two reads."""
HEALTHY_SECONDS = 45
"""How long no part of the system is stopped at first. Chosen, not measured."""
PATIENCE_SECONDS = 240
"""How long to wait for alerts: all fire within half of this on a quiet machine."""
PAUSE_SECONDS = 0.4
"""Pause between two requests to pay. 20 requests to each service are needed in a minute."""
SLOW = {"PaymentsSlow", "WorkersBehind", "ApiFull"}
"""Alerts that may fire on a busy machine. They are neither expected nor forbidden here."""
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}

pytestmark = [pytest.mark.proof, pytest.mark.timeout(1500)]  # 7 minutes on a quiet machine


def faster(rules: str) -> str:
    """The rules with all times divided by FACTOR."""

    def shorter(match: re.Match[str]) -> str:
        seconds = int(match["count"]) * _UNIT_SECONDS[match["unit"]]
        return f"{match['before']}{seconds // FACTOR}s"

    def sooner(match: re.Match[str]) -> str:
        return f"> {int(match['minutes']) * 60 // FACTOR}"

    duration = r"(?P<before>\[|for: |offset )(?P<count>\d+)(?P<unit>[smhdw])"
    return re.sub(r"> (?P<minutes>\d+) \* 60", sooner, re.sub(duration, shorter, rules))


@pytest.fixture
async def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Stack]:
    PROMTOOL.require()
    rules = tmp_path / "rules"
    shutil.copytree(FOLDER, rules)
    for name in RULES:
        (rules / name).write_text(faster((FOLDER / name).read_text()))
    monkeypatch.setattr(prometheus, "RULES", rules)
    monkeypatch.setattr(prometheus, "SCRAPE_SECONDS", 2)
    stack = Stack(
        tmp_path / "stack", Ports.free(), durable=False, ephemeral=True, optional=["prometheus"]
    )
    try:
        await stack.up(environment={"PAYMENT_WAIT_SECONDS": "2"})
        yield stack
    finally:
        await end(stack)


@pytest.fixture
async def system(stack: Stack) -> AsyncIterator[System]:
    """The stack's API and neighbours; no test here reads anything else."""
    address = stack.environment()["PAYMENT_API_URL"]
    async with (
        httpx.AsyncClient(base_url=address, timeout=5, trust_env=False) as api,
        httpx.AsyncClient(timeout=30, trust_env=False) as neighbours,
    ):
        unused: Any = None
        yield System(stack, api, neighbours, unused, unused, unused)


async def requests(system: System, count: int) -> list[bytes]:
    """Requests to pay for new orders. Every second order has a seat."""
    found = []
    for number in range(count):
        order = await system.an_order()
        seat = {"reservationId": await system.a_seat(order)} if number % 2 else {}
        found.append(exact_json.dumps(order.request(**seat)))
    return found


@asynccontextmanager
async def customers(system: System, bodies: Sequence[bytes]) -> AsyncIterator[None]:
    """In the block, customers pay one order after the other, whatever the responses are."""

    async def pay(body: bytes) -> None:
        with suppress(httpx.HTTPError):
            await system.post(body)

    async def go_on() -> None:
        async with asyncio.TaskGroup() as group:
            for body in bodies:
                group.create_task(pay(body))
                await asyncio.sleep(PAUSE_SECONDS)

    paying = asyncio.create_task(go_on())
    yield
    paying.cancel()
    await asyncio.wait([paying])


async def firing(stack: Stack) -> set[str]:
    """The names of the alerts that fire now."""
    async with httpx.AsyncClient(timeout=30, trust_env=False) as client:
        url = f"http://{HOST}:{stack.site.ports.prometheus}/api/v1/alerts"
        alerts = (await client.get(url)).json()["data"]["alerts"]
    return {each["labels"]["alertname"] for each in alerts if each["state"] == "firing"}


async def fire(stack: Stack, *names: str) -> None:
    """Wait until these alerts have fired."""
    missing = set(names)

    async def have_fired() -> bool:
        await asyncio.sleep(1)  # each call is a request
        missing.difference_update(await firing(stack))
        return not missing

    await eventually(f"alerts fire: {missing}", have_fired, seconds=PATIENCE_SECONDS)


async def test_alerts_fire_on_a_system_that_breaks(stack: Stack, system: System) -> None:
    bodies = await requests(system, 1500)
    async with customers(system, bodies):
        await asyncio.sleep(HEALTHY_SECONDS)
        assert await firing(stack) <= SLOW

        await stack.stop("kafka")
        await fire(stack, "EventsNotPublished")

        await asyncio.gather(*map(stack.stop, ("gateway", "inventory")))
        await fire(stack, "GatewayDegraded", "NeighbourDegraded", "OutcomeUnknown")

        await stack.kill("worker")
        await fire(stack, "WorkersGone", "TargetDown", "ReconciliationSilent")

        await stack.stop("postgres")
        await fire(stack, "PaymentsUnavailable", "GaugesStale")

        await stack.kill("api")
        await fire(stack, "ApiGone")
