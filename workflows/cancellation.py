"""Cancellation requests: a saga runs to its end, and checks for them where it can still stop."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from temporalio import workflow

from domain.errors import ErrorCode, PaymentError

Result = TypeVar("Result")


async def uninterrupted(saga: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end, also if the workflow is cancelled.

    A cancellation request interrupts no step. Where a payment can still be cancelled, the saga
    calls `raise_if_cancelled` and compensates.
    """
    task = asyncio.create_task(saga)
    while not task.done():
        try:
            await workflow.wait([task])
        except asyncio.CancelledError:
            if (current := asyncio.current_task()) is not None:
                current.uncancel()
    return task.result()


def is_cancelled() -> bool:
    """Whether the cancellation of the workflow was requested."""
    return workflow.cancellation_reason() is not None


async def until_operators_cancel(saga: Coroutine[Any, Any, Result]) -> Result | None:
    """Run a saga that operators end by cancelling the workflow. It also may end by itself.

    Returns the result of the saga, or None if a step was given up because of the cancellation.
    """
    try:
        return await uninterrupted(saga)
    except PaymentError as error:
        if error.code is not ErrorCode.PAYMENT_CANCELLED:
            raise
    return None


def unless_cancelled(
    on_failure: Callable[[PaymentError], None],
) -> Callable[[PaymentError], None]:
    """A callback for `until_done` that ends the retries if the workflow is cancelled.

    It calls `on_failure`, then raises PaymentError(PAYMENT_CANCELLED) if the workflow is cancelled.
    """

    def fail(error: PaymentError) -> None:
        on_failure(error)
        raise_if_cancelled()

    return fail


def raise_if_cancelled() -> None:
    """Raises PaymentError(PAYMENT_CANCELLED) if the cancellation of the workflow was requested."""
    if is_cancelled():
        raise PaymentError(ErrorCode.PAYMENT_CANCELLED, "The payment was cancelled.")
