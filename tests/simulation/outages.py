"""Outages of hours at the price of seconds: one try in each round of a step.

While a system is away, a step is to be tried again only when it has no time left. Temporal then
fails it at once, with what the try has said, instead of trying a hundred times in vain.
"""

from datetime import timedelta
from typing import Any

from temporalio.exceptions import ApplicationError
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

AWAY = "is away for hours"
FAR = timedelta(days=1)
"""More than any step has."""


class OneTryInterceptor(Interceptor):
    """Stands before the product's own interceptor."""

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
