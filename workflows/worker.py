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
from temporalio.common import MetricMeter
from temporalio.worker import PollerBehaviorAutoscaling, UnsandboxedWorkflowRunner, Worker

from activities.adapters.gateway import HttpGateway
from activities.adapters.inventory import HttpInventory, UncheckedInventory
from activities.adapters.json_client import JsonClient, create_client
from activities.adapters.kafka import KafkaPublisher
from activities.adapters.ordering import HttpOrdering
from activities.adapters.stripe.connection import stripe_account
from activities.charges import ChargeActivities
from activities.disputes import DisputeActivities
from activities.events import EventActivities
from activities.failures import PaymentErrorInterceptor
from activities.gateway_ports import PaymentGateway
from activities.gateways import Gateways
from activities.ports import Ports
from activities.reconciliation import ReconciliationActivities
from activities.records import RecordActivities
from activities.refunds import RefundActivities
from activities.verification import VerificationActivities
from bootstrap import kafka, logs, temporal
from bootstrap.process import run
from bootstrap.settings import Settings, read_settings
from bootstrap.traces import tracing
from bootstrap.worker_log_ids import LogIds
from db.engine import create_engine
from db.payments import PaymentStore
from db.reconciliation import ReconciliationRounds
from db.refunds import RefundStore
from domain.errors import ErrorCode
from domain.gateways import TERMS, GatewayName
from domain.names import TASK_QUEUE
from domain.version import VERSION
from workflows.dispute_watch import DisputeWatch
from workflows.metrics import WorkMetrics
from workflows.payment import PaymentWorkflow
from workflows.queues import LIMITS, LOCAL_ACTIVITIES, WORKFLOW_TASKS, Workers
from workflows.reconciliation import ReconciliationWorkflow
from workflows.refund import RefundWorkflow
from workflows.refund_watch import RefundWatch
from workflows.start import TemporalWorkflowStarter
from workflows.start_inputs import TemporalStartInputs
from workflows.stray_attempt import StrayAttemptWorkflow

READ_SECONDS = 2.5
"""Time limit of a request to Ordering or Inventory. It is shorter than the limit of one try (3 s),
so that the step gets the error of the request, not a time-out of Temporal."""
STICKY_TIMEOUT = timedelta(seconds=3)
"""How long a workflow task waits for the worker that has the workflow in memory, which may have
stopped; after that any worker may take the task. Chosen, not measured."""
GRACE = timedelta(seconds=45)
"""How long a worker that stops waits for running activities: longer than one try of a charge, so
that no charge is interrupted."""

log = logging.getLogger(__name__)


WORKFLOWS = [
    PaymentWorkflow,
    RefundWorkflow,
    RefundWatch,
    StrayAttemptWorkflow,
    DisputeWatch,
    ReconciliationWorkflow,
]


