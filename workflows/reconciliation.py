"""The reconciliation: a schedule that starts lost workflows of payments and refunds again."""

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
from workflows.operator_view import OperatorView
from workflows.policies import STEPS
from workflows.steps import execute

EVERY = timedelta(minutes=1)
"""Time between the starts of two rounds. A round that finds nothing needs three queries.
Chosen, not measured."""
CHECKED_AFTER = timedelta(minutes=2)
"""Age at which an unfinished payment is checked. Most of them are still running, and Temporal
refuses to start those again."""
MAX_ROUND = STEPS[ReconciliationActivities.resume_payments].schedule_to_close + EVERY
"""Time limit of a round: one that takes longer hangs. Temporal ends it, and the next one runs."""


@workflow.defn
class ReconciliationWorkflow:
    """One round. Its result is how many payments and refunds have a workflow again.

    A round that fails ends as failed; the next one starts from the beginning.
    """

    @workflow.run
    async def run(self) -> int:
        try:
            return await execute(
                OperatorView("**Reconciliation**"),
                ReconciliationActivities.resume_payments,
                workflow.now() - CHECKED_AFTER,
            )
        except PaymentError as error:
            raise to_application_error(error) from error


async def schedule(client: Client) -> None:
    """Run a round every minute. An existing schedule is updated; if it is paused, it stays so."""
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
        static_summary="look for payments without a workflow",
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
