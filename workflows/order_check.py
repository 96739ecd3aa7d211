"""Checks whether the order may be paid, by the latest responses of Ordering and Inventory."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from temporalio import workflow

from domain.errors import ErrorCode, PaymentError
from domain.instruction import PaymentInstruction
from domain.verification import Order, Reservation, verify_order, verify_reservation
from workflows.compensation import Step, until_done
from workflows.pauses import CHECK_PAUSES
from workflows.payment_steps import PaymentSteps
from workflows.policies import CHARGE_BUDGET
from workflows.versions import SAGA_2

ORDER_REFUSALS = frozenset({ErrorCode.ORDER_NOT_FOUND})
RESERVATION_REFUSALS = frozenset({ErrorCode.RESERVATION_NOT_ACTIVE})
VERIFIED_FOR = timedelta(seconds=2)
"""How long an order counts as verified: longer than a usual charge takes, so that a quick payment
reads its order once, and shorter than a customer needs to change it. Chosen, not measured."""

T = TypeVar("T")
OnFailure = Callable[[PaymentError], None]


class OrderCheck:
    """Requests the order and its reservation, and keeps what the latest responses say."""

    def __init__(self, instruction: PaymentInstruction, steps: PaymentSteps) -> None:
        self._instruction = instruction
        self._steps = steps
        self._reservation: Reservation | None = None
        self._requested_at: datetime | None = None
        self.order_is_pending: bool | None = False
        """Whether the order belongs to the customer and is pending, by the latest response of
        Ordering; None while a later request has no response."""

    @property
    def is_old(self) -> bool:
        """Whether the order or the reservation may have changed since they were verified."""
        return self._requested_at is not None and workflow.now() - self._requested_at > VERIFIED_FOR

    @property
    def charge_budget(self) -> timedelta:
        """Time limit of all tries of a charge, which ends before the reservation expires."""
        expires_at = self._expires_at
        return min(CHARGE_BUDGET, expires_at - workflow.now()) if expires_at else CHARGE_BUDGET

    def before_expiry(self, moment: datetime, margin: timedelta) -> datetime:
        """The earlier of `moment` and the time that is `margin` before the reservation expires."""
        return min(moment, self._expires_at - margin) if self._expires_at else moment

    @property
    def _expires_at(self) -> datetime | None:
        return self._reservation.expires_at if self._reservation else None

    @property
    def releasable_reservation_id(self) -> UUID | None:
        """The reservation that consumers of a failure may release, by the latest response."""
        reservation = self._reservation
        if reservation is None or not reservation.may_be_released(self._instruction.order_id):
            return None
        return reservation.id

    def start(self) -> None:
        """Send the requests to Ordering and Inventory; `verify` awaits the responses."""
        self._requested_at = workflow.now()
        wait = self._instruction.reservation_wait
        self._order_request = asyncio.create_task(self._steps.fetch_order())
        self._reservation_request = asyncio.create_task(self._steps.fetch_reservation(within=wait))

    async def stop(self) -> None:
        """Cancel the requests. In payments that version 0.1.0 has started, await the responses."""
        requests = (self._order_request, self._reservation_request)
        if workflow.patched(SAGA_2):
            for each in requests:
                each.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    async def verify(self) -> None:
        """Raises PaymentError unless the order may be paid and its reservation holds."""
        try:
            self._verify_order(await self._order_request, self._requested_at)
        except PaymentError:
            await self.stop()
            raise
        self._verify_reservation(await self._reservation_request)

    def _verify_order(self, order: Order, requested_at: datetime | None) -> None:
        self._requested_at = requested_at
        self.order_is_pending = False
        verify_order(order, self._instruction)
        self.order_is_pending = True

    def _verify_reservation(
        self, reservation: Reservation | None, holds_for: timedelta | None = None
    ) -> None:
        self._reservation = reservation
        if reservation is not None:
            holds_for = self._instruction.terms.holds_for if holds_for is None else holds_for
            verify_reservation(reservation, self._instruction, workflow.now(), holds_for)

    def raise_if_expired(self) -> None:
        """Raises PaymentError(RESERVATION_NOT_ACTIVE) if the reservation has expired by now."""
        if self._reservation is not None and self._reservation.expires_before(workflow.now()):
            raise PaymentError(
                ErrorCode.RESERVATION_NOT_ACTIVE,
                "The reservation expired during the payment. No money was kept.",
            )

    async def verify_again(self, on_failure: OnFailure, holds_for: timedelta | None = None) -> None:
        """Repeat the requests until Ordering and Inventory respond, however long that takes.

        Raises PaymentError if the order may no longer be paid, or if the reservation does not hold
        for as long as a charge may take, or for `holds_for`. `on_failure` is called after each
        request without a response, and may raise too.
        """
        await self._verify_order_again(on_failure)
        try:
            reservation = await self._until_response(
                self._steps.fetch_reservation, RESERVATION_REFUSALS, on_failure
            )
        except PaymentError:
            self._reservation = None  # an event names it only if Inventory has just described it
            raise
        self._verify_reservation(reservation, holds_for)

    @property
    def must_be_repeated_before_failure(self) -> bool:
        """Whether a response that decides what a failure publishes is missing or old."""
        return self.order_is_pending is None or (self.order_is_pending and self.is_old)

    async def repeat_before_failure(self, on_failure: OnFailure) -> None:
        """Request the order until there is a response; if it may be paid, the reservation once."""
        self._reservation = None
        with suppress(PaymentError):
            await self._verify_order_again(on_failure)
            self._reservation = await self._steps.fetch_reservation()

    async def _verify_order_again(self, on_failure: OnFailure) -> None:
        self.order_is_pending = None
        requested_at = workflow.now()
        try:
            order = await self._until_response(self._steps.fetch_order, ORDER_REFUSALS, on_failure)
        except PaymentError as error:
            if error.code in ORDER_REFUSALS:
                self.order_is_pending = False
            raise
        self._verify_order(order, requested_at)

    async def _until_response(
        self, step: Step[T], refusals: frozenset[ErrorCode], on_failure: OnFailure
    ) -> T:
        def fail(error: PaymentError) -> None:
            on_failure(error)
            self.raise_if_expired()

        return await until_done(
            step,
            on_failure=fail,
            refusals=refusals,
            in_any_round=True,
            pauses=CHECK_PAUSES,
        )
