"""Counts how payments and refunds end, and the result of each try of a step.

A workflow task that is tried again may count a second time. The numbers are for alerts and plots;
the books are in PostgreSQL.
"""

from collections.abc import Iterable
from typing import Any

from temporalio import activity, workflow
from temporalio.common import MetricMeter
from temporalio.exceptions import ApplicationError
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
)

from activities.failures import ERROR_CODES
from activities.metrics import counter, duration
from domain import metrics, names
from domain.errors import ErrorCode
from domain.payment import Payment
from domain.refund import Refund

SUCCEEDED, FAILED, REFUSED = "succeeded", "failed", "refused"


class WorkMetrics(Interceptor):
    """Counts the work of a worker. `steps` has the names of all its activities."""

    def __init__(self, meter: MetricMeter, steps: Iterable[str]) -> None:
        self._payments = counter(meter, metrics.PAYMENTS_ENDED)
        self._duration = duration(meter, metrics.PAYMENT_DURATION)
        self._refunds = counter(meter, metrics.REFUNDS_ENDED)
        self._tries = counter(meter, metrics.STEP_TRIES)
        for code in (metrics.NONE, *ErrorCode, metrics.OTHER):
            status = FAILED if code != metrics.NONE else SUCCEEDED
            self._payments.add(0, {"status": status, "error_code": code})
            self._refunds.add(0, {"status": status, "error_code": code})
        for step in steps:
            for result in (SUCCEEDED, FAILED, REFUSED):
                self._tries.add(0, {"step": step, "result": result})

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Tries(next, self)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002
    ) -> type[WorkflowInboundInterceptor]:
        ended = self.ended

        class Runs(WorkflowInboundInterceptor):
            """Counts the end of a workflow, unless it is replayed."""

            async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
                result = await self.next.execute_workflow(input)
                if not workflow.unsafe.is_replaying():
                    ended(result)
                return result

        return Runs

    def ended(self, result: object) -> None:
        """Count the result of a workflow that makes a payment or a refund. Ignore the others."""
        info = workflow.info()
        if isinstance(result, Payment):
            self._payments.add(1, _labels(result))
            self._duration.record(workflow.now() - info.start_time, {"status": result.status})
        elif isinstance(result, Refund) and info.workflow_type == names.REFUND_WORKFLOW:
            self._refunds.add(1, _labels(result))

    def tried(self, result: str) -> None:
        """Count one try of the activity that runs."""
        self._tries.add(1, {"step": activity.info().activity_type, "result": result})


class _Tries(ActivityInboundInterceptor):
    def __init__(self, next: ActivityInboundInterceptor, counts: WorkMetrics) -> None:  # noqa: A002
        super().__init__(next)
        self._counts = counts

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        outcome = FAILED
        try:
            result = await self.next.execute_activity(input)
            outcome = SUCCEEDED
        except ApplicationError as error:
            outcome = REFUSED if error.non_retryable else FAILED
            raise
        finally:
            self._counts.tried(outcome)
        return result


def _labels(ended: Payment | Refund) -> dict[str, str]:
    code = ended.error_code or metrics.NONE
    known = code == metrics.NONE or code in ERROR_CODES
    return {"status": ended.status, "error_code": code if known else metrics.OTHER}
