"""Makes outages of hours cheap: while a system is away, each round of a step has one try.

Without it, a step would be tried some hundred times in each of its rounds. Here a try that fails
because of an outage asks for a pause that is longer than the time of the step. So Temporal ends
the step at once, with the failure of this try.
"""

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

AWAY = "is away for hours"
FAR = timedelta(days=1)
"""Longer than the time for all tries of any step."""


class OneTryInterceptor(Interceptor):
    """Wraps `PaymentErrorInterceptor`, and handles the errors that this raises."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        return _OneTry(next)


class _OneTry(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        try:
            return await self.next.execute_activity(input)
        except ApplicationError as error:
            if AWAY not in error.message:
                raise
            raise ApplicationError(error.message, type=error.type, next_retry_delay=FAR) from None
