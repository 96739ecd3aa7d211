"""The schedule that looks for payments whose workflow was lost, and hands them to a new one."""

from datetime import timedelta

from temporalio import workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleSpec,
)

from activities.reconciliation import ReconciliationActivities
from domain import names
from workflows.steps import execute

EVERY = timedelta(minutes=1)
ABANDONED_AFTER = timedelta(minutes=2)
"""How long a payment is unfinished before it is looked after; most that are older still run."""


@workflow.defn
class ReconciliationWorkflow:
    """One round; its result is how many payments were taken up again."""

    @workflow.run
    async def run(self) -> int:
        return await execute(
            ReconciliationActivities.resume_payments,
            workflow.now() - ABANDONED_AFTER,
            summary="take up payments that no workflow carries",
        )


async def schedule(client: Client) -> None:
    """Let a round run every minute, unless that is so already."""
    action = ScheduleActionStartWorkflow(
        ReconciliationWorkflow.run,
        id=names.RECONCILIATION,
        task_queue=names.TASK_QUEUE,
        static_summary="look for payments that no workflow carries",
    )
    spec = ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)])
    try:
        await client.create_schedule(names.RECONCILIATION, Schedule(action=action, spec=spec))
    except ScheduleAlreadyRunningError:
        return
