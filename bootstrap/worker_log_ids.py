"""The ids of payment, order and request in the log lines and spans of workflows and steps.

A worker takes the id of the request from the header that the client has sent, and the other ids
from the argument of the workflow. It sends all of them in a header of each step.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import structlog
from opentelemetry import trace
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadConverter
from temporalio.worker import (
    ActivityInboundInterceptor,
    ExecuteActivityInput,
    ExecuteWorkflowInput,
    Interceptor,
    StartActivityInput,
    StartChildWorkflowInput,
    StartLocalActivityInput,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from bootstrap.log_ids import HEADER, StartLogIds, payload
from bootstrap.logs import current_trace, span_attributes

OF_ARGUMENTS = ("payment_id", "order_id")
"""The fields of a workflow's argument that are ids in the logs."""
OF_ENDINGS = ("status", "error_code", "failed_later_at")
"""The fields of a payment or refund that say how it has ended."""


class LogIds(StartLogIds, Interceptor):
    """Binds the ids as context variables of structlog. A worker uses the one of its client."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _Tries(next)

    def workflow_interceptor_class(
        self,
        input: WorkflowInterceptorClassInput,  # noqa: A002, ARG002
    ) -> type[WorkflowInboundInterceptor]:
        return _Runs


class _Runs(WorkflowInboundInterceptor):
    """Binds the ids of a workflow, and logs its end."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        self._steps = _Steps(outbound)
        self.next.init(self._steps)

    async def execute_workflow(self, input: ExecuteWorkflowInput) -> Any:  # noqa: A002
        """Run the workflow, and log how its payment or refund has ended."""
        ids = {**_read(input.headers), **_ids_of(input.args)}
        self._steps.header = {HEADER: payload(ids)} if ids else {}
        _bind(ids)
        result = await self.next.execute_workflow(input)
        _log_ending(result)
        return result


class _Steps(WorkflowOutboundInterceptor):
    """Sends the ids of a workflow with its steps and child workflows."""

    header: Mapping[str, Payload] = {}

    def start_activity(self, input: StartActivityInput) -> workflow.ActivityHandle[Any]:  # noqa: A002
        input.headers = {**input.headers, **self.header}
        return self.next.start_activity(input)

    def start_local_activity(
        self,
        input: StartLocalActivityInput,  # noqa: A002
    ) -> workflow.ActivityHandle[Any]:
        input.headers = {**input.headers, **self.header}
        return self.next.start_local_activity(input)

    async def start_child_workflow(
        self,
        input: StartChildWorkflowInput,  # noqa: A002
    ) -> workflow.ChildWorkflowHandle[Any, Any]:
        input.headers = {**input.headers, **self.header}
        return await self.next.start_child_workflow(input)


class _Tries(ActivityInboundInterceptor):
    """Binds the ids of a step for one try."""

    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        # Not reset at the end: the SDK logs the failure of a try afterwards, in the same task.
        _bind(_read(input.headers))
        structlog.contextvars.bind_contextvars(step=_step())
        return await self.next.execute_activity(input)


def _bind(ids: Mapping[str, str]) -> None:
    """Add the ids to the log lines that follow, and to the current span, if there is one."""
    structlog.contextvars.bind_contextvars(**ids, **current_trace())
    trace.get_current_span().set_attributes(span_attributes(ids))


def _step() -> dict[str, Any]:
    info = activity.info()
    return {"name": info.activity_type, "attempt": info.attempt, "workflow_id": info.workflow_id}


def _log_ending(result: Any) -> None:
    ending = {name: str(value) for name in OF_ENDINGS if (value := getattr(result, name, None))}
    if ending:
        info = workflow.info()
        seconds = round((workflow.now() - info.start_time).total_seconds(), 3)
        workflow.logger.info(
            "%s has ended", info.workflow_type, extra={**ending, "seconds": seconds}
        )


def _ids_of(arguments: Iterable[Any]) -> dict[str, str]:
    return {
        name: str(value)
        for argument in arguments
        for name in OF_ARGUMENTS
        if (value := getattr(argument, name, None)) is not None
    }


def _read(headers: Mapping[str, Payload]) -> dict[str, str]:
    if HEADER not in headers:
        return {}
    return PayloadConverter.default.from_payload(headers[HEADER], dict[str, str])
