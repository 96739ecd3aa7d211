"""A refund that a caller asked for: set aside, given back, recorded, told."""

from temporalio import workflow

from activities.refunds import RefundActivities
from domain.errors import ErrorCode, PaymentError
from domain.events import RefundEvent
from domain.refund import Refund, RefundStatus
from workflows.compensation import Step, uninterrupted, until_done
from workflows.operator_view import OperatorView
from workflows.steps import execute

REFUSALS = frozenset({ErrorCode.REFUND_TOO_LARGE, ErrorCode.REFUND_REFUSED})
"""Each is a definite no in any round, for `make_refund` raises the second only if it is: the
amount was not set aside, or the gateway has given nothing back and will not."""


@workflow.defn
class RefundWorkflow:
    """Ends with the money given back once, a row and an event; or with nothing given back.

    A refund that was begun is not turned back: a cancellation request changes nothing.
    """

    @workflow.init
    def __init__(self, refund: Refund) -> None:
        self._refund = refund
        self._view = OperatorView(f"**{refund.amount}** back for order `{refund.order_id}`")

    @workflow.run
    async def run(self, refund: Refund) -> Refund:  # noqa: ARG002 (see __init__)
        return await uninterrupted(self._give_back())

    async def _give_back(self) -> Refund:
        try:
            await self._until_done(self._set_aside)
        except PaymentError as error:
            self._refund = self._refund.failed(error, at=workflow.now())
        else:
            await self._finish()
        self._view.ended(self._refund)
        return self._refund

    async def _finish(self) -> None:
        """Go on from where the refund's record says that it is."""
        if not self._refund.is_final:
            self._refund = await self._settled()
            await self._until_done(self._record_ended)
        if self._refund.status is RefundStatus.SUCCEEDED and not self._refund.is_announced:
            await self._until_done(self._publish)
            self._refund = self._refund.announced()

    async def _settled(self) -> Refund:
        try:
            await self._until_done(self._refund_at_gateway)
        except PaymentError as error:
            return self._refund.failed(error, at=workflow.now())
        return self._refund.succeeded(at=workflow.now())

    async def _until_done(self, step: Step[None]) -> None:
        await until_done(
            step, on_failure=self._view.needs_attention, refusals=REFUSALS, in_any_round=True
        )

    # The steps, one method each.

    async def _set_aside(self) -> None:
        with self._view.step("record pending"):
            recorded = await execute(
                RefundActivities.record_refund, self._refund, summary="set the amount aside"
            )
        is_new = not recorded.is_final and recorded.created_at == self._refund.created_at
        is_unsent = self._refund.is_unsent and is_new
        self._refund = recorded.model_copy(update={"is_unsent": is_unsent})

    async def _refund_at_gateway(self) -> None:
        refund = self._refund
        self._refund = refund.model_copy(update={"is_unsent": False})
        with self._view.step("refund"):
            await execute(RefundActivities.make_refund, refund, summary=f"refund {refund.amount}")

    async def _record_ended(self) -> None:
        with self._view.step(f"record {self._refund.status}"):
            await execute(
                RefundActivities.record_refund_ended,
                self._refund,
                summary=f"record that it has {self._refund.status}",
            )

    async def _publish(self) -> None:
        event = RefundEvent(refund=self._refund)
        with self._view.step(f"publish {event.topic}"):
            await execute(RefundActivities.publish_refund, event, summary=f"publish {event.topic}")
