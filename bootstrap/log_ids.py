"""The id of the request in the log lines and spans of the workflow that it starts.

A client sends it in a header of the workflow. Headers are part of the history; they are not
compared when a history is replayed. `bootstrap.worker_log_ids` reads it.
"""

from collections.abc import Mapping
from typing import Any

import structlog
from temporalio.api.common.v1 import Payload
from temporalio.client import Interceptor, OutboundInterceptor, StartWorkflowInput, WorkflowHandle
from temporalio.converter import PayloadConverter

HEADER = "log-ids"
REQUEST_ID = "request_id"


class StartLogIds(Interceptor):
    """Sends the id of the request that is bound as a context variable of structlog."""

    def intercept_client(self, next: OutboundInterceptor) -> OutboundInterceptor:  # noqa: A002
        return _Starts(next)


class _Starts(OutboundInterceptor):
    async def start_workflow(self, input: StartWorkflowInput) -> WorkflowHandle[Any, Any]:  # noqa: A002
        request_id = structlog.contextvars.get_contextvars().get(REQUEST_ID)
        if request_id is not None:
            input.headers = {**input.headers, HEADER: payload({REQUEST_ID: request_id})}
        return await self.next.start_workflow(input)


def payload(ids: Mapping[str, str]) -> Payload:
    """The value of the header for these ids."""
    return PayloadConverter.default.to_payload(dict(ids))
