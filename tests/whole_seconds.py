"""Time limits that Temporal's time-skipping server keeps.

The server ignores the limit of all tries of an activity if it ends at a whole second: it takes a
time without nanoseconds for none (`TestServiceRetryState.getBackoffIntervalInSeconds` of the Java
SDK compares with `getNanos() != 0`). One activity in a thousand is tried for ever then.
"""

from datetime import timedelta

from temporalio import client, worker
from temporalio.workflow import ActivityHandle

NEVER_WHOLE = timedelta(microseconds=1)
"""Less than the millisecond in which the server counts."""


class KeptTimeLimits(client.Interceptor, worker.Interceptor):
    """Adds a microsecond to each of these limits, in all workers of the client."""

    def workflow_interceptor_class(
        self,
        _: worker.WorkflowInterceptorClassInput,
    ) -> type[worker.WorkflowInboundInterceptor]:
        return _Inbound


class _Inbound(worker.WorkflowInboundInterceptor):
    def init(self, outbound: worker.WorkflowOutboundInterceptor) -> None:
        super().init(_Outbound(outbound))


class _Outbound(worker.WorkflowOutboundInterceptor):
    def start_activity(
        self,
        input: worker.StartActivityInput,  # noqa: A002
    ) -> ActivityHandle[object]:
        if input.schedule_to_close_timeout is not None:
            input.schedule_to_close_timeout += NEVER_WHOLE
        return self.next.start_activity(input)
