"""The worker process: runs workflows and activities until it gets SIGTERM or SIGINT.

Production and tests share `build_worker`. `main` calls it with what the settings say.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from typing import Any

from pydantic import HttpUrl
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from activities.adapters.gateway import HttpGateway
from activities.adapters.inventory import HttpInventory, UncheckedInventory
from activities.adapters.json_client import JsonClient, create_client
from activities.adapters.kafka import KafkaPublisher
from activities.adapters.ordering import HttpOrdering
from activities.charges import ChargeActivities
from activities.events import EventActivities
from activities.failures import PaymentErrorInterceptor
from activities.ports import Ports
from activities.reconciliation import ReconciliationActivities
from activities.records import RecordActivities
from activities.refunds import RefundActivities
from activities.unsent_events import UnsentEvents
from activities.verification import VerificationActivities
from bootstrap import kafka, logs, temporal
from bootstrap.process import run
from bootstrap.settings import Settings, read_settings
from db.engine import create_engine
from db.payments import PaymentStore
from db.reconciliation import ReconciliationRounds
from db.refunds import RefundStore
from domain.errors import ErrorCode
from domain.names import TASK_QUEUE
from workflows.payment import PaymentWorkflow
from workflows.queues import LIMITS, LOCAL_ACTIVITIES, WORKFLOW_TASKS, Workers
from workflows.reconciliation import ReconciliationWorkflow
from workflows.refund import RefundWorkflow
from workflows.start import TemporalWorkflowStarter

READ_SECONDS = 2.5
"""Time limit of a request to Ordering or Inventory. It is shorter than the limit of one try (3 s),
so that the step gets the error of the request, not a time-out of Temporal."""
GATEWAY_SECONDS = 8
"""Time limit of a request to the gateway. One try of a charge has time for two requests."""
STICKY_TIMEOUT = timedelta(seconds=3)
"""How long a workflow task waits for the worker that has the workflow in memory, which may have
stopped; after that any worker may take the task. Chosen, not measured."""
GRACE = timedelta(seconds=25)
"""How long a worker that stops waits for running activities: longer than one try of a charge, so
that no charge is interrupted."""

log = logging.getLogger(__name__)


def build_worker(
    client: Client, activities: Sequence[Callable[..., Any]], **options: Any
) -> Workers:
    """The workers of all task queues. `options` go to the SDK's workers.

    Every queue has all activities. An activity is retried on the queue on which it was scheduled,
    and an earlier version may have scheduled it on another queue than today's.
    """
    shared = {
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
        "activities": activities,
        "interceptors": [PaymentErrorInterceptor()],
        "graceful_shutdown_timeout": GRACE,
    }
    workflows = {
        "workflows": [PaymentWorkflow, RefundWorkflow, ReconciliationWorkflow],
        "workflow_runner": UnsandboxedWorkflowRunner(),
        "max_concurrent_workflow_tasks": WORKFLOW_TASKS,
        "max_concurrent_local_activities": LOCAL_ACTIVITIES,
        "sticky_queue_schedule_to_start_timeout": STICKY_TIMEOUT,
    }
    workers = []
    for queue, limit in LIMITS.items():
        own = {"max_concurrent_activities": limit, **(workflows if queue == TASK_QUEUE else {})}
        workers.append(Worker(client, task_queue=queue, **{**shared, **own, **options}))
    return Workers(workers)


def payment_activities(
    ports: Ports, unsent: UnsentEvents | None = None
) -> list[Callable[..., Any]]:
    """Every activity, as a method of an object that has the ports it needs.

    `unsent` is what this process remembers; tests let it forget.
    """
    verification = VerificationActivities(ports.ordering, ports.inventory)
    charges = ChargeActivities(ports.gateway)
    unsent = unsent or UnsentEvents()
    records = RecordActivities(ports.payments, unsent)
    events = EventActivities(ports.publisher, ports.payments, unsent)
    refunding = RefundActivities(ports.gateway, ports.refunds, ports.publisher)
    reconciliation = ReconciliationActivities(
        ports.payments, ports.refunds, ports.workflows, ports.rounds
    )
    return [
        verification.fetch_order,
        verification.fetch_reservation,
        charges.charge,
        charges.find_charge,
        charges.resolve_charge,
        charges.refund_charge,
        records.find_payment,
        records.record_pending,
        records.record_succeeded,
        records.begin_event,
        records.record_compensation,
        records.record_failed,
        records.withdraw_event,
        events.publish_event,
        refunding.record_refund,
        refunding.make_refund,
        refunding.record_refund_ended,
        refunding.publish_refund,
        reconciliation.resume_payments,
    ]


async def main() -> None:
    settings = read_settings()
    logs.configure(settings.log_level)
    async with AsyncExitStack() as stack:
        client = await temporal.connect(settings)
        worker = build_worker(client, await _activities(settings, client, stack))
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        async with worker:
            log.info("the worker is ready")
            await stopping.wait()
            log.info("the worker is stopping; running steps are completed first")


async def _activities(
    settings: Settings, client: Client, stack: AsyncExitStack
) -> list[Callable[..., Any]]:
    connect = partial(_connect, stack)
    ordering = await connect(
        settings.ordering_url, "Ordering", ErrorCode.ORDERING_UNAVAILABLE, READ_SECONDS
    )
    inventory = await connect(
        settings.inventory_url, "Inventory", ErrorCode.INVENTORY_UNAVAILABLE, READ_SECONDS
    )
    gateway = await connect(
        settings.gateway_url, "The payment gateway", ErrorCode.GATEWAY_UNAVAILABLE, GATEWAY_SECONDS
    )
    engine = create_engine(str(settings.database_url), application_name="payment-worker")
    stack.push_async_callback(engine.dispose)
    publisher = KafkaPublisher(kafka.connection(settings))
    stack.push_async_callback(publisher.close)
    ports = Ports(
        ordering=HttpOrdering(
            ordering, accept_without_state=settings.order_without_state == "accept"
        ),
        inventory=HttpInventory(inventory)
        if settings.reservation_check == "on"
        else UncheckedInventory(),
        gateway=HttpGateway(gateway, accept_simulated=settings.environment != "production"),
        payments=PaymentStore(engine, settings.reattempt_after),
        refunds=RefundStore(engine),
        publisher=publisher,
        workflows=TemporalWorkflowStarter(client),
        rounds=ReconciliationRounds(engine),
    )
    return payment_activities(ports)


async def _connect(
    stack: AsyncExitStack, url: HttpUrl, name: str, unavailable: ErrorCode, seconds: float
) -> JsonClient:
    """A client of one external service, which is closed with the process."""
    client = await stack.enter_async_context(create_client(str(url)))
    return JsonClient(client, name, unavailable, seconds)


if __name__ == "__main__":
    run(main())
