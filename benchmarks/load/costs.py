"""What one payment costs, as counts that are the same on every machine.

The servers and the lean neighbours count, so every version of the service can be counted.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from uuid import UUID, uuid4

import httpx
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from benchmarks.load.counters import counting
from benchmarks.load.system import Service
from benchmarks.neighbours import CUSTOMER, DECLINED
from devstack.stack.ports import HOST
from domain import names

VERSION_MARKER = "core_patch"
"""The SDK's name of the marker that `workflow.patched` writes into the history."""
CHANGE_VERSION = "TemporalChangeVersion"
"""The search attribute that `workflow.patched` sets, too."""
WARM_UP = 3
"""Payments of each kind before one is counted: they open connections and load scripts."""


@dataclass(frozen=True)
class Costs:
    """What one payment, or one refund, costs."""

    workflow_tasks: int
    history_events: int
    version_events: int
    """How many of these events only record versions of the workflow code."""
    temporal_requests: int
    """Requests of API and worker to Temporal, without polls for tasks."""
    sql_statements: int
    """Statements of API and worker, without the empty ones that test a connection."""
    http_requests: int
    """Requests that the worker sends to Ordering, Inventory and the gateway."""
    kafka_records: int
    redis_commands: int


async def read_costs(service: Service) -> Mapping[str, Costs]:
    """Make payments of each kind, and return what the last one of each costs."""
    async with (
        counting(service) as counters,
        httpx.AsyncClient(
            base_url=f"http://{HOST}:{service.port}", trust_env=False, timeout=60
        ) as http,
    ):
        payer = _Payer(http)
        for make in payer.kinds.values():
            for _ in range(WARM_UP):
                await make()
        totals = [await counters.settled()]
        workflows = []
        for make in payer.kinds.values():
            workflows.append(await make())
            totals.append(await counters.settled())
    costs = {}
    # The histories are read at the end: reading them is a request to Temporal, too.
    for number, (kind, workflow_id) in enumerate(zip(payer.kinds, workflows, strict=True)):
        spent = totals[number + 1] - totals[number]
        costs[kind] = Costs(*await _read_history(service, workflow_id), *spent)
    return costs


class _Payer:
    """Makes payments of each kind. Each method returns the id of the workflow that it started."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._refundable: list[str] = []
        self.kinds: Mapping[str, Callable[[], Awaitable[str]]] = {
            "success": self._succeed,
            "success with a reservation": self._succeed_with_reservation,
            "decline": self._decline,
            "refund": self._refund,
        }

    async def _succeed(self) -> str:
        return await self._pay(uuid4(), 200)

    async def _succeed_with_reservation(self) -> str:
        return await self._pay(uuid4(), 200, reservationId=str(uuid4()))

    async def _decline(self) -> str:
        return await self._pay(UUID(DECLINED + str(uuid4())[len(DECLINED) :]), 422)

    async def _refund(self) -> str:
        """Refund one of the payments that were made before."""
        payment_id, key = self._refundable.pop(), str(uuid4())
        path = f"/payments/{payment_id}/refunds"
        response = await self._http.post(path, json={}, headers={"idempotency-key": key})
        _require(response, 201)
        return names.refund_workflow_id(names.refund_id(UUID(payment_id), key))

    async def _pay(self, order: UUID, status: int, **members: str) -> str:
        body = {"orderId": str(order), "customerId": CUSTOMER, "amount": 150, **members}
        response = await self._http.post("/payments", json=body)
        _require(response, status)
        if response.is_success:
            self._refundable.append(response.json()["payment"]["id"])
        return names.workflow_id(order)


def _require(response: httpx.Response, status: int) -> None:
    if response.status_code != status:
        raise RuntimeError(f"HTTP {response.status_code} instead of {status}: {response.text}")


async def _read_history(service: Service, workflow_id: str) -> tuple[int, int, int]:
    """The first three members of `Costs`."""
    handle = service.system.temporal.get_workflow_handle(workflow_id)
    events = (await handle.fetch_history()).events
    tasks = [each.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for each in events]
    return sum(tasks), len(events), sum(map(is_of_a_version, events))


def is_of_a_version(event: HistoryEvent) -> bool:
    """Whether the SDK has added the event to record a version of the workflow code."""
    if event.event_type == EventType.EVENT_TYPE_MARKER_RECORDED:
        return event.marker_recorded_event_attributes.marker_name == VERSION_MARKER
    attributes = event.upsert_workflow_search_attributes_event_attributes.search_attributes
    return CHANGE_VERSION in attributes.indexed_fields
