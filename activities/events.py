"""The steps that publish how a payment ended."""

import asyncio
from contextlib import suppress

from temporalio import activity

from activities.ports import EventPublisher, Payments
from domain.errors import ErrorCode, PaymentError
from domain.events import PaymentEvent
from domain.payment import Announcement, Payment

BEGUN_AFTER_SECONDS = 1.5
"""Wait for the broker before the row says `begun`: the event may be published. From then on the
payment counts as ended, so a caller gets the response within 3 s even if Kafka is slow. Chosen, not
measured: a healthy broker takes some milliseconds."""


class EventActivities:
    """Publishes the event of a payment that ended."""

    def __init__(self, publisher: EventPublisher, payments: Payments) -> None:
        self._publisher = publisher
        self._payments = payments

    @activity.defn
    async def record_and_publish(self, payment: Payment) -> Payment:
        """Record the success and publish it. Returns the payment as it is recorded and published.

        Only one statement moves a payment to `succeeded`. The try that executed it is certainly the
        first to publish. Every other try uses the recorded payment, and records `begun` before it
        sends. Raises the errors of the port `Payments`, and those of `publish_event`.
        """
        recorded = await self._payments.record_succeeded(payment)
        if recorded is not None:
            payment = await self._begin(recorded)
        if payment.is_unannounced:
            await self._publish(PaymentEvent.of(payment), is_first=recorded is None)
        return payment.announced()

    @activity.defn
    async def publish_event(self, event: PaymentEvent) -> None:
        """Publish the event, and record that it is published (`made`).

        If that takes longer than BEGUN_AFTER_SECONDS, or fails, it records `begun`. Raises
        PaymentError(EVENTS_UNAVAILABLE), which is retried: consumers may have the event, so the
        ending is final. The exception is a refusal before that time, if this is certainly the first
        try: it raises PaymentError(EVENT_REFUSED), which is not retried, and the success may be
        undone. If an event may have been sent by an earlier try, `begun` is recorded before it is
        sent.
        """
        if event.payment.may_be_sent:
            await self._begin(event.payment)
        await self._publish(event, is_first=activity.info().attempt == 1)

    async def _publish(self, event: PaymentEvent, *, is_first: bool) -> None:
        """Send the event, and record `made`. Raises the errors of `publish_event`.

        A refusal is final only if no earlier try can have sent the event (`is_first`), and if the
        row does not say `begun`.
        """
        is_begun = False
        publishing = asyncio.create_task(self._publisher.publish(event))
        try:
            is_begun = await self._record_if_slow(event, publishing)
            await publishing
        except PaymentError as error:
            if error.code is ErrorCode.EVENT_REFUSED and is_first and not is_begun:
                await self._record_unsent(event.payment)
                raise
            await self._record(event, Announcement.BEGUN)
            raise PaymentError(ErrorCode.EVENTS_UNAVAILABLE, error.message) from error
        finally:
            publishing.cancel()
        await self._record(event, Announcement.MADE)

    async def _begin(self, payment: Payment) -> Payment:
        """Record `begun`: from now on the success is final. Returns the payment as it is recorded.

        Raises PaymentError(EVENTS_UNAVAILABLE) if the payment is being undone, or was undone.
        """
        await self._payments.record_announcement(payment.announced(Announcement.BEGUN))
        recorded = await self._payments.find(payment.id)
        if recorded is None or recorded.status is not payment.status or not recorded.is_irrevocable:
            raise PaymentError(
                ErrorCode.EVENTS_UNAVAILABLE, "The payment is being undone. It is not published."
            )
        return recorded

    async def _record_unsent(self, payment: Payment) -> None:
        """Record that nothing was sent, unless another try has begun.

        Raises PaymentError(EVENTS_UNAVAILABLE) if it has.
        """
        if payment.may_be_sent and not await self._payments.record_unsent(payment):
            raise PaymentError(
                ErrorCode.EVENTS_UNAVAILABLE, "Another try to publish the event has begun."
            )

    async def _record_if_slow(self, event: PaymentEvent, publishing: asyncio.Task[None]) -> bool:
        """Wait for the broker; record `begun` if it is slow. True if the row may say `begun`."""
        done, _ = await asyncio.wait({publishing}, timeout=BEGUN_AFTER_SECONDS)
        if done:
            return False
        with suppress(PaymentError):  # even then, the statement may have been executed
            await self._record(event, Announcement.BEGUN)
        return True

    async def _record(self, event: PaymentEvent, announcement: Announcement) -> None:
        await self._payments.record_announcement(event.payment.announced(announcement))
