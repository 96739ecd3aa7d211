"""The schedule that looks for payments whose workflow was lost, and hands them to a new one."""

from datetime import timedelta

from temporalio import workflow
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
)

from activities.failures import to_application_error
from activities.reconciliation import ReconciliationActivities
from domain import names
from domain.errors import PaymentError
from workflows.policies import STEPS
from workflows.steps import execute

EVERY = timedelta(minutes=1)
ABANDONED_AFTER = timedelta(minutes=2)
"""Age at which an unfinished payment is looked at. Most of them are still running; starting those
again is refused."""
MAX_ROUND = STEPS[ReconciliationActivities.resume_payments].schedule_to_close + EVERY
"""A round that has not ended by then never will: it is ended, and the next one runs."""


@workflow.defn
class ReconciliationWorkflow:
    """One round; its result is how many payments and refunds were taken up again.

    A round that fails ends as failed: the next one looks at everything again.
    """

    @workflow.run
    async def run(self) -> int:
        try:
            return await execute(
                ReconciliationActivities.resume_payments,
                workflow.now() - ABANDONED_AFTER,
                summary="take up payments that no workflow carries",
            )
        except PaymentError as error:
            raise to_application_error(error) from error


async def schedule(client: Client) -> None:
    """Let a round run every minute. An existing schedule is updated; if paused, it stays paused."""
    try:
        await client.create_schedule(names.RECONCILIATION, _schedule())
    except ScheduleAlreadyRunningError:
        await client.get_schedule_handle(names.RECONCILIATION).update(_updated)


def _schedule() -> Schedule:
    action = ScheduleActionStartWorkflow(
        ReconciliationWorkflow.run,
        id=names.RECONCILIATION,
        task_queue=names.TASK_QUEUE,
        execution_timeout=MAX_ROUND,
        static_summary="look for payments that no workflow carries",
    )
    return Schedule(
        action=action,
        spec=ScheduleSpec(intervals=[ScheduleIntervalSpec(every=EVERY)]),
        policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP),
    )


def _updated(existing: ScheduleUpdateInput) -> ScheduleUpdate:
    wanted = _schedule()
    wanted.state = existing.description.schedule.state
    return ScheduleUpdate(schedule=wanted)
