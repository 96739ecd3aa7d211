"""Makes the last event of a run from the command that ends the run."""

from temporalio.api.common.v1 import Payloads
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionFailedEventAttributes,
)
from temporalio.bridge.proto.workflow_commands import WorkflowCommand


def ending_of(command: WorkflowCommand) -> HistoryEvent | None:
    """The last event of the run. It is None if the command does not end the run."""
    if command.HasField("fail_workflow_execution"):
        return failed(command.fail_workflow_execution.failure)
    if not command.HasField("complete_workflow_execution"):
        return None
    result = Payloads(payloads=[command.complete_workflow_execution.result])
    attributes = WorkflowExecutionCompletedEventAttributes(result=result)
    return HistoryEvent(workflow_execution_completed_event_attributes=attributes)


def failed(failure: Failure) -> HistoryEvent:
    attributes = WorkflowExecutionFailedEventAttributes(failure=failure)
    return HistoryEvent(workflow_execution_failed_event_attributes=attributes)