def build_worker(
    client: Client,
    activities: Sequence[Callable[..., Any]],
    meter: MetricMeter = MetricMeter.noop,
    **options: Any,
) -> Workers:
    """The workers of all task queues. `options` go to the SDK's workers.

    Every queue has all activities. An activity is retried on the queue on which it was scheduled,
    and an earlier version may have scheduled it on another queue than today's.
    """
    shared = {
        "workflow_task_poller_behavior": PollerBehaviorAutoscaling(),
        "activity_task_poller_behavior": PollerBehaviorAutoscaling(),
        "activities": activities,
        "interceptors": [WorkMetrics(meter, _names(activities)), PaymentErrorInterceptor()],
        "graceful_shutdown_timeout": GRACE,
    }
    workflows = {
        "workflows": WORKFLOWS,
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


def _names(activities: Sequence[Callable[..., Any]]) -> list[str]:
    return [each.__name__ for each in activities]


def payment_activities(ports: Ports) -> list[Callable[..., Any]]:
    """Every activity, as a method of an object that has the ports it needs."""
    verification = VerificationActivities(ports.ordering, ports.inventory)
    gateways = Gateways(ports.gateways)
    charges = ChargeActivities(gateways, ports.start_inputs)
    records = RecordActivities(ports.payments)
    events = EventActivities(ports.publisher, ports.payments)
    refunding = RefundActivities(gateways, ports.refunds, ports.publisher)
    disputes = DisputeActivities(gateways)
    reconciliation = ReconciliationActivities(
        ports.payments, ports.refunds, ports.workflows, ports.rounds
    )
    return [
        verification.fetch_order,
        verification.fetch_reservation,
        charges.charge,
        charges.open_charge,
        charges.authorize_charge,
        charges.capture_charge,
        charges.find_charge,
        charges.look_at_charge,
        charges.resolve_charge,
        charges.refund_charge,
        records.find_payment,
        records.record_pending,
        records.record_reference,
        records.record_wait,
        records.record_succeeded,
        records.begin_event,
        records.record_compensation,
        records.record_failed,
        records.withdraw_event,
        events.record_and_publish,
        events.publish_event,
        refunding.record_refund,
        refunding.make_refund,
        refunding.find_refund,
        refunding.record_refund_reference,
        refunding.record_refund_ended,
        refunding.record_refund_failed_later,
        refunding.publish_refund,
        disputes.find_dispute,
        reconciliation.resume_payments,
    ]


async def main() -> None:
    settings = read_settings()
    logs.configure(settings.log_level)
    async with AsyncExitStack() as stack:
        runtime = temporal.runtime("worker", settings.metrics_address)
        interceptors = await stack.enter_async_context(tracing(settings, "payment-worker", VERSION))
        client = await temporal.connect(
            settings, runtime=runtime, interceptors=[*interceptors, LogIds()]
        )
        activities = await _activities(settings, client, stack, runtime.metric_meter)
        worker = build_worker(client, activities, runtime.metric_meter)
        stopping = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopping.set)
        async with worker:
            log.info("the worker is ready")
            await stopping.wait()
            log.info("the worker is stopping; running steps are completed first")


async def _activities(
    settings: Settings, client: Client, stack: AsyncExitStack, meter: MetricMeter
) -> list[Callable[..., Any]]:
    connect = partial(_connect, stack, meter)
    ordering = await connect(
        settings.ordering_url, "Ordering", ErrorCode.ORDERING_UNAVAILABLE, READ_SECONDS
    )
    inventory = await connect(
        settings.inventory_url, "Inventory", ErrorCode.INVENTORY_UNAVAILABLE, READ_SECONDS
    )
    gateway = await connect(
        settings.gateway_url,
        "The payment gateway",
        ErrorCode.GATEWAY_UNAVAILABLE,
        TERMS[GatewayName.SIMULATOR].request_time.total_seconds(),
    )
    engine = create_engine(str(settings.database_url), application_name="payment-worker")
    stack.push_async_callback(engine.dispose)
    publisher = KafkaPublisher(kafka.connection(settings), meter)
    stack.push_async_callback(publisher.close)
    ports = Ports(
        ordering=HttpOrdering(
            ordering, accept_without_state=settings.order_without_state == "accept"
        ),
        inventory=HttpInventory(inventory)
        if settings.reservation_check == "on"
        else UncheckedInventory(),
        gateways={
            GatewayName.SIMULATOR: HttpGateway(
                gateway, accept_simulated=settings.environment != "production"
            ),
            **await _stripe(settings, stack, meter),
        },
        start_inputs=TemporalStartInputs(client),
        payments=PaymentStore(engine, settings.reattempt_after),
        refunds=RefundStore(engine),
        publisher=publisher,
        workflows=TemporalWorkflowStarter(client),
        rounds=ReconciliationRounds(engine),
    )
    return payment_activities(ports)


async def _stripe(
    settings: Settings, stack: AsyncExitStack, meter: MetricMeter
) -> dict[str, PaymentGateway]:
    """The gateway Stripe, by its name; empty if no key is set."""
    if settings.stripe_api_key is None:
        return {}
    connecting = stripe_account(
        settings.stripe_url,
        settings.stripe_api_key,
        seconds=TERMS[GatewayName.STRIPE].request_time.total_seconds(),
        per_second=settings.stripe_requests_per_second,
        meter=meter,
    )
    account = await stack.enter_async_context(connecting)
    return {GatewayName.STRIPE: account.gateway()}


async def _connect(
    stack: AsyncExitStack,
    meter: MetricMeter,
    url: HttpUrl,
    name: str,
    unavailable: ErrorCode,
    seconds: float,
) -> JsonClient:
    """A client of one external service, which is closed with the process."""
    client = await stack.enter_async_context(create_client(str(url)))
    return JsonClient(client, name, unavailable, seconds, meter)


if __name__ == "__main__":
    run(main())
